import assert from "node:assert/strict";
import { countDifference, judgeServed, type PeeringCount } from "../../scenarios/run/counters.ts";

const both = (there: number, back: number): PeeringCount => ({
  "vpc-1>vpc-2": { in: there, out: there },
  "vpc-2>vpc-1": { in: back, out: back },
});
const idle = both(0, 0);

describe("a peering is served by a gateway", () => {
  it("if it alone carried every packet there and back", () => {
    assert.deepEqual(
      judgeServed(
        new Map([
          ["g1", both(20, 21)],
          ["g2", idle],
          ["g3", {}],
        ]),
        "g1",
        20,
      ),
      { ok: true },
    );
  });

  for (const [what, counts, why] of [
    ["the way back went through another", [both(20, 0), both(0, 20)], /^g1 did not carry all packets both ways/],
    ["another carried some too", [both(20, 20), both(1, 0)], /^g2 carried packets too/],
    [
      "another got some and dropped them",
      [both(20, 20), { "vpc-1>vpc-2": { in: 1, out: 0 } }],
      /^g2 carried packets too/,
    ],
    ["it dropped one", [{ ...both(20, 20), "vpc-1>vpc-2": { in: 20, out: 19 } }, idle], /^g1 did not carry all/],
    ["it does not know the peering", [{}, idle], /^g1 did not carry all .*g1: not its peering/],
  ] as const) {
    it(`not if ${what}`, () => {
      const verdict = judgeServed(
        new Map([
          ["g1", counts[0]],
          ["g2", counts[1]],
        ]),
        "g1",
        20,
      );
      assert.match(verdict.ok ? "served" : verdict.why, why);
    });
  }

  it("not if it is off", () => {
    assert.deepEqual(judgeServed(new Map([["g2", idle]]), "g1", 20), { ok: false, why: "g1 is off" });
  });
});

it("a direction that was not counted before counts from zero", () => {
  assert.deepEqual(
    countDifference({ "a>b": { in: 3, out: 2 } }, { "a>b": { in: 5, out: 5 }, "b>a": { in: 1, out: 1 } }),
    {
      "a>b": { in: 2, out: 3 },
      "b>a": { in: 1, out: 1 },
    },
  );
});
