import assert from "node:assert/strict";
import { Destinations, deliverable } from "../../agent/plan/deliverable.ts";
import { plan } from "../../agent/plan/plan.ts";
import { buildStatus, type Knowledge } from "../../agent/status.ts";
import { fabric } from "./fabric.ts";

const thePlan = plan(fabric(), "gateway-1");
const reached = new Destinations([
  { vni: 100_001, prefix: "10.1.1.0/24" },
  { vni: 100_002, prefix: "10.2.1.0/24" },
]);
const routes = thePlan.bgp.announcements.map(({ route }) => route);

function knowledge(changes: Partial<Knowledge> = {}): Knowledge {
  return {
    gateway: "gateway-1",
    version: "1.2.3",
    pid: 42,
    startedAtMs: 1,
    manifests: { directory: "/etc/fabgate", generation: 3, valid: true, errors: [], warnings: [] },
    lastApply: { atMs: 5, durationMs: 2, ok: true, error: "", generation: 3 },
    plan: thePlan,
    deliverable: deliverable(thePlan.bgp.announcements, {
      dataplaneAttached: true,
      uplinkUp: true,
      destinations: reached,
    }),
    bgp: {
      revision: 1,
      connected: true,
      synced: true,
      peers: [{ address: "172.16.2.2", asn: 65100, state: "established", sinceMs: 7, adminDown: false }],
      overlay: [],
      underlay: [],
      vteps: [],
      announced: { underlay: [], overlay: routes },
      unusable: {},
    },
    bfdState: () => "Up",
    ribStale: false,
    uplinks: [{ name: "eth1", mode: "native" }],
    links: [{ name: "eth1", up: true, mac: "aa:00:00:00:00:01", mtu: 9100, addresses: [] }],
    flows: { flows: 2, ended: 0, mappings: 1, freed: 0, capacity: 100 },
    live: ["eth1"],
    nodeProblems: [],
    ...changes,
  };
}

const wrong = (changes: Partial<Knowledge>) =>
  buildStatus(knowledge(changes), [], 100)
    .conditions.filter((condition) => condition.status === "False")
    .map(({ type, reason }) => [type, reason]);

describe("status", () => {
  it("of a healthy gateway is serving, with every condition true", () => {
    const status = buildStatus(knowledge(), [], 100);
    assert.deepEqual(wrong({}), []);
    assert.deepEqual(status.peerings, [
      {
        peering: "vpc-1--vpc-2",
        group: "default",
        rank: 0,
        role: "serving",
        announced: 2,
        wanted: 2,
        reasons: [],
      },
    ]);
  });

  it("calls a lower-ranked gateway standby", () => {
    const second = plan(fabric(), "gateway-2");
    const announced = second.bgp.announcements.map(({ route }) => route);
    const bgp = { ...knowledge().bgp, announced: { underlay: [], overlay: announced } };
    assert.equal(buildStatus(knowledge({ plan: second, bgp }), [], 100).peerings[0]?.role, "standby");
  });

  it("says what gobgpd holds, not what was wished, and why the rest is missing", () => {
    const none = deliverable(thePlan.bgp.announcements, {
      dataplaneAttached: true,
      uplinkUp: true,
      destinations: new Destinations([{ vni: 100_001, prefix: "10.1.1.0/24" }]),
    });
    const bgp = { ...knowledge().bgp, announced: { underlay: [], overlay: routes.slice(0, 1) } };
    const status = buildStatus(knowledge({ deliverable: none, bgp }), [], 100);
    assert.equal(status.peerings[0]?.role, "partial");
    assert.deepEqual(status.peerings[0]?.reasons, ["DestinationUnknown"]);
    assert.deepEqual(wrong({ deliverable: none, bgp }), [["Announced", "DestinationUnknown"]]);
  });

  it("names the detached uplink and the link that is down", () => {
    assert.deepEqual(wrong({ uplinks: [{ name: "eth1", mode: "detached", reason: "no such device" }] }), [
      ["DataplaneAttached", "Detached"],
    ]);
    assert.deepEqual(wrong({ live: [] }), [["UplinksUp", "Down"]]);
    const message = (changes: Partial<Knowledge>) =>
      buildStatus(knowledge(changes), [], 100).conditions.find(({ type }) => type === "UplinksUp")?.message;
    assert.equal(message({ live: [] }), "eth1: BFD is down");
    assert.equal(message({ live: [], links: [] }), "eth1: no link");
  });

  it("keeps the good plan and tells the first error when manifests turn bad", () => {
    const manifests = { ...knowledge().manifests, valid: false, errors: ["a.yaml:3:1: error FG0101: bad"] };
    const condition = buildStatus(knowledge({ manifests }), [], 100).conditions[0];
    assert.equal(condition?.status, "False");
    assert.match(condition?.message ?? "", /generation 3 stays in force; first: a\.yaml:3:1/);
  });

  it("keeps a condition's transition time while its status stays", () => {
    const before = buildStatus(knowledge(), [], 100).conditions;
    const same = buildStatus(knowledge(), before, 200).conditions;
    assert.ok(same.every((condition) => condition.lastTransitionMs === 100));
    const down = buildStatus(knowledge({ live: [] }), same, 300).conditions;
    assert.equal(down.find((condition) => condition.type === "UplinksUp")?.lastTransitionMs, 300);
  });
});
