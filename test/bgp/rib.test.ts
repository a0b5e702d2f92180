import assert from "node:assert/strict";
import fc from "fast-check";
import { Rib } from "../../bgp/rib.ts";
import { type LearnedRoute, type Nlri, nlriKey, type PathAttributes } from "../../bgp/route.ts";
import { anyLearned } from "./arbitraries.ts";

const ASN = 65534;
const SPINE_1 = "10.9.0.1";
const SPINE_2 = "10.9.0.3";
const VTEP = "10.255.1.1";

const ATTRIBUTES: PathAttributes = {
  nextHop: VTEP,
  asPath: [65100, 65101],
  asPathLength: 2,
  origin: 0,
  communities: [],
  routeTargetValues: [100001],
  encapsulation: 8,
  routerMac: "02:01:00:00:01:01",
};
const PREFIX = {
  kind: "prefix",
  rd: "10.255.1.1:1",
  ethernetTag: 0,
  prefix: "10.1.1.0/24",
  gatewaySet: false,
  esiSet: false,
  label: 100001,
} as const;
const HOST = { kind: "mac-ip", rd: PREFIX.rd, ethernetTag: 0, mac: "02:aa:00:00:00:01", ip: "10.1.1.5" } as const;

function ribOf(...routes: LearnedRoute[]): Rib {
  const rib = new Rib(ASN);
  for (const route of routes) rib.update(route);
  return rib;
}

function type5From(peer: string, nlri: Partial<Nlri & { kind: "prefix" }> = {}, changes: Partial<PathAttributes> = {}) {
  return { peer, nlri: { ...PREFIX, ...nlri }, attributes: { ...ATTRIBUTES, ...changes } };
}

function underlayFrom(peer: string, changes: Partial<PathAttributes> = {}): LearnedRoute {
  const attributes = { ...ATTRIBUTES, nextHop: peer, ...changes };
  return { peer, nlri: { kind: "unicast", prefix: "10.255.1.1/32" }, attributes };
}

function without<K extends keyof PathAttributes>(name: K): Omit<PathAttributes, K> {
  const { [name]: _, ...rest } = ATTRIBUTES;
  return rest;
}

describe("RIB", () => {
  it("makes a path of a type-5 route, in the VPC that its route target names", () => {
    assert.deepEqual(ribOf(type5From(SPINE_1)).overlay(), [
      {
        vni: 100001,
        prefix: "10.1.1.0/24",
        vtep: VTEP,
        routerMac: "02:01:00:00:01:01",
        rd: "10.255.1.1:1",
        peer: SPINE_1,
      },
    ]);
  });

  it("imports into every VPC whose VNI is a route target's value", () => {
    const rib = ribOf(type5From(SPINE_1, {}, { routeTargetValues: [100001, 100002, 100001] }));
    assert.deepEqual(
      rib.overlay().map(({ vni }) => vni),
      [100001, 100002],
    );
  });

  it("makes a host route of a type-2 route with IP and L3 VNI, in the L3 VNI alone", () => {
    const attributes = { ...ATTRIBUTES, routeTargetValues: [10010, 100001] };
    const rib = ribOf({ peer: SPINE_1, nlri: { ...HOST, labels: [10010, 100001] }, attributes });
    assert.deepEqual(
      rib.overlay().map(({ vni, prefix }) => [vni, prefix]),
      [[100001, "10.1.1.5/32"]],
    );
  });

  it("makes nothing of a type-2 route without an IP or an L3 VNI, and does not complain", () => {
    const rib = ribOf(
      { peer: SPINE_1, nlri: { ...HOST, ip: "", labels: [10010, 100001] }, attributes: ATTRIBUTES },
      { peer: SPINE_1, nlri: { ...HOST, labels: [10010] }, attributes: without("routerMac") },
    );
    assert.deepEqual(rib.overlay(), []);
    assert.deepEqual(rib.unusable(), {});
    assert.deepEqual(rib.vteps(), [VTEP]);
  });

  const unusable: [what: string, reason: string, route: LearnedRoute][] = [
    ["ESI and gateway IP", "esi-and-gateway-ip", type5From(SPINE_1, { esiSet: true, gatewaySet: true })],
    ["a gateway IP", "gateway-ip", type5From(SPINE_1, { gatewaySet: true })],
    ["an ESI", "esi", type5From(SPINE_1, { esiSet: true })],
    ["no router MAC", "no-router-mac", { ...type5From(SPINE_1), attributes: without("routerMac") }],
    ["no route target", "no-route-target", type5From(SPINE_1, {}, { routeTargetValues: [] })],
    ["another encapsulation", "encapsulation", type5From(SPINE_1, {}, { encapsulation: 10 })],
    ["no next hop", "no-next-hop", type5From(SPINE_1, {}, { nextHop: "" })],
    ["our own AS in its path", "as-loop", type5From(SPINE_1, {}, { asPath: [65100, ASN] })],
  ];
  for (const [what, reason, route] of unusable) {
    it(`does not use a type-5 route with ${what}, counts it, and forgets it with the route`, () => {
      const rib = ribOf(type5From(SPINE_1), route);
      assert.deepEqual(rib.overlay(), []);
      assert.deepEqual(rib.unusable(), { [reason]: 1 });
      rib.update({ peer: SPINE_1, nlri: route.nlri });
      assert.deepEqual(rib.unusable(), {});
    });
  }

  it("takes a route without the Encapsulation community for VXLAN", () => {
    assert.equal(ribOf({ ...type5From(SPINE_1), attributes: without("encapsulation") }).overlay().length, 1);
  });

  it("uses every equal path to an underlay prefix, and only those", () => {
    const third = "10.9.0.5";
    const rib = ribOf(
      underlayFrom(SPINE_2),
      underlayFrom(SPINE_1),
      underlayFrom(third, { asPath: [65100, 65109, 65101], asPathLength: 3 }),
    );
    assert.deepEqual(rib.underlay(), [{ prefix: "10.255.1.1/32", nextHops: [SPINE_1, SPINE_2] }]);
  });

  it("loses a neighbour's paths at once when it is dropped, and falls back to the next best", () => {
    const rib = ribOf(underlayFrom(SPINE_1), underlayFrom(SPINE_2, { asPathLength: 3 }), type5From(SPINE_1));
    assert.deepEqual(rib.underlay()[0]?.nextHops, [SPINE_1]);
    assert.equal(rib.dropPeer(SPINE_1), true);
    assert.deepEqual(rib.underlay()[0]?.nextHops, [SPINE_2]);
    assert.deepEqual(rib.overlay(), []);
    assert.deepEqual(rib.vteps(), []);
    assert.equal(rib.dropPeer(SPINE_1), false);
  });

  const preferences: [what: string, better: Partial<PathAttributes>, worse: Partial<PathAttributes>][] = [
    ["higher LOCAL_PREF over a shorter AS path", { localPref: 200 }, { asPathLength: 1 }],
    ["a path that is not being shut down", { asPathLength: 9 }, { communities: [0xffff0000], localPref: 200 }],
    ["a shorter AS path over a lower origin", { asPathLength: 1, origin: 2 }, { asPathLength: 2 }],
    ["a lower origin over a lower MED", { origin: 0, med: 5 }, { origin: 2 }],
    ["a lower MED of the same AS", { med: 5 }, { med: 6 }],
    ["a missing MED, which is 0", {}, { med: 1 }],
  ];
  for (const [what, better, worse] of preferences) {
    it(`prefers ${what}`, () => {
      assert.deepEqual(ribOf(underlayFrom(SPINE_1, worse), underlayFrom(SPINE_2, better)).underlay()[0]?.nextHops, [
        SPINE_2,
      ]);
    });
  }

  it("does not compare the MED of different ASes", () => {
    const rib = ribOf(underlayFrom(SPINE_1, { med: 1 }), underlayFrom(SPINE_2, { asPath: [65200, 65101], med: 2 }));
    assert.deepEqual(rib.underlay()[0]?.nextHops, [SPINE_1, SPINE_2]);
  });

  it("keeps equal paths of different route distinguishers side by side", () => {
    const rib = ribOf(type5From(SPINE_1), type5From(SPINE_1, { rd: "10.255.1.2:1" }, { nextHop: "10.255.1.2" }));
    assert.deepEqual(
      rib.overlay().map(({ vtep }) => vtep),
      [VTEP, "10.255.1.2"],
    );
    assert.deepEqual(rib.vteps(), [VTEP, "10.255.1.2"]);
  });

  it("replaces a route that is announced again, and says whether a withdrawal changed anything", () => {
    const rib = ribOf(type5From(SPINE_1), type5From(SPINE_1, {}, { nextHop: "10.255.1.9" }));
    assert.deepEqual(rib.vteps(), ["10.255.1.9"]);
    assert.equal(rib.update({ peer: SPINE_1, nlri: PREFIX }), true);
    assert.equal(rib.update({ peer: SPINE_1, nlri: PREFIX }), false);
    assert.equal(rib.update({ peer: SPINE_2, nlri: PREFIX }), false);
  });

  it("is, after any history, what the surviving routes alone would make it", () => {
    const event = fc.oneof(
      { weight: 9, arbitrary: anyLearned() },
      { weight: 1, arbitrary: fc.constantFrom(SPINE_1, SPINE_2) },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const rib = new Rib(ASN);
        const alive = new Map<string, LearnedRoute>();
        for (const happened of events) {
          // Reading in between must not disturb: selections are cached.
          rib.overlay();
          rib.underlay();
          if (typeof happened === "string") {
            rib.dropPeer(happened);
            for (const [key, { peer }] of alive) if (peer === happened) alive.delete(key);
          } else {
            rib.update(happened);
            const key = `${happened.peer}|${nlriKey(happened.nlri)}`;
            if (happened.attributes) alive.set(key, happened);
            else alive.delete(key);
          }
        }
        assert.deepEqual(contents(rib), contents(ribOf(...alive.values())));
      }),
    );
  });
});

function contents(rib: Rib) {
  return {
    overlay: rib
      .overlay()
      .map((path) => JSON.stringify(path))
      .sort(),
    underlay: rib
      .underlay()
      .map((route) => JSON.stringify(route))
      .sort(),
    vteps: rib.vteps(),
    unusable: rib.unusable(),
  };
}
