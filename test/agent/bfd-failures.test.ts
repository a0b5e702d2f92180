import assert from "node:assert/strict";
import { bfdFailures } from "../../agent/plan/bfd-failures.ts";
import type { SessionReport } from "../../bgp/bfd/messages.ts";

const NONE: ReadonlySet<string> = new Set();
const report = (state: SessionReport["state"], reason: SessionReport["reason"], ups = 1) => ({
  key: { peer: "172.16.1.0", localAddress: "" },
  state,
  reason,
  ups,
});
const failed = new Set(["172.16.1.0"]);

describe("BFD failures", () => {
  it("are sessions that were Up and timed out, or whose neighbour said Down", () => {
    assert.deepEqual(bfdFailures(NONE, [report("Down", "detection-time-expired")]), failed);
    assert.deepEqual(bfdFailures(NONE, [report("Down", "neighbor-down")]), failed);
  });

  it("are not sessions that were never Up: the neighbour may not speak BFD", () => {
    assert.deepEqual(bfdFailures(NONE, [report("Down", "detection-time-expired", 0)]), NONE);
  });

  it("are not sessions that somebody switched off, and end when that happens", () => {
    assert.deepEqual(bfdFailures(NONE, [report("Down", "neighbor-admin-down")]), NONE);
    assert.deepEqual(bfdFailures(failed, [report("AdminDown", "admin-down")]), NONE);
  });

  it("last until the session is Up again, not just on the way", () => {
    assert.deepEqual(bfdFailures(failed, [report("Init", "handshake")]), failed);
    assert.deepEqual(bfdFailures(failed, [report("Up", "handshake", 2)]), NONE);
  });

  it("of neighbours that are not reported stay", () => {
    assert.deepEqual(bfdFailures(failed, []), failed);
  });
});
