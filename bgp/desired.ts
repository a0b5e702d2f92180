// What the agent wants gobgpd to hold, and what it learns from it. Contract between agent/plan and bgp/gobgp:
// plain values, no clock, no socket. Addresses and prefixes are canonical text; MACs lower case with colons.

export interface BgpDesired {
  readonly asn: number;
  readonly routerId: string;
  readonly peers: readonly BgpPeer[];
  /** Host routes of the underlay (VTEP, protocolIP) as "10.255.2.1/32": announced before, withdrawn after, every overlay route. */
  readonly underlay: readonly string[];
  /** Type-5 routes, anchors among them. Key: (rd, prefix). */
  readonly overlay: readonly EvpnPrefixRoute[];
}

export interface BgpPeer {
  readonly address: string;
  readonly asn: number;
  /** Local address of the session; undefined: the kernel chooses. */
  readonly localAddress?: string;
}

/** An EVPN type-5 route (RFC 9136, interface-less IP-VRF-to-IP-VRF) that we originate. */
export interface EvpnPrefixRoute {
  /** "protocolIP:n". */
  readonly rd: string;
  readonly prefix: string;
  /** L3 VNI, all 24 bits of the label. */
  readonly vni: number;
  /** VTEP. */
  readonly nextHop: string;
  readonly routerMac: string;
  /** "asn:value", two-octet AS form. */
  readonly routeTargets: readonly string[];
  /** "asn:value". */
  readonly communities: readonly string[];
  readonly med?: number;
  /** Reaches iBGP sessions only. */
  readonly localPref?: number;
  /** Times our AS is prepended beyond the usual one. */
  readonly prepend?: number;
}

/** One path to an inner prefix, learned from a type-5 route or a type-2 route with IP and L3 VNI (as a host route). */
export interface OverlayPath {
  readonly vni: number;
  readonly prefix: string;
  /** Remote VTEP. */
  readonly vtep: string;
  readonly routerMac: string;
  readonly rd: string;
  readonly peer: string;
}

/** One underlay prefix with its usable next hops: equal-cost paths over different neighbours. */
export interface UnderlayRoute {
  readonly prefix: string;
  readonly nextHops: readonly string[];
}

export interface PeerState {
  readonly address: string;
  readonly asn: number;
  /** FSM state as RFC 4271 names it, lower case: idle, connect, active, opensent, openconfirm, established. */
  readonly state: string;
  /** Milliseconds since the epoch at which this state was first seen. */
  readonly sinceMs: number;
  readonly adminDown: boolean;
}

/** What is known from gobgpd at one moment. `revision` grows with every change of anything in it. */
export interface BgpSnapshot {
  readonly revision: number;
  readonly connected: boolean;
  /** The initial dump of the tables has been read since the connection came up. */
  readonly synced: boolean;
  readonly peers: readonly PeerState[];
  readonly overlay: readonly OverlayPath[];
  readonly underlay: readonly UnderlayRoute[];
  /** Next hops of every EVPN route of any type that was learned: the VTEPs that the fabric announces. */
  readonly vteps: readonly string[];
  /** What gobgpd held of ours when it was last asked or told. */
  readonly announced: { readonly underlay: readonly string[]; readonly overlay: readonly EvpnPrefixRoute[] };
  /** Routes received and not used, by reason (no router MAC, ESI and gateway IP both set, …). */
  readonly unusable: Readonly<Record<string, number>>;
}
