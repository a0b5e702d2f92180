import assert from "node:assert/strict";
import fc from "fast-check";
import type { BgpDesired } from "../../bgp/desired.ts";
import { type BgpAction, type BgpHeld, diff, held, NOTHING_HELD, routeKey } from "../../bgp/diff.ts";
import { anyDesired, anyHeld } from "./arbitraries.ts";
import { anchor, gateway, type5 } from "./samples.ts";

/** What gobgpd holds once `desired` has been applied to `from`. */
function after(desired: BgpDesired, from: BgpHeld = NOTHING_HELD): BgpHeld {
  return diff(from, desired).reduce(held, from);
}

function kinds(actions: readonly BgpAction[]): string[] {
  return actions.map(({ kind }) => kind);
}

describe("BGP diff", () => {
  it("starts from nothing: underlay, then overlay, then neighbours", () => {
    assert.deepEqual(kinds(diff(NOTHING_HELD, gateway())), [
      "start",
      "announce-underlay",
      "announce-overlay",
      "add-peer",
    ]);
  });

  it("does nothing when nothing has changed, whatever the order of communities", () => {
    const two = type5("10.2.1.0/24", { communities: ["50001:0", "65535:0"] });
    const same = type5("10.2.1.0/24", { communities: ["65535:0", "50001:0"] });
    assert.deepEqual(diff(after(gateway({ overlay: [two] })), gateway({ overlay: [same] })), []);
  });

  it("sends one changed route again and no other", () => {
    const changed = type5("10.2.1.0/24", { med: 20 });
    const desired = gateway({ overlay: [anchor("192.0.2.1/32"), changed] });
    assert.deepEqual(diff(after(gateway()), desired), [{ kind: "announce-overlay", routes: [changed] }]);
  });

  it("announces what is new before it withdraws what is old", () => {
    const desired = gateway({ overlay: [anchor("192.0.2.1/32"), type5("10.2.2.0/24")] });
    assert.deepEqual(diff(after(gateway()), desired), [
      { kind: "announce-overlay", routes: [type5("10.2.2.0/24")] },
      { kind: "withdraw-overlay", routes: [type5("10.2.1.0/24")] },
    ]);
  });

  it("withdraws the VTEP last, after the overlay has settled", () => {
    const actions = diff(after(gateway()), gateway({ underlay: [], overlay: [] }));
    assert.deepEqual(kinds(actions), ["withdraw-overlay", "settle", "withdraw-underlay"]);
  });

  it("starts anew for another AS number or router id", () => {
    for (const change of [{ asn: 65533 }, { routerId: "10.255.2.9" }]) {
      const actions = kinds(diff(after(gateway()), gateway(change)));
      assert.deepEqual(actions, ["stop", "start", "announce-underlay", "announce-overlay", "add-peer"]);
    }
  });

  it("replaces a neighbour whose AS, local address or settings differ", () => {
    const before = after(gateway());
    const peer = { address: "10.9.0.1", asn: 65100, localAddress: "10.9.0.0" };
    const changed = [
      { ...peer, asn: 65109 },
      { ...peer, localAddress: "10.9.0.8" },
    ];
    for (const other of changed) {
      assert.deepEqual(kinds(diff(before, gateway({ peers: [other] }))), ["delete-peer", "add-peer"]);
    }
    const nonStandard = { ...before, peers: [{ ...peer, standard: false }] };
    assert.deepEqual(kinds(diff(nonStandard, gateway())), ["delete-peer", "add-peer"]);
  });

  it("leaves a neighbour alone of which only the kernel chose the local address", () => {
    assert.deepEqual(diff(after(gateway()), gateway({ peers: [{ address: "10.9.0.1", asn: 65100 }] })), []);
  });

  it("prepends only where no iBGP neighbour would take it for a loop", () => {
    const overlay = [type5("10.2.1.0/24", { prepend: 2 })];
    assert.equal(after(gateway({ overlay })).overlay[0]?.prepend, 2);
    const peers = [...gateway().peers, { address: "10.9.0.3", asn: 65534 }];
    assert.equal(after(gateway({ overlay, peers })).overlay[0]?.prepend, undefined);
  });

  it("always arrives, and then has nothing left to do", () => {
    fc.assert(
      fc.property(anyHeld(), anyDesired(), (from, desired) => {
        const result = after(desired, from);
        assert.deepEqual(result.global, { asn: desired.asn, routerId: desired.routerId });
        assert.deepEqual(new Set(result.underlay), new Set(desired.underlay));
        assert.deepEqual(result.overlay.map(routeKey).sort(), desired.overlay.map(routeKey).sort());
        assert.deepEqual(result.peers.map(({ address }) => address).sort(), desired.peers.map((p) => p.address).sort());
        assert.deepEqual(diff(result, desired), []);
      }),
    );
  });

  it("never has an overlay route without its underlay, on the way from one complete state to another", () => {
    fc.assert(
      fc.property(anyDesired(), anyDesired(), (first, second) => {
        const vtep = ["10.255.2.1/32"];
        const complete = ({ underlay, ...rest }: BgpDesired) => ({
          ...rest,
          underlay: rest.overlay.length > 0 ? [...new Set([...underlay, ...vtep])] : underlay,
        });
        let state = after(complete(first));
        for (const action of diff(state, complete(second))) {
          state = held(state, action);
          assert.ok(state.overlay.length === 0 || state.underlay.includes("10.255.2.1/32"), action.kind);
        }
      }),
    );
  });

  it("touches a route only if it is new, changed or gone, and never withdraws what is wanted", () => {
    fc.assert(
      fc.property(anyHeld(), anyDesired(), (from, desired) => {
        const wanted = new Set(desired.overlay.map(routeKey));
        let present = new Set(from.overlay.map((route) => JSON.stringify(route)));
        for (const action of diff(from, desired)) {
          if (action.kind === "stop") present = new Set();
          if (action.kind === "announce-overlay") {
            for (const route of action.routes) assert.ok(!present.has(JSON.stringify(route)));
          }
          if (action.kind === "withdraw-overlay")
            for (const route of action.routes) assert.ok(!wanted.has(routeKey(route)));
        }
      }),
    );
  });
});
