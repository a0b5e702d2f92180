import assert from "node:assert/strict";
import { NOTHING_LEARNED, RELEARN_MS, remember, SESSIONS_BACK_MS, usable } from "../../agent/plan/rib-memory.ts";
import type { BgpSnapshot, PeerState } from "../../bgp/desired.ts";

const peer = (state: string, address = "172.16.1.0"): PeerState => ({
  address,
  asn: 65100,
  state,
  sinceMs: 0,
  adminDown: false,
});

const snapshot = (changes: Partial<BgpSnapshot>): BgpSnapshot => ({
  revision: 1,
  connected: true,
  synced: true,
  peers: [peer("established")],
  overlay: [],
  underlay: [],
  vteps: ["10.255.1.1"],
  announced: { underlay: [], overlay: [] },
  unusable: {},
  ...changes,
});

const path = {
  vni: 100_001,
  prefix: "10.1.1.0/24",
  vtep: "10.255.1.1",
  routerMac: "02:01:00:00:01:01",
  rd: "10.255.1.1:1",
  peer: "172.16.1.0",
};

const lost = snapshot({ connected: false, synced: false, peers: [], vteps: [] });

describe("the memory of the RIB", () => {
  it("knows nothing before gobgpd's tables were read", () => {
    const { memory } = remember(NOTHING_LEARNED, snapshot({ synced: false }), 0);
    assert.equal(memory.view, undefined);
  });

  it("follows what gobgpd says while it lives, also that nothing is left", () => {
    const first = remember(NOTHING_LEARNED, snapshot({}), 0);
    const second = remember(first.memory, snapshot({ peers: [peer("idle")], vteps: [] }), 1);
    assert.deepEqual(second.memory.view?.vteps, []);
    assert.equal(second.memory.recovering, undefined);
  });

  it("keeps the last view while gobgpd is away, however long", () => {
    const before = remember(NOTHING_LEARNED, snapshot({}), 0);
    const after = remember(before.memory, lost, 1_000_000);
    assert.deepEqual(after.memory.view?.vteps, ["10.255.1.1"]);
    assert.notEqual(after.memory.recovering, undefined);
  });

  it("waits until the sessions are back and have spoken", () => {
    let state = remember(NOTHING_LEARNED, snapshot({ overlay: [path] }), 0);
    state = remember(state.memory, lost, 10);
    state = remember(state.memory, snapshot({ peers: [peer("active")] }), 100);
    assert.deepEqual(state.memory.view?.overlay, [path]);
    assert.equal(state.recheckInMs, SESSIONS_BACK_MS);
    state = remember(state.memory, snapshot({}), 500);
    assert.equal(state.recheckInMs, RELEARN_MS);
    assert.deepEqual(state.memory.view?.overlay, [path]);
    state = remember(state.memory, snapshot({}), 500 + RELEARN_MS);
    assert.deepEqual(state.memory.view?.overlay, []);
    assert.equal(state.memory.recovering, undefined);
  });

  it("waits no longer once everything that was known is known again", () => {
    let state = remember(NOTHING_LEARNED, snapshot({ overlay: [path] }), 0);
    state = remember(state.memory, lost, 10);
    const another = { ...path, prefix: "10.9.9.0/24" };
    state = remember(state.memory, snapshot({ overlay: [another, path] }), 500);
    assert.deepEqual(state.memory.view?.overlay, [another, path]);
    assert.equal(state.recheckInMs, undefined);
  });

  it("gives up on sessions that do not come back", () => {
    let state = remember(NOTHING_LEARNED, snapshot({}), 0);
    state = remember(state.memory, lost, 10);
    const silent = snapshot({ peers: [peer("active")], vteps: [] });
    state = remember(state.memory, silent, 100);
    state = remember(state.memory, silent, 100 + SESSIONS_BACK_MS);
    assert.deepEqual(state.memory.view?.vteps, []);
  });
});

describe("usable routes", () => {
  const view = {
    overlay: [path, { ...path, vtep: "10.255.3.2" }, { ...path, peer: "172.16.2.0" }],
    underlay: [
      { prefix: "10.255.1.1/32", nextHops: ["172.16.1.0", "172.16.2.0"] },
      { prefix: "10.255.1.2/32", nextHops: ["172.16.2.0"] },
    ],
    vteps: ["10.255.1.1", "10.255.3.2"],
  };

  it("leave out what other gateways announce, as destinations and as sources", () => {
    const { overlay, vteps } = usable(view, ["10.255.3.2"], new Set());
    assert.ok(overlay.every(({ vtep }) => vtep !== "10.255.3.2"));
    assert.deepEqual(vteps, ["10.255.1.1"]);
  });

  it("leave out what a neighbour that BFD declared dead has said, and the ways over it", () => {
    const { overlay, underlay } = usable(view, [], new Set(["172.16.2.0"]));
    assert.ok(overlay.every(({ peer }) => peer !== "172.16.2.0"));
    assert.deepEqual(underlay, [{ prefix: "10.255.1.1/32", nextHops: ["172.16.1.0"] }]);
  });
});
