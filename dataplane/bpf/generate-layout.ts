// Reads the BTF of gateway.bpf.o (bpftool's JSON, standard input) and prints dataplane/generated/layout.ts: the structs that user space and the
// program share, the drop reasons and the limits. C is the only place where a layout is written down.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

const structs = [
  "config",
  "settings",
  "prefix_key",
  "policy_entry",
  "acl_rule",
  "route_path",
  "route",
  "tunnel_key",
  "tunnel_path",
  "tunnel",
  "flow_set",
  "flow_key",
  "flow_state",
  "mapping",
  "age_run",
  "packet_count",
  "drop_key",
  "direction_name",
];
const constants = [
  "MAX_DIRECTIONS",
  "MAX_TUNNELS",
  "MAX_TUNNEL_PATHS",
  "MAX_ROUTE_PATHS",
  "MAX_UPLINKS",
  "NO_DIRECTION",
  "SOURCE_TABLE",
  "POOL_TABLE",
  "FORWARD_TABLE",
  "NAT_MASQUERADE",
  "NAT_FORWARD",
  "STATEFUL_WORDS",
  "FLAG_RESERVED",
  "FLAG_FLOWS",
  "MAX_RULES",
  "DEFAULT_DENY",
  "RULE_DENY",
  "RULE_FLOW",
  "RULE_PORTS",
];

const { types } = JSON.parse(readFileSync(0, "utf8")) as { types: readonly BtfType[] };
const mapsHeader = readFileSync(`${import.meta.dirname}/maps.h`, "utf8");

function camel(name: string): string {
  return name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

function find(kind: string, name: string): BtfType {
  const type = types.find((candidate) => candidate.kind === kind && candidate.name === name);
  if (type === undefined) throw new Error(`generate-layout: no ${kind.toLowerCase()} ${name} in the BTF`);
  return type;
}

const lines: string[] = [];
for (const name of structs) {
  const type = find("STRUCT", name);
  lines.push(`/** struct ${name}: size and offsets in bytes. */`, `export const ${camel(name)}Layout = {`);
  lines.push(`  size: ${type.size},`);
  for (const member of type.members ?? []) lines.push(`  ${camel(member.name)}: ${member.bits_offset / 8},`);
  lines.push("} as const;");
}
for (const name of constants) {
  const match = new RegExp(`^#define ${name} (\\w+?)u?(?: .*)?$`, "m").exec(mapsHeader);
  if (match === null) throw new Error(`generate-layout: no ${name} in maps.h`);
  lines.push(`export const ${camel(name)} = ${match[1]};`);
}
const reasons = (find("ENUM", "drop_reason").values ?? []).filter(({ name }) => name !== "DROP_REASON_COUNT");
reasons.forEach(({ name, val }, index) => {
  if (val !== index) throw new Error(`generate-layout: ${name} is ${val}, expected ${index}`);
});
const names = reasons.map(({ name }) =>
  JSON.stringify(
    name
      .replace(/^DROP_/, "")
      .toLowerCase()
      .replaceAll("_", "-"),
  ),
);
lines.push("/** By number; number 0 is not a drop. */");
lines.push("export const dropReasons = [", ...names.map((name) => `  ${name},`), "] as const;");
const digest = createHash("sha256").update(lines.join("\n")).update(mapsHeader).digest("hex").slice(0, 16);
lines.push("/** Maps that were made under the same digest can be taken over. */");
lines.push(`export const layoutDigest = "${digest}";`);

process.stdout.write(`// Generated from the BTF of gateway.bpf.o by bpf/generate-layout.ts.\n${lines.join("\n")}\n`);
