// What the dataplane cannot do yet is refused by name, never ignored.

import assert from "node:assert/strict";
import { plan } from "../../agent/plan/plan.ts";
import { unsupported } from "../../agent/plan/unsupported.ts";
import type { Acl, Expose } from "../../fabric-api/fabric.ts";
import { fabric, gateway, group, peering, vpc } from "./fabric.ts";

const RULE = { from: "vpc-1", to: "vpc-2", action: "deny", src: [], dst: [], scope: "packet", log: false } as const;
const SIX: Expose = { kind: "prefixes", prefixes: ["2001:db8::/64"] };

/** A peering whose first side exposes that. */
function exposing(...exposes: Expose[]) {
  const base = peering(1, 2);
  return { ...base, sides: [{ ...base.sides[0], exposes }, base.sides[1]] as const };
}

function featuresOf(...peerings: ReturnType<typeof peering>[]): string[] {
  return unsupported(gateway(1), peerings).map(({ peering: id, feature }) => `${id} ${feature}`);
}

describe("what the dataplane cannot do yet", () => {
  it("is exposing IPv6", () => {
    assert.deepEqual(featuresOf(exposing(SIX, SIX)), ["vpc-1--vpc-2 ipv6"]);
  });

  it("is a rule that logs, and no other", () => {
    const acl = (log: boolean): Acl => ({ default: "deny", rules: [{ ...RULE, log }] });
    assert.deepEqual(featuresOf({ ...peering(1, 2), acl: acl(true) }), ["vpc-1--vpc-2 acl-log"]);
    assert.deepEqual(featuresOf({ ...peering(1, 2), acl: acl(false) }), []);
  });

  it("is an IPv6 VTEP, of this gateway only", () => {
    const six = gateway(2, { vtepIp: "2001:db8::2" });
    assert.deepEqual(
      unsupported(six, []).map(({ message }) => message),
      ["gateway gateway-2: an IPv6 vtepIP is not supported by the dataplane yet"],
    );
    assert.equal(plan(fabric({ gateways: [gateway(1), six] }), "gateway-1").gateway, "gateway-1");
  });

  it("makes no plan, and says everything that is in the way", () => {
    const asking = { ...exposing(SIX), acl: { default: "deny" as const, rules: [{ ...RULE, log: true }] } };
    assert.throws(() => plan(fabric({ peerings: [asking] }), "gateway-1"), {
      code: "UNSUPPORTED",
      message:
        "gateway gateway-1 cannot serve these manifests yet: peering vpc-1--vpc-2: exposing IPv6 is not supported by the dataplane yet; peering vpc-1--vpc-2: log in an acl rule is not supported by the dataplane yet",
    });
  });

  it("does not keep gateways from serving other groups", () => {
    const peerings = [{ ...exposing(SIX), group: "a" }, peering(1, 3, "b")];
    const groups = [group("a", "gateway-2"), group("b", "gateway-1")];
    const both = fabric({ groups, vpcs: [1, 2, 3].map(vpc), peerings });
    assert.deepEqual(
      plan(both, "gateway-1").served.map(({ peering: id }) => id),
      ["vpc-1--vpc-3"],
    );
    assert.throws(() => plan(both, "gateway-2"), { code: "UNSUPPORTED" });
  });
});
