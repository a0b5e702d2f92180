import assert from "node:assert/strict";
import fc from "fast-check";
import { cleanForMs, longestStallMs, lossOf, median, type Packet } from "../../scenarios/probe/loss.ts";

/** A stream at 1 ms: "x" is a lost packet, everything else one that came back after 0.1 ms. */
function stream(pattern: string): Packet[] {
  return [...pattern].map((char, sentMs) => (char === "x" ? { sentMs } : { sentMs, echoedMs: sentMs + 0.1 }));
}

const patterns = fc.string({ unit: fc.constantFrom(".", "x"), maxLength: 60 });

describe("the loss of a numbered stream", () => {
  it("is nothing when every packet came back, however uneven the sending was", () => {
    const packets = [0, 1, 40, 41].map((sentMs) => ({ sentMs, echoedMs: sentMs + 1 }));
    const loss = lossOf(packets, 1);
    assert.equal(loss.lost, 0);
    assert.equal(loss.lossWindowMs, 0);
    assert.equal(loss.longestSendGapMs, 39);
  });

  it("has a window from the last good packet before to the first good one after, less one interval", () => {
    assert.equal(lossOf(stream("..xxx.."), 1).lossWindowMs, 3);
    assert.equal(lossOf(stream(".x.xx.x."), 1).lossWindowMs, 2);
  });

  it("counts an outage at either end of the stream", () => {
    assert.equal(lossOf(stream("xx.."), 1).lossWindowMs, 2);
    assert.equal(lossOf(stream("..xx"), 1).lossWindowMs, 2);
    assert.equal(lossOf(stream("xxxx"), 1).lossWindowMs, 4);
  });

  it("includes the time in which the sender was late, if packets around it were lost", () => {
    const packets = [{ sentMs: 0, echoedMs: 1 }, { sentMs: 1 }, { sentMs: 30 }, { sentMs: 31, echoedMs: 32 }];
    assert.equal(lossOf(packets, 1).lossWindowMs, 30);
  });

  it("has for evenly sent packets a window that is the longest run of lost ones", () => {
    fc.assert(
      fc.property(patterns, (pattern) => {
        const loss = lossOf(stream(pattern), 1);
        assert.equal(loss.lost, pattern.split("x").length - 1);
        assert.equal(loss.lossWindowMs, Math.max(0, ...pattern.split(".").map((run) => run.length)));
      }),
    );
  });

  it("does not shrink when one more packet is lost", () => {
    fc.assert(
      fc.property(patterns, fc.nat(), (pattern, where) => {
        const at = where % (pattern.length + 1);
        const worse = `${pattern.slice(0, at)}x${pattern.slice(at + 1)}`;
        assert.ok(lossOf(stream(worse), 1).lossWindowMs >= lossOf(stream(pattern), 1).lossWindowMs);
      }),
    );
  });
});

describe("a stream runs clean", () => {
  it("since its last lost packet", () => {
    assert.equal(cleanForMs(stream("..x...."), 7, 100), 3);
    assert.equal(cleanForMs(stream("......."), 7, 100), 6);
  });

  it("while the newest packets may still be on their way, and not when they are overdue", () => {
    assert.equal(cleanForMs(stream("....xx"), 10, 100), 3);
    assert.equal(cleanForMs(stream("....xx"), 200, 100), 0);
  });

  it("not at all before anything came back", () => {
    assert.equal(cleanForMs([], 0, 100), 0);
    assert.equal(cleanForMs(stream("xx"), 1, 100), 0);
  });
});

describe("the stall of a reliable stream", () => {
  it("is the longest wait for an echo that was due", () => {
    const packets = [0, 10, 20, 30].map((sentMs) => ({ sentMs, echoedMs: Math.max(sentMs + 1, sentMs > 0 ? 500 : 0) }));
    assert.equal(longestStallMs(packets, 10, 600), 480);
  });

  it("goes on while no echo comes", () => {
    assert.equal(longestStallMs([{ sentMs: 0, echoedMs: 1 }, { sentMs: 10 }], 10, 1010), 990);
  });

  it("is not counted while nothing was sent", () => {
    const packets = [0, 1000].map((sentMs) => ({ sentMs, echoedMs: sentMs + 1 }));
    assert.equal(longestStallMs(packets, 10, 1001), 0);
  });
});

it("the median is the middle, or the mean of the two in the middle", () => {
  assert.deepEqual([median([]), median([3]), median([1, 3]), median([1, 2, 9])], [0, 3, 2, 2]);
});
