import assert from "node:assert/strict";
import { NOTHING_HELD } from "../../bgp/diff.ts";
import type { LearnedRoute } from "../../bgp/route.ts";
import { View } from "../../bgp/view.ts";
import { type5 } from "./samples.ts";

const SPINE = "10.9.0.1";
const UP = { address: SPINE, asn: 65100, state: "established", adminDown: false };
const DOWN = { ...UP, state: "idle" };

const ROUTE: LearnedRoute = {
  peer: SPINE,
  nlri: { kind: "unicast", prefix: "10.255.1.1/32" },
  attributes: {
    nextHop: SPINE,
    asPath: [65100],
    asPathLength: 1,
    origin: 0,
    communities: [],
    routeTargetValues: [],
  },
};

/** A view in the middle of its life: one session, one route. */
function established(): View {
  const view = new View();
  view.begin(65534);
  view.announced(NOTHING_HELD);
  view.peer(UP, 1000);
  view.routes([ROUTE]);
  view.synced();
  return view;
}

describe("the view of gobgpd", () => {
  it("shows nothing learned before the tables have been read", () => {
    const view = new View();
    view.begin(65534);
    view.peer(UP, 1000);
    view.routes([ROUTE]);
    assert.equal(view.snapshot().synced, false);
    assert.deepEqual(view.snapshot().underlay, []);
    view.synced();
    assert.equal(view.snapshot().synced, true);
    assert.deepEqual(view.snapshot().underlay, [{ prefix: "10.255.1.1/32", nextHops: [SPINE] }]);
  });

  it("is not connected before it is known what gobgpd holds: a take-over would withdraw the rest", () => {
    const view = new View();
    view.begin(65534);
    assert.equal(view.snapshot().connected, false);
    view.announced(NOTHING_HELD);
    assert.equal(view.snapshot().connected, true);
    view.begin(65534);
    assert.equal(view.snapshot().connected, false);
  });

  it("gives the same snapshot until something changes", () => {
    const view = established();
    const before = view.snapshot();
    view.peer(UP, 2000);
    view.routes([]);
    view.announced(NOTHING_HELD);
    assert.equal(view.snapshot(), before);
  });

  it("grows its revision with every change", () => {
    const view = established();
    const held = { ...NOTHING_HELD, overlay: [type5("10.2.1.0/24")] };
    const steps = [
      () => view.announced(held),
      () => view.peer(DOWN, 2000),
      () => view.peer(UP, 3000),
      () => view.routes([ROUTE]),
      () => view.forgetPeer(SPINE),
      () => view.lost(4000),
      () => view.begin(65534),
      () => view.synced(),
    ];
    for (const step of steps) {
      const { revision } = view.snapshot();
      step();
      assert.ok(view.snapshot().revision > revision, String(step));
    }
  });

  it("remembers since when a state holds", () => {
    const view = established();
    view.peer({ ...UP, adminDown: true }, 2000);
    assert.deepEqual(view.snapshot().peers, [{ ...UP, adminDown: true, sinceMs: 1000 }]);
    view.peer(DOWN, 3000);
    assert.deepEqual(view.snapshot().peers, [{ ...DOWN, sinceMs: 3000 }]);
  });

  it("has no use for routes of a session that is down, as a restarting neighbour leaves them", () => {
    const view = established();
    view.peer(DOWN, 2000);
    assert.deepEqual(view.snapshot().underlay, []);
    view.routes([ROUTE]);
    assert.deepEqual(view.snapshot().underlay, []);
  });

  it("keeps the last known routes while gobgpd is away, and until the next one has told all", () => {
    const view = established();
    const { underlay } = view.snapshot();
    view.lost(2000);
    assert.equal(view.snapshot().connected, false);
    assert.deepEqual(view.snapshot().peers, [{ ...DOWN, sinceMs: 2000 }]);
    assert.deepEqual(view.snapshot().underlay, underlay);
    view.begin(65534);
    view.peer(DOWN, 3000);
    assert.deepEqual(view.snapshot().underlay, underlay);
    view.synced();
    assert.deepEqual(view.snapshot().underlay, []);
  });

  it("does not bring a deleted neighbour back for its last events", () => {
    const view = established();
    view.forgetPeer(SPINE);
    view.peer(DOWN, 2000);
    assert.deepEqual(view.snapshot().peers, []);
    view.expectPeer(SPINE);
    view.peer(DOWN, 3000);
    assert.equal(view.snapshot().peers.length, 1);
  });

  it("recognises its own AS in a path after BGP was started with another", () => {
    const view = established();
    view.restarted(65100);
    view.peer(UP, 2000);
    view.routes([ROUTE]);
    assert.deepEqual(view.snapshot().unusable, { "as-loop": 1 });
  });
});
