// The topology of a lab: containerlab's file format (https://containerlab.dev/manual/topo-def-file/), the part of it that
// the namespace runner can honour. Anything else is an error, because silently doing less would be a different fabric.
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { LabError } from "./errors.ts";
import { type PositionedYaml, parseYaml, readYaml } from "./positioned-yaml.ts";

export const ROLES = ["host", "leaf", "spine", "gateway"] as const;
export type Role = (typeof ROLES)[number];

export interface Topology {
  readonly name: string;
  /** Directory of the topology file: relative binds start there. */
  readonly directory: string;
  readonly nodes: readonly TopologyNode[];
  readonly links: readonly TopologyLink[];
}

export interface TopologyNode {
  readonly name: string;
  /** Label `fabgate.role`. */
  readonly role: Role;
  /** Label `fabgate.gateway`: name of the Gateway object this node is. Set exactly on gateways. */
  readonly gateway?: string;
  readonly binds: readonly Bind[];
  /** Commands run once the links are there, split as containerlab splits them. */
  readonly exec: readonly (readonly string[])[];
  readonly env: Readonly<Record<string, string>>;
  readonly sysctls: Readonly<Record<string, string>>;
}

export interface Bind {
  /** Absolute path on this machine. */
  readonly source: string;
  /** Absolute path in the node. */
  readonly target: string;
  readonly readOnly: boolean;
}

export interface LinkEnd {
  readonly node: string;
  readonly interface: string;
}

export interface TopologyLink {
  readonly ends: readonly [LinkEnd, LinkEnd];
  readonly mtu: number;
}

/** What containerlab gives a link that names no MTU. */
const DEFAULT_LINK_MTU = 9500;

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const nodeFields = {
  image: z.string().optional(),
  // Honoured by containerlab only: there, the image's own start would come before the links and VRFs.
  entrypoint: z.string().optional(),
  binds: z.array(z.string()).optional(),
  exec: z.array(z.string()).optional(),
  env: z.record(z.string(), scalar).optional(),
  labels: z.record(z.string(), scalar).optional(),
  sysctls: z.record(z.string(), scalar).optional(),
};
const linux = z.literal("linux", { error: 'the only kind here is "linux"' });
const nodeSchema = z.strictObject({ kind: linux.optional(), group: z.string().optional(), ...nodeFields });
const fileSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "lower-case letters, digits and hyphens"),
  topology: z.strictObject({
    defaults: nodeSchema.optional(),
    kinds: z.strictObject({ linux: z.strictObject(nodeFields).optional() }).optional(),
    groups: z.record(z.string(), nodeSchema).optional(),
    nodes: z.record(
      z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "lower-case letters, digits and hyphens"),
      nodeSchema.nullable(),
    ),
    links: z
      .array(
        z.strictObject({
          endpoints: z.tuple([z.string(), z.string()], { error: 'two endpoints, each "node:interface"' }),
          mtu: z.int().min(68).max(65535).optional(),
        }),
      )
      .optional(),
  }),
});
type File = z.infer<typeof fileSchema>;
type NodeFile = z.infer<typeof nodeSchema>;

/** Reads a containerlab file. Throws ERR_LAB_INVALID naming file:line:column. */
export function readTopology(file: string): Topology {
  return build(readYaml(file, fileSchema), dirname(resolve(file)));
}

/** As readTopology, from a text. */
export function parseTopology(text: string, file: string): Topology {
  return build(parseYaml(text, file, fileSchema), dirname(resolve(file)));
}

function build(yaml: PositionedYaml<File>, directory: string): Topology {
  const fail = (path: readonly PropertyKey[], message: string): never => {
    throw new LabError("ERR_LAB_INVALID", `${yaml.at(path)}: ${path.map(String).join(".")}: ${message}`);
  };
  const file = yaml.value.topology;
  const nodes = Object.entries(file.nodes).map(([name, own]): TopologyNode => {
    const path = ["topology", "nodes", name];
    const groupName = own?.group ?? file.defaults?.group;
    const group = groupName === undefined ? undefined : file.groups?.[groupName];
    if (groupName !== undefined && group === undefined) fail([...path, "group"], `no group "${groupName}" in groups`);
    // Containerlab's order: node over group over kind over defaults; maps merge, lists of binds and exec add up.
    const layers = [file.defaults, file.kinds?.linux, group, own].filter((layer) => layer != null);
    const labels = merged(layers, "labels");
    const role = labels["fabgate.role"] ?? fail(path, `label fabgate.role is missing (${ROLES.join(", ")})`);
    if (!isRole(role)) return fail([...path, "labels"], `fabgate.role "${role}" is none of ${ROLES.join(", ")}`);
    const gateway = labels["fabgate.gateway"];
    if ((role === "gateway") !== (gateway !== undefined)) {
      fail(path, "label fabgate.gateway belongs on nodes with fabgate.role gateway, and only there");
    }
    const binds = layers.flatMap((layer) => layer.binds ?? []);
    return {
      name,
      role,
      ...(gateway === undefined ? {} : { gateway }),
      binds: binds.map(
        (text) =>
          parseBind(text, directory) ??
          fail([...path, "binds"], `"${text}" is not SOURCE:TARGET[:ro|rw], target absolute`),
      ),
      exec: layers
        .flatMap((layer) => layer.exec ?? [])
        .map((line) => splitWords(line) ?? fail([...path, "exec"], `"${line}" has an open quote or no words`)),
      env: merged(layers, "env"),
      sysctls: merged(layers, "sysctls"),
    };
  });
  const seen = new Map<string, number>();
  const links = (file.links ?? []).map((link, index): TopologyLink => {
    const end = (side: 0 | 1): LinkEnd => {
      const path = ["topology", "links", index, "endpoints", side];
      const text = link.endpoints[side];
      const [node, name, ...rest] = text.split(":");
      if (node === undefined || !name || rest.length > 0 || name.length > 15)
        return fail(path, `"${text}" is not "node:interface" (interface ≤ 15 characters)`);
      if (!Object.hasOwn(file.nodes, node)) fail(path, `no node "${node}"`);
      if (seen.has(text)) fail(path, `"${text}" is already an end of link ${seen.get(text)}`);
      seen.set(text, index);
      return { node, interface: name };
    };
    return { ends: [end(0), end(1)], mtu: link.mtu ?? DEFAULT_LINK_MTU };
  });
  return { name: yaml.value.name, directory, nodes, links };
}

function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

function merged(layers: readonly NodeFile[], key: "env" | "labels" | "sysctls"): Record<string, string> {
  return Object.assign({}, ...layers.map((layer) => layer[key] ?? {}));
}

function parseBind(text: string, directory: string): Bind | undefined {
  const [source, target, mode, ...rest] = text.split(":");
  if (!source || !target?.startsWith("/") || rest.length > 0) return undefined;
  if (mode !== undefined && mode !== "ro" && mode !== "rw") return undefined;
  return { source: resolve(directory, source), target, readOnly: mode === "ro" };
}

/** Words of a command line: blanks separate, single or double quotes group, as shlex does without escapes. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (const char of line) {
    if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== undefined) return undefined;
  if (word !== undefined) words.push(word);
  return words.length === 0 ? undefined : words;
}
