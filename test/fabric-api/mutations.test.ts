// Whatever is done to valid manifests: loading never throws, every finding points into its source, and there is a fabric
// exactly when there is no error.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { formatDiagnostic, loadFabric, type Source } from "../../fabric-api/index.ts";
import { BASE, external, gateway, object, peering, stream } from "./streams.ts";

const VALID = [
  BASE.text,
  readFileSync(`${import.meta.dirname}/fixtures/older-spelling.yaml`, "utf8"),
  stream(
    gateway("g", { logs: "{default: info, rateLimit: {burst: 3}}", workers: "3" }),
    external("x", "static: {prefixes: [10.0.0.0/8]}"),
    object(
      "Peering",
      "p",
      "peering:",
      "  gatewayGroup: default",
      "  vpc-1:",
      "    expose:",
      "    - ips:",
      "      - vpcSubnet: default",
      "  ext.x:",
      "    expose:",
      "    - default: true",
    ),
    peering(
      "n",
      {
        "vpc-1":
          '[{ips: [{cidr: 10.1.0.0/24}, {not: 10.1.0.0/28}], as: [{cidr: 192.168.0.0/28}], nat: {masquerade: {idleTimeout: 90s}}}, {ips: [{cidr: 10.1.0.128/32}], as: [{cidr: 192.168.0.1/32}], nat: {portForward: {ports: [{proto: tcp, port: "1-2", as: "3-4"}]}}}, {ips: [{vpcSubnet: six}]}]',
        "vpc-2":
          "[{ips: [{vpcSubnet: default}], as: [{cidr: 192.168.2.0/25}, {cidr: 192.168.3.0/25}], nat: {static: {}}}, {ips: [{vpcSubnet: six}]}]",
      },
      'acl: {default: deny, rules: [{name: a, from: vpc-1, action: allow, match: {src: [{ports: "80"}, {cidr: 10.0.0.0/8}], dst: [{cidr: 192.168.2.0/26}], proto: tcp}}, {to: vpc-1, action: deny, scope: packet}]}',
    ),
  ),
];

function checkLoad(sources: readonly Source[]): void {
  const { fabric, errors, warnings } = loadFabric(sources);
  assert.equal(fabric !== undefined, errors.length === 0);
  for (const one of [...errors, ...warnings]) {
    const text = sources.find(({ file }) => file === one.file)?.text;
    assert.ok(text !== undefined, one.file);
    const line = text.split("\n")[one.line - 1];
    assert.ok(line !== undefined, `line ${one.line} of ${text.split("\n").length}`);
    assert.ok(one.column >= 1 && one.column <= line.length + 1, `column ${one.column} of ${JSON.stringify(line)}`);
    assert.ok(
      formatDiagnostic(one, sources).startsWith(`${one.file}:${one.line}:${one.column}: ${one.severity} ${one.code}: `),
    );
  }
}

const junk = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom(
    "\n",
    "  ",
    "\t",
    "- ",
    ": ",
    "---\n",
    "...\n",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "|\n",
    ">\n",
    "&a ",
    "*a",
    "!t ",
    "? ",
    "# ",
    "%",
    "\r",
    "\uFEFF",
    "null",
    "~",
    "1e9",
    "0x1f",
    "-1",
    "2001-01-01",
    "yes",
  ),
  fc.constantFrom(
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/64",
    "default",
    "vpc-1",
    "__proto__",
    "constructor",
    "toString",
  ),
);

const mutated = fc
  .record({
    base: fc.constantFrom(...VALID),
    edits: fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.nat(12), put: junk }), {
      minLength: 1,
      maxLength: 4,
    }),
  })
  .map(({ base, edits }) =>
    edits.reduce((text, { at, drop, put }) => {
      const offset = Math.floor(at * text.length);
      return text.slice(0, offset) + put + text.slice(offset + drop);
    }, base),
  );

/** Lines put in another order, doubled or lost: mostly still YAML, so that the rules get to see it. */
const reshuffled = fc.constantFrom(...VALID).chain((base) => {
  const lines = base.split("\n");
  return fc
    .array(fc.tuple(fc.nat(lines.length - 1), fc.nat(lines.length - 1)), { maxLength: 4 })
    .map((moves) =>
      moves.reduce((now, [from, to]) => now.toSpliced(to, from % 2, lines[from] ?? ""), lines).join("\n"),
    );
});

describe("loading", () => {
  it("begins with manifests that are valid", () => {
    // Its gateway has the addresses of theirs.
    const base = BASE.text.replaceAll("172.30.", "172.31.").replace(":00:01", ":00:77");
    for (const text of VALID.slice(1)) {
      const sources = [...(text.includes("VPCInfo") ? [] : [base]), text].map((one, n) => ({
        file: `${n}.yaml`,
        text: one,
      }));
      assert.deepEqual(loadFabric(sources).errors, []);
    }
  });

  it("survives any edit of valid manifests and points into their text", () => {
    fc.assert(
      fc.property(mutated, (text) => checkLoad([BASE, { file: "case.yaml", text }])),
      { numRuns: 200 },
    );
  });

  it("survives moved, doubled and lost lines", () => {
    fc.assert(
      fc.property(reshuffled, (text) => checkLoad([BASE, { file: "case.yaml", text }])),
      { numRuns: 200 },
    );
  });

  it("survives any value in any place", () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const paths = fc.constantFrom(
      "metadata",
      "spec",
      "kind",
      "apiVersion",
      "spec.peering",
      "spec.peering.vpc-1",
      "spec.peering.vpc-1.expose",
      "spec.gatewayGroup",
      "spec.acl",
      "spec.acl.rules",
      "spec.peering.vpc-1.nat",
      "spec.peering.gatewayGroup",
    );
    fc.assert(
      fc.property(paths, value, (path, json) => {
        const document = {
          apiVersion: "gateway.githedgehog.com/v1alpha1",
          kind: "GatewayPeering",
          metadata: { name: "p" },
          spec: {
            peering: {
              "vpc-1": { expose: [{ ips: [{ cidr: "10.1.0.0/24" }] }] },
              "vpc-2": { expose: [{ default: true }] },
            },
          },
        };
        set(document, path.split("."), json);
        checkLoad([BASE, { file: "case.json", text: JSON.stringify(document, undefined, 2) }]);
      }),
      { numRuns: 200 },
    );
  });
});

function set(root: object, [step, ...rest]: readonly string[], value: unknown): void {
  if (step === undefined) return;
  const map = root as Record<string, unknown>;
  if (rest.length === 0) {
    map[step] = value;
  } else {
    map[step] ??= {};
    set(map[step] as object, rest, value);
  }
}
