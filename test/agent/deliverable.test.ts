import assert from "node:assert/strict";
import { Destinations, deliverable } from "../../agent/plan/deliverable.ts";
import { plan } from "../../agent/plan/plan.ts";
import { fabric } from "./fabric.ts";

const announcements = plan(fabric(), "gateway-1").bgp.announcements;
const everywhere = new Destinations([
  { vni: 100_001, prefix: "10.1.1.0/24" },
  { vni: 100_002, prefix: "10.2.1.7/32" },
]);
const healthy = { dataplaneAttached: true, uplinkUp: true, destinations: everywhere };

describe("deliverable", () => {
  it("announces everything that can be reached", () => {
    assert.deepEqual(deliverable(announcements, healthy), { announce: announcements, withheld: [] });
  });

  it("withholds only the routes whose destination nobody announces", () => {
    const oneSided = new Destinations([{ vni: 100_001, prefix: "10.1.1.0/24" }]);
    const result = deliverable(announcements, { ...healthy, destinations: oneSided });
    assert.deepEqual(
      result.announce.map(({ destination }) => destination.vpc),
      ["vpc-1"],
    );
    assert.deepEqual(
      result.withheld.map(({ announcement, reason }) => [announcement.destination.vpc, reason]),
      [["vpc-2", "DestinationUnknown"]],
    );
    assert.equal(result.closed, undefined);
  });

  it("asks for the hosts' own prefixes, not for the announced ones, where there is NAT", () => {
    const [first] = announcements;
    assert.ok(first);
    const translated = {
      ...first,
      route: { ...first.route, prefix: "192.0.2.0/24" },
      destination: { ...first.destination, prefixes: ["10.99.0.0/16", "10.1.1.0/24"] },
    };
    assert.deepEqual(deliverable([translated], healthy).announce, [translated]);
    const elsewhere = { ...translated, destination: { ...first.destination, prefixes: ["10.99.0.0/16"] } };
    assert.equal(deliverable([elsewhere], healthy).withheld[0]?.reason, "DestinationUnknown");
  });

  for (const [field, reason] of [
    ["dataplaneAttached", "DataplaneDetached"],
    ["uplinkUp", "NoUplink"],
  ] as const) {
    it(`announces nothing, anchors included, for ${reason}`, () => {
      const result = deliverable(announcements, { ...healthy, [field]: false });
      assert.deepEqual(result.announce, []);
      assert.equal(result.closed, reason);
      assert.ok(result.withheld.every((entry) => entry.reason === reason));
      assert.equal(result.withheld.length, announcements.length);
    });
  }
});

describe("destinations", () => {
  const known = new Destinations([
    { vni: 1, prefix: "10.0.0.0/25" },
    { vni: 1, prefix: "10.0.0.128/25" },
    { vni: 1, prefix: "10.9.0.5/32" },
    { vni: 2, prefix: "10.5.0.0/16" },
  ]);
  for (const [vni, prefix, reached] of [
    [1, "10.0.0.0/24", true],
    [1, "10.0.0.77/32", true],
    [1, "10.9.0.0/24", true],
    [1, "10.9.0.6/32", false],
    [1, "0.0.0.0/0", true],
    [1, "10.5.0.0/16", false],
    [2, "10.5.3.0/24", true],
    [3, "0.0.0.0/0", false],
  ] as const) {
    it(`${reached ? "reach" : "do not reach"} ${prefix} in VNI ${vni}`, () => {
      assert.equal(known.reaches(vni, prefix), reached);
    });
  }
});
