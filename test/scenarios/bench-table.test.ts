import assert from "node:assert/strict";
import { rowOf, rowOfPairs } from "../../scenarios/bench/row.ts";
import { number, table } from "../../scenarios/bench/table.ts";

const pairs = [
  { ours: 2_000_000, peer: 400_000 },
  { ours: 3_000_000, peer: 500_000 },
  { ours: 1_000_000, peer: 300_000 },
];

describe("rows and table of the benchmarks", () => {
  it("holds the median, its spread, the peer's median and the median of the pairs' ratios", () => {
    const goal = { of: "ratio", limit: "at least", than: 5 } as const;
    assert.deepEqual(rowOfPairs({ suite: "path", name: "small packets", unit: "packets/s", goal }, "kernel", pairs), {
      suite: "path",
      name: "small packets",
      unit: "packets/s",
      value: 2_000_000,
      min: 1_000_000,
      max: 3_000_000,
      runs: 3,
      goal: "≥ 5 × kernel",
      met: true,
      peer: "kernel",
      peerValue: 400_000,
      ratio: 5,
      note: null,
    });
  });

  it("judges a goal by the value or by the ratio", () => {
    const value = { median: 100, min: 90, max: 200, runs: 3 };
    const head = { suite: "packet", name: "1 k", unit: "ns" };
    const beside = { peer: "empty", value: 20, ratio: 5 };
    const goal = (of: "value" | "ratio", limit: "at most" | "at least", than: number) =>
      rowOf({ ...head, goal: { of, limit, than } }, value, beside).met;
    assert.equal(goal("value", "at most", 100), true);
    assert.equal(goal("value", "at most", 99), false);
    assert.equal(goal("ratio", "at least", 5.1), false);
    assert.equal(goal("ratio", "at most", 5), true);
    assert.equal(rowOf(head, value).met, null);
  });

  it("prints columns, says which goals are missed, and puts shared notes below", () => {
    const goal = { of: "value", limit: "at most", than: 300 } as const;
    const slow = { median: 416, min: 302.4, max: 500, runs: 10 };
    const rows = [
      rowOfPairs({ suite: "path", name: "small packets", unit: "packets/s", note: "as it is" }, "kernel", pairs),
      rowOf({ suite: "converge", name: "route", unit: "ms", goal, note: "as it is" }, slow),
    ];
    assert.equal(
      table(rows),
      [
        "suite     what                       value  min … max  runs  peer           ratio  goal",
        "────────  ─────────────────  ─────────────  ─────────  ────  ─────────────  ─────  ────────────────",
        "path      small packets [1]  2 M packets/s  1 M … 3 M     3  kernel: 400 k     5×",
        "converge  route [1]                 416 ms  302 … 500    10                        ≤ 300 ms: MISSED",
        "[1] as it is",
      ].join("\n"),
    );
  });

  it("rounds to three digits", () => {
    assert.deepEqual([0, 0.0619, 7.391, 54, 416.4, 9999, 12_345, 2_179_162].map(number), [
      "0",
      "0.0619",
      "7.39",
      "54",
      "416",
      "9999",
      "12.3 k",
      "2.18 M",
    ]);
  });
});
