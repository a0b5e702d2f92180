import assert from "node:assert/strict";
import * as fc from "fast-check";
import { plan } from "../../agent/plan/plan.ts";
import { routeDistinguishers } from "../../agent/plan/rd.ts";
import { fabric, gateway, group, peering, vpc } from "./fabric.ts";

describe("plan", () => {
  it("announces what each side exposes into the other side's VPC", () => {
    const { bgp } = plan(fabric(), "gateway-1");
    assert.deepEqual(
      bgp.announcements.map(({ into, destination, route }) => [into, route.vni, route.prefix, destination.vpc]),
      [
        ["vpc-2", 100_002, "10.1.1.0/24", "vpc-1"],
        ["vpc-1", 100_001, "10.2.1.0/24", "vpc-2"],
      ],
    );
  });

  it("fills a type-5 route with RD, RT, next hop and router MAC of this gateway", () => {
    const { bgp } = plan(fabric(), "gateway-2");
    assert.deepEqual(bgp.announcements[1]?.route, {
      rd: "10.255.3.2:34465",
      prefix: "10.2.1.0/24",
      vni: 100_001,
      nextHop: "10.255.2.2",
      routerMac: "02:02:00:00:00:02",
      routeTargets: ["65534:100001"],
      communities: ["50001:1"],
      med: 10,
    });
  });

  it("takes the rank from the position in the group, per group", () => {
    const groups = [group("a", "gateway-1", "gateway-2"), group("b", "gateway-2", "gateway-1")];
    const three = fabric({ groups, vpcs: [1, 2, 3].map(vpc), peerings: [peering(1, 2, "a"), peering(1, 3, "b")] });
    assert.deepEqual(plan(three, "gateway-1").served, [
      { peering: "vpc-1--vpc-2", group: "a", rank: 0 },
      { peering: "vpc-1--vpc-3", group: "b", rank: 1 },
    ]);
    assert.deepEqual(
      plan(three, "gateway-2").served.map(({ rank }) => rank),
      [1, 0],
    );
  });

  it("leaves peerings of other groups alone: neither announced nor in the policy", () => {
    const { served, bgp, dataplane } = plan(fabric({ groups: [group("default", "gateway-2")] }), "gateway-1");
    assert.deepEqual(served, []);
    assert.deepEqual(bgp.announcements, []);
    assert.deepEqual(bgp.anchors, []);
    assert.deepEqual(dataplane.policy, { vpcs: [], peerings: [] });
  });

  it("announces the default route for a default expose and marks the side in the policy", () => {
    const base = peering(1, 2);
    const outside: typeof base = {
      ...base,
      sides: [base.sides[0], { vpc: "vpc-2", exposes: [{ kind: "default" }] }],
    };
    const { bgp, dataplane } = plan(fabric({ peerings: [outside] }), "gateway-1");
    assert.equal(bgp.announcements.find(({ into }) => into === "vpc-1")?.route.prefix, "0.0.0.0/0");
    assert.deepEqual(dataplane.policy.peerings[0]?.sides[1], { vpc: "vpc-2", default: true, prefixes: [] });
  });

  it("announces one anchor per VNI, without preference signals, so that it never changes", () => {
    const { bgp } = plan(fabric(), "gateway-1");
    assert.deepEqual(
      bgp.anchors.map(({ vni, prefix, communities, med }) => ({ vni, prefix, communities, med })),
      [
        { vni: 100_001, prefix: "10.255.3.1/32", communities: [], med: undefined },
        { vni: 100_002, prefix: "10.255.3.1/32", communities: [], med: undefined },
      ],
    );
    const demoted = plan(fabric({ groups: [group("default", "gateway-2", "gateway-1")] }), "gateway-1");
    assert.deepEqual(demoted.bgp.anchors, bgp.anchors);
  });

  it("sets LOCAL_PREF only where a session is iBGP, and prepends only when asked", () => {
    const ibgp = gateway(2, { neighbors: [{ ip: "172.16.2.4", asn: 65534 }] });
    const route = plan(fabric({ gateways: [gateway(1), ibgp] }), "gateway-2", { prepend: true }).bgp.announcements[0]
      ?.route;
    assert.equal(route?.localPref, 999);
    assert.equal(route?.prepend, 1);
    const plain = plan(fabric(), "gateway-1", { prepend: true }).bgp.announcements[0]?.route;
    assert.equal(plain?.localPref, undefined);
    assert.equal(plain?.prepend, undefined);
  });

  it("takes the session's local address from the neighbor's source interface", () => {
    assert.deepEqual(plan(fabric(), "gateway-1").bgp.peers, [
      { address: "172.16.2.2", asn: 65100, localAddress: "172.16.2.3" },
    ]);
  });

  it("names the gateways it knows when asked for another", () => {
    assert.throws(() => plan(fabric(), "gateway-9"), {
      code: "UNKNOWN_GATEWAY",
      message: 'the fabric has no gateway "gateway-9"; it has: gateway-1, gateway-2',
    });
  });
});

describe("route distinguishers", () => {
  it("are unique per VNI and independent of the order of the VNIs", () => {
    const vnis = fc.uniqueArray(fc.integer({ min: 1, max: 0xffffff }), { maxLength: 200 });
    fc.assert(
      fc.property(vnis, (list) => {
        const rds = routeDistinguishers("10.0.0.1", list);
        assert.equal(new Set(rds.values()).size, list.length);
        assert.deepEqual([...routeDistinguishers("10.0.0.1", [...list].reverse())], [...rds]);
      }),
    );
  });

  it("of a VNI stay when a larger one that shares its low bits comes", () => {
    const before = routeDistinguishers("10.0.0.1", [5]);
    const after = routeDistinguishers("10.0.0.1", [5, 5 + 0x10000]);
    assert.equal(after.get(5), before.get(5));
    assert.equal(after.get(5 + 0x10000), "10.0.0.1:6");
  });
});
