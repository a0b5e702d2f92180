// Values that the BGP tests share.

import type { BgpDesired, EvpnPrefixRoute } from "../../bgp/desired.ts";
import type { BgpLog } from "../../bgp/log.ts";

export const SILENT: BgpLog = { debug() {}, info() {}, warn() {}, error() {} };

/** A type-5 route of the gateway 10.255.2.1 with every attribute that a serving gateway sets. */
export function type5(prefix: string, changes: Partial<EvpnPrefixRoute> = {}): EvpnPrefixRoute {
  return {
    rd: "10.255.2.1:1",
    prefix,
    vni: 100001,
    nextHop: "10.255.2.1",
    routerMac: "02:02:00:00:00:01",
    routeTargets: ["65534:100001"],
    communities: ["50001:0"],
    med: 10,
    localPref: 999,
    ...changes,
  };
}

/** An anchor: no community, MED or LOCAL_PREF, ever. */
export function anchor(prefix: string): EvpnPrefixRoute {
  const { med, localPref, ...route } = type5(prefix, { communities: [] });
  return route;
}

/** What a gateway wants towards the neighbour 10.9.0.1. */
export function gateway(changes: Partial<BgpDesired> = {}): BgpDesired {
  return {
    asn: 65534,
    routerId: "10.255.2.1",
    peers: [{ address: "10.9.0.1", asn: 65100, localAddress: "10.9.0.0" }],
    underlay: ["10.255.2.1/32"],
    overlay: [anchor("192.0.2.1/32"), type5("10.2.1.0/24")],
    ...changes,
  };
}

/** The same from the other end: a neighbour of AS 65100 with nothing to announce. */
export function neighbor(changes: Partial<BgpDesired> = {}): BgpDesired {
  return {
    asn: 65100,
    routerId: "10.255.0.1",
    peers: [{ address: "10.9.0.0", asn: 65534, localAddress: "10.9.0.1" }],
    underlay: [],
    overlay: [],
    ...changes,
  };
}
