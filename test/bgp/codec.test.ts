import assert from "node:assert/strict";
import fc from "fast-check";
import type { EvpnPrefixRoute } from "../../bgp/desired.ts";
import { BgpError } from "../../bgp/errors.ts";
import { decodeLearned, decodeOwn, encodeOverlay, encodeUnderlay } from "../../bgp/gobgp/paths.ts";
import { anyRoute } from "./arbitraries.ts";
import { evpnPath, leafCommunities, leafMacIp, leafPrefix, NO_ESI } from "./raw.ts";
import { type5 } from "./samples.ts";

const OWN = { neighbor_ip: "<nil>" };
const PEER = { neighbor_ip: "10.9.0.1" };

describe("GoBGP path messages", () => {
  it("give back every type-5 route that was encoded", () => {
    fc.assert(
      fc.property(anyRoute(), fc.integer({ min: 1, max: 0xffffffff }), (route, asn) => {
        assert.deepEqual(decodeOwn({ ...encodeOverlay(route, asn, false), ...OWN }, asn), { overlay: route });
      }),
    );
  });

  it("give back underlay host routes", () => {
    assert.deepEqual(decodeOwn({ ...encodeUnderlay("10.255.2.1/32", false), ...OWN }, 1), {
      underlay: "10.255.2.1/32",
    });
  });

  const wrong: [what: string, change: Partial<EvpnPrefixRoute>, message: string][] = [
    ["a VNI beyond 24 bits", { vni: 1 << 24 }, "VNI out of range 1-16777215: 16777216"],
    ["VNI 0", { vni: 0 }, "VNI out of range 1-16777215: 0"],
    ["a route target with a four-octet AS", { routeTargets: ["65536:1"] }, "route target out of range 0-65535: 65536"],
    ["a route target without a colon", { routeTargets: ["65534"] }, "not a route target: 65534"],
    ["a community beyond 16 bits", { communities: ["50001:65536"] }, "community out of range 0-65535: 65536"],
    ["a route distinguisher without a number", { rd: "10.0.0.1" }, "route distinguisher out of range 0-65535: NaN"],
    ["a prefix without length", { prefix: "10.0.0.0" }, "not a prefix: 10.0.0.0"],
    ["a prefix longer than its address", { prefix: "10.0.0.0/33" }, "prefix length out of range 0-32: 33"],
    ["a negative MED", { med: -1 }, "MED out of range 0-4294967295: -1"],
    ["an endless prepend", { prepend: 1000 }, "prepend out of range 0-64: 1000"],
  ];
  for (const [what, change, message] of wrong) {
    it(`refuse ${what}`, () => {
      assert.throws(
        () => encodeOverlay(type5("10.2.1.0/24", change), 65534, false),
        (error) => error instanceof BgpError && error.code === "invalid" && error.message === message,
      );
    });
  }

  it("decode a learned type-5 route", () => {
    assert.deepEqual(
      decodeLearned({ ...evpnPath(leafPrefix("10.1.1.0", 24, 100001), leafCommunities(100001)), ...PEER }),
      {
        peer: "10.9.0.1",
        nlri: {
          kind: "prefix",
          rd: "10.255.1.1:1",
          ethernetTag: 0,
          prefix: "10.1.1.0/24",
          gatewaySet: false,
          esiSet: false,
          label: 100001,
        },
        attributes: {
          nextHop: "10.255.1.1",
          origin: 0,
          asPath: [],
          asPathLength: 0,
          communities: [],
          routeTargetValues: [100001],
          encapsulation: 8,
          routerMac: "02:01:00:00:01:01",
        },
      },
    );
  });

  it("see a gateway IP and an ESI, of which even the type alone counts", () => {
    const esis = [
      { type: 0, value: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1) },
      { type: 3, value: NO_ESI.value },
    ];
    for (const esi of esis) {
      const route = decodeLearned({ ...evpnPath(leafPrefix("10.1.1.0", 24, 1, "10.1.1.9", esi), []), ...PEER });
      assert.ok(route?.nlri.kind === "prefix" && route.nlri.gatewaySet && route.nlri.esiSet);
    }
  });

  it("take a type-2 route without an address for what it is", () => {
    for (const none of ["", "<nil>"]) {
      const route = decodeLearned({ ...evpnPath(leafMacIp("02:AA:00:00:00:01", none, [1]), []), ...PEER });
      assert.ok(route?.nlri.kind === "mac-ip");
      assert.equal(route.nlri.ip, "");
      assert.equal(route.nlri.mac, "02:aa:00:00:00:01");
    }
  });

  it("count an AS_SET as one hop and a sequence by its length", () => {
    const path = evpnPath(leafPrefix("10.1.1.0", 24, 1), []);
    const segments = [
      { type: 2, numbers: [65100, 65101] },
      { type: 1, numbers: [1, 2, 3] },
    ];
    const asPath = { "@type": "type.googleapis.com/apipb.AsPathAttribute", segments } as const;
    const attributes = decodeLearned({ ...path, pattrs: [...path.pattrs, asPath], ...PEER })?.attributes;
    assert.deepEqual(attributes?.asPath, [65100, 65101, 1, 2, 3]);
    assert.equal(attributes.asPathLength, 3);
  });

  it("pass over routes and attributes of kinds unknown here", () => {
    const unknown = { type_url: "type.googleapis.com/apipb.FlowSpecNLRI", value: Buffer.of() };
    const path = evpnPath(leafPrefix("10.1.1.0", 24, 1), []);
    assert.equal(decodeLearned({ ...path, nlri: unknown, ...PEER }), undefined);
    assert.ok(decodeLearned({ ...path, pattrs: [...path.pattrs, unknown], ...PEER })?.attributes);
  });
});
