import assert from "node:assert/strict";
import { alternate, median, pairedRatio, summarise } from "../../scenarios/bench/statistics.ts";

describe("statistics of the benchmarks", () => {
  it("takes the middle value, or the mean of the two in the middle", () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([9, 1, 5, 7]), 6);
    assert.throws(() => median([]), RangeError);
  });

  it("keeps the spread beside the median", () => {
    assert.deepEqual(summarise([3, 1, 20]), { median: 3, min: 1, max: 20, runs: 3 });
  });

  it("compares pair by pair, so that a machine that slows down for some pairs changes nothing", () => {
    const pairs = [
      { ours: 100, peer: 10 },
      { ours: 50, peer: 5 },
      { ours: 20, peer: 2 },
      { ours: 90, peer: 1 },
    ];
    assert.equal(pairedRatio(pairs), 10);
  });

  it("lets each side begin in turn", async () => {
    const order: string[] = [];
    const measure = (name: string) => async () => order.push(name);
    assert.deepEqual(await alternate(3, measure("A"), measure("B")), [
      { ours: 1, peer: 2 },
      { ours: 4, peer: 3 },
      { ours: 5, peer: 6 },
    ]);
    assert.deepEqual(order, ["A", "B", "B", "A", "A", "B"]);
  });
});
