// Generators for the BGP property tests. Small alphabets where collisions make the cases.

import fc from "fast-check";
import type { BgpDesired, EvpnPrefixRoute } from "../../bgp/desired.ts";
import { type BgpHeld, routeKey } from "../../bgp/diff.ts";
import type { LearnedRoute, Nlri, PathAttributes } from "../../bgp/route.ts";

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const octet = fc.integer({ min: 0, max: 255 });
const address = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join("."));
const mac = fc
  .tuple(octet, octet, octet, octet, octet, octet)
  .map((octets) => octets.map((value) => value.toString(16).padStart(2, "0")).join(":"));
const prefix = fc.oneof(
  fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`),
  fc.tuple(u16, fc.integer({ min: 0, max: 128 })).map(([n, length]) => `2001:db8:${n.toString(16)}::/${length}`),
);
const rd = fc.oneof(
  fc.tuple(address, u16).map(([ip, n]) => `${ip}:${n}`),
  fc.tuple(u16, u32).map(([asn, n]) => `${asn}:${n}`),
  fc.tuple(fc.integer({ min: 0x10000, max: 0xffffffff }), u16).map(([asn, n]) => `${asn}:${n}`),
);
const colonPair = (second: fc.Arbitrary<number>) => fc.tuple(u16, second).map(([asn, n]) => `${asn}:${n}`);

/** Any valid route of ours. */
export function anyRoute(): fc.Arbitrary<EvpnPrefixRoute> {
  return fc.record(
    {
      rd,
      prefix,
      vni: fc.integer({ min: 1, max: 0xffffff }),
      nextHop: address,
      routerMac: mac,
      routeTargets: fc.array(colonPair(u32), { maxLength: 3 }),
      communities: fc.array(colonPair(u16), { maxLength: 3 }),
      med: u32,
      localPref: u32,
      prepend: fc.integer({ min: 1, max: 10 }),
    },
    {
      requiredKeys: ["rd", "prefix", "vni", "nextHop", "routerMac", "routeTargets", "communities"],
      noNullPrototype: true,
    },
  );
}

const fewRoutes = fc.uniqueArray(
  fc.record(
    {
      rd: fc.constantFrom("10.0.0.1:1", "10.0.0.1:2"),
      prefix: fc.constantFrom("10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"),
      vni: fc.constantFrom(1, 2),
      nextHop: fc.constant("10.255.2.1"),
      routerMac: fc.constant("02:02:00:00:00:01"),
      routeTargets: fc.shuffledSubarray(["65534:1", "65534:2"]),
      communities: fc.shuffledSubarray(["50001:0", "50001:1"]),
      med: fc.constantFrom(0, 10),
      localPref: fc.constantFrom(999, 1000),
      prepend: fc.constantFrom(0, 1),
    },
    {
      requiredKeys: ["rd", "prefix", "vni", "nextHop", "routerMac", "routeTargets", "communities"],
      noNullPrototype: true,
    },
  ),
  { selector: routeKey },
);
const fewUnderlay = fc.subarray(["10.255.2.1/32", "10.255.2.2/32", "10.255.2.3/32"]);
const global = fc.record(
  { asn: fc.constantFrom(65533, 65534), routerId: fc.constantFrom("10.255.2.1", "10.255.2.2") },
  { noNullPrototype: true },
);
const fewPeers = fc.uniqueArray(
  fc.record(
    {
      address: fc.constantFrom("10.9.0.1", "10.9.0.3"),
      asn: fc.constantFrom(65100, 65534),
      localAddress: fc.constantFrom("10.9.0.0", "10.9.0.2"),
    },
    { requiredKeys: ["address", "asn"], noNullPrototype: true },
  ),
  { selector: ({ address }) => address },
);

export function anyDesired(): fc.Arbitrary<BgpDesired> {
  return fc
    .tuple(global, fewPeers, fewUnderlay, fewRoutes)
    .map(([own, peers, underlay, overlay]) => ({ ...own, peers, underlay, overlay }));
}

/** What a gobgpd may hold: something consistent, or nothing because BGP is not started. */
export function anyHeld(): fc.Arbitrary<BgpHeld> {
  return fc.oneof(
    fc.constant<BgpHeld>({ peers: [], underlay: [], overlay: [] }),
    fc
      .tuple(global, fewPeers, fewUnderlay, fewRoutes, fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }))
      .map(([own, peers, underlay, overlay, standard]) => ({
        global: own,
        peers: peers.map((peer, n) => ({ ...peer, standard: standard[n] ?? true })),
        underlay,
        overlay,
      })),
  );
}

const nlri: fc.Arbitrary<Nlri> = fc.oneof(
  fc.record({ kind: fc.constant("unicast" as const), prefix: fc.constantFrom("10.255.1.1/32", "10.255.1.2/32") }),
  fc.record({
    kind: fc.constant("prefix" as const),
    rd: fc.constantFrom("10.255.1.1:1", "10.255.1.2:1"),
    ethernetTag: fc.constant(0),
    prefix: fc.constantFrom("10.1.0.0/24", "10.2.0.0/24"),
    gatewaySet: fc.boolean(),
    esiSet: fc.boolean(),
    label: fc.constantFrom(1, 2),
  }),
  fc.record({
    kind: fc.constant("mac-ip" as const),
    rd: fc.constant("10.255.1.1:1"),
    ethernetTag: fc.constant(0),
    mac: fc.constantFrom("02:aa:00:00:00:01", "02:aa:00:00:00:02"),
    ip: fc.constantFrom("", "10.1.0.1"),
    labels: fc.constantFrom([7], [7, 1], [1, 1]),
  }),
  fc.record({ kind: fc.constant("other-evpn" as const), key: fc.constantFrom("3|a", "3|b") }),
);

const attributes: fc.Arbitrary<PathAttributes> = fc.record(
  {
    nextHop: fc.constantFrom("10.255.1.1", "10.255.1.2", ""),
    asPath: fc.constantFrom([], [65100], [65100, 65101], [65534]),
    asPathLength: fc.constantFrom(0, 1, 2),
    origin: fc.constantFrom(0, 2),
    med: fc.constantFrom(0, 10),
    localPref: fc.constantFrom(100, 200),
    communities: fc.constantFrom([], [0xffff0000]),
    routeTargetValues: fc.subarray([1, 2, 7]),
    encapsulation: fc.constantFrom(8, 8, 10),
    routerMac: fc.constantFrom("02:01:00:00:01:01", "02:01:00:00:01:02"),
  },
  {
    requiredKeys: ["nextHop", "asPath", "asPathLength", "origin", "communities", "routeTargetValues"],
    noNullPrototype: true,
  },
);

/** Announcements and withdrawals of few neighbours about few destinations. */
export function anyLearned(): fc.Arbitrary<LearnedRoute> {
  return fc.record(
    { peer: fc.constantFrom("10.9.0.1", "10.9.0.3"), nlri, attributes },
    { requiredKeys: ["peer", "nlri"], noNullPrototype: true },
  );
}
