// What the dataplane is told of a peering with NAT and an ACL.

import assert from "node:assert/strict";
import { plan } from "../../agent/plan/plan.ts";
import { dataplanePeering } from "../../agent/plan/policy.ts";
import type { Acl, Expose, Nat } from "../../fabric-api/fabric.ts";
import { DEFAULT_TIMEOUTS } from "../../fabric-api/index.ts";
import { fabric, gateway, group, peering } from "./fabric.ts";

const SLICE = { index: 1, count: 3 };
const MASQUERADE: Nat = { kind: "masquerade", public: ["192.0.2.1/32"], timeouts: DEFAULT_TIMEOUTS };
const RULE = { from: "vpc-1", to: "vpc-2", action: "deny", src: [], dst: [], scope: "flow", log: false } as const;

const exposing = (...exposes: Expose[]) => {
  const base = peering(1, 2);
  return { ...base, sides: [{ ...base.sides[0], exposes }, base.sides[1]] as const };
};
const block = (prefix: string, nat?: Nat): Expose => ({
  kind: "prefixes",
  prefixes: [prefix],
  ...(nat ? { nat } : {}),
});

describe("the dataplane's policy", () => {
  it("tells translated prefixes apart from those exposed as they are", () => {
    const mixed = exposing(block("10.1.1.0/25"), block("10.1.1.128/25", MASQUERADE), { kind: "default" });
    assert.deepEqual(dataplanePeering(mixed, SLICE).sides[0], {
      vpc: "vpc-1",
      default: true,
      prefixes: ["10.1.1.0/25"],
      translated: [{ prefixes: ["10.1.1.128/25"], nat: MASQUERADE }],
    });
  });

  it("gives a slice of the ports where there is masquerade, and only there", () => {
    assert.deepEqual(dataplanePeering(exposing(block("10.1.1.0/24", MASQUERADE)), SLICE).portSlice, SLICE);
    assert.equal(dataplanePeering(peering(1, 2), SLICE).portSlice, undefined);
  });

  it("gives every gateway of a group another slice", () => {
    const three = fabric({
      gateways: [gateway(1), gateway(2), gateway(3)],
      groups: [group("default", "gateway-2", "gateway-1", "gateway-3")],
      peerings: [exposing(block("10.1.1.0/24", MASQUERADE))],
    });
    const slices = [1, 2, 3].map((number) => plan(three, `gateway-${number}`).dataplane.policy.peerings[0]?.portSlice);
    assert.deepEqual(slices, [
      { index: 1, count: 3 },
      { index: 0, count: 3 },
      { index: 2, count: 3 },
    ]);
  });

  it("hands over an ACL that takes something away, rules in order", () => {
    const acl: Acl = { default: "deny-unless-exposed", rules: [{ ...RULE, name: "one", protocols: [6] }, RULE] };
    assert.deepEqual(dataplanePeering({ ...peering(1, 2), acl }, SLICE).acl, {
      default: "deny-unless-exposed",
      rules: [
        { from: "vpc-1", action: "deny", src: [], dst: [], scope: "flow", protocols: [6] },
        { from: "vpc-1", action: "deny", src: [], dst: [], scope: "flow" },
      ],
    });
    assert.deepEqual(dataplanePeering({ ...peering(1, 2), acl: { ...acl, default: "deny", rules: [] } }, SLICE).acl, {
      default: "deny",
      rules: [],
    });
    assert.equal(dataplanePeering({ ...peering(1, 2), acl: { ...acl, rules: [] } }, SLICE).acl, undefined);
  });

  it("announces the public addresses, and asks for the hosts behind them", () => {
    const { bgp } = plan(fabric({ peerings: [exposing(block("10.1.1.0/24", MASQUERADE))] }), "gateway-1");
    const announced = bgp.announcements.find(({ into }) => into === "vpc-2");
    assert.equal(announced?.route.prefix, "192.0.2.1/32");
    assert.deepEqual(announced?.destination.prefixes, ["10.1.1.0/24"]);
  });
});
