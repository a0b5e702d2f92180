// Hostile streams are refused with a finding, quickly and without being built.

import assert from "node:assert/strict";
import { loadFabric } from "../../fabric-api/index.ts";
import { MAX_CHARACTERS, MAX_SCALAR } from "../../fabric-api/stream/limits.ts";
import { peering, vpc } from "./streams.ts";

const MB = 1024 * 1024;

/** Loads and expects one error; the time and the memory that it took. */
function refused(text: string): { message: string; ms: number; bytes: number } {
  const bytesBefore = process.memoryUsage().rss;
  const before = process.cpuUsage();
  const { errors, fabric } = loadFabric([{ file: "hostile.yaml", text }]);
  // Of the processor, not of the clock: other work on the machine is none of this.
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  assert.equal(fabric, undefined);
  assert.equal(errors[0]?.code, "FG0104");
  return { message: errors[0].message, ms, bytes: process.memoryUsage().rss - bytesBefore };
}

describe("a hostile stream is refused", () => {
  const cases: [string, () => string, RegExp][] = [
    ["that is larger than any fabric", () => "a".repeat(MAX_CHARACTERS + 1), /characters in one load/],
    ["that opens brackets without end", () => "[".repeat(30 * MB), /nested deeper/],
    ["that opens mappings without end", () => "{a: ".repeat(5 * MB), /nested deeper/],
    ["that opens dashes without end", () => "- ".repeat(10 * MB), /nested deeper/],
    [
      "that nests block mappings by indentation",
      () => Array.from({ length: 2000 }, (_, n) => `${" ".repeat(n)}a:`).join("\n"),
      /nested deeper/,
    ],
    ["that holds a megabyte value", () => `a: ${"b".repeat(MAX_SCALAR + 1)}\n`, /value of more than/],
    ["that holds a megabyte quoted value", () => `a: "${"b".repeat(MAX_SCALAR + 1)}"\n`, /value of more than/],
    ["that holds millions of values", () => `[${"a,".repeat(3 * MB)}a]`, /tokens in one load/],
    [
      "that multiplies aliases",
      () =>
        `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghi"].map((name, n) => `${name}: &${name} [${Array(9).fill(`*${"abcdefghi"[n]}`).join(",")}]`).join("\n")}\n`,
      /aliases add more than/,
    ],
    ["that refers to itself", () => "a: &a [*a]\n", /aliases add more than|nested deeper/],
  ];
  for (const [what, make, message] of cases) {
    it(what, () => {
      const text = make();
      const found = refused(text);
      assert.match(found.message, message);
      assert.ok(found.ms < 1500, `took ${found.ms} ms`);
      assert.ok(found.bytes < 200 * MB, `took ${found.bytes / MB} MB`);
    });
  }

  it("as soon as one that is wrong in every object", () => {
    const vpcs = Array.from({ length: 1000 }, (_, n) => vpc(`vpc-${n}`, n + 1, { default: "10.1.0.0/24" }));
    const wrong = Array.from({ length: 3000 }, (_, n) =>
      peering(`p-${n}`, { [`vcp-${n}`]: "[{default: true}]", [`vpx-${n}`]: "[]" }, "gatewayGroup: g"),
    );
    const before = process.cpuUsage();
    const { errors } = loadFabric([{ file: "wrong.yaml", text: [...vpcs, ...wrong].join("---\n") }]);
    assert.equal(errors.length, 4 * 3000);
    assert.match(errors[1]?.hint ?? "", /did you mean vpc-/);
    const ms = process.cpuUsage(before).user / 1000;
    assert.ok(ms < 5000, `took ${ms} ms`);
  });

  it("but a stream of a thousand VPCs with a hundred subnets each is not", () => {
    const subnets = (n: number) =>
      Object.fromEntries(Array.from({ length: 100 }, (_, s) => [`s${s}`, `10.${n % 256}.${s}.0/24`]));
    const text = Array.from({ length: 1000 }, (_, n) => vpc(`v${n}`, n + 1, subnets(n))).join("---\n");
    assert.equal(loadFabric([{ file: "large.yaml", text }]).fabric?.vpcs.length, 1000);
  });
});
