// What the agent wants the XDP dataplane to do, and what the dataplane reports. Contract between agent/plan and
// dataplane/: plain values. Addresses and prefixes are canonical text; MACs lower case with colons.

export interface DataplaneDesired {
  readonly vtep: { readonly ip: string; readonly mac: string };
  /** Kernel interface names that the XDP program is attached to. */
  readonly uplinks: readonly string[];
  readonly policy: DataplanePolicy;
  /** Per VPC, from the BGP RIB. */
  readonly routes: readonly DataplaneRoute[];
  /** How to reach each remote VTEP through the underlay. A VTEP that is missing here is unreachable. */
  readonly tunnels: readonly DataplaneTunnel[];
  /** Outer source addresses that are accepted: VTEPs the fabric announces. */
  readonly sourceVteps: readonly string[];
  /** Flows that peerings with state may have at once; 1 048 576 by default. A change ends the flows there are. */
  readonly flowTableCapacity?: number;
}

export interface DataplanePolicy {
  readonly vpcs: readonly { readonly name: string; readonly vni: number }[];
  readonly peerings: readonly DataplanePeering[];
}

/** A peering this gateway carries traffic for. */
export interface DataplanePeering {
  readonly id: string;
  readonly sides: readonly [DataplaneSide, DataplaneSide];
  /** Which of `count` equal parts of the ports masquerade draws from here, so that no two gateways of a group give out the same. All by default. */
  readonly portSlice?: { readonly index: number; readonly count: number };
  /** None: what is exposed is allowed. */
  readonly acl?: DataplaneAcl;
}

export interface DataplaneAcl {
  /** Of what no rule matches: denied, or allowed where both sides are exposed. */
  readonly default: "deny" | "deny-unless-exposed";
  /** The first that matches a packet before NAT decides. */
  readonly rules: readonly DataplaneAclRule[];
}

export interface DataplaneAclRule {
  /** VPC of the side that the packets come from. */
  readonly from: string;
  readonly action: "allow" | "deny";
  /** Any of these; empty: any. Ports are for TCP and UDP. */
  readonly src: readonly AclEndpoint[];
  readonly dst: readonly AclEndpoint[];
  /** Any of these numbers; undefined: any, or TCP and UDP where there are ports. */
  readonly protocols?: readonly number[];
  /** flow: what is allowed begins a flow, which lets its replies through unless a rule denies them. packet: this packet alone. */
  readonly scope: "flow" | "packet";
}

export interface AclEndpoint {
  readonly prefixes?: readonly string[];
  readonly ports?: PortRange;
}

/** Both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface DataplaneSide {
  readonly vpc: string;
  /** This side is also the destination of what matches no other prefix exposed to the other side's VPC. */
  readonly default: boolean;
  /** Exposed as they are. */
  readonly prefixes: readonly string[];
  /** Exposed under other addresses. */
  readonly translated?: readonly DataplaneTranslation[];
}

/** An expose block with NAT. The order of the prefixes is that in which their addresses are counted; exclusions are taken out already. */
export interface DataplaneTranslation {
  /** The addresses in the side's own VPC. */
  readonly prefixes: readonly string[];
  readonly nat: DataplaneNat;
}

/** `public`: the addresses that the other side sees. `timeouts`: those of the RFCs by default. */
export type DataplaneNat =
  | {
      /** The n-th address of `prefixes` is the n-th of `public`: equal numbers of addresses. No flow entries. */
      readonly kind: "static";
      readonly public: readonly string[];
    }
  | {
      /** Only this side begins flows. */
      readonly kind: "masquerade";
      readonly public: readonly string[];
      readonly timeouts?: FlowTimeouts;
    }
  | {
      /** Only the other side begins flows. One prefix on each side, of the same length. May share addresses with masquerade. */
      readonly kind: "port-forward";
      readonly public: readonly string[];
      readonly timeouts?: FlowTimeouts;
      readonly rules: readonly ForwardedPorts[];
    };

/** The n-th public port is the n-th private one. */
export interface ForwardedPorts {
  readonly protocols: readonly ("tcp" | "udp")[];
  readonly private: PortRange;
  readonly public: PortRange;
}

/** After how many milliseconds without a packet a flow ends. TCP that is not established: after 4 min. */
export interface FlowTimeouts {
  readonly tcpEstablishedMs: number;
  readonly udpMs: number;
  readonly icmpMs: number;
}

export interface DataplaneRoute {
  /** VNI of the destination VPC: the table the route is in. */
  readonly vni: number;
  readonly prefix: string;
  /** One or more equal paths, chosen by flow hash. */
  readonly paths: readonly { readonly vtep: string; readonly vni: number; readonly routerMac: string }[];
}

export interface DataplaneTunnel {
  readonly vtep: string;
  /** Largest outer IP packet in bytes on this way. */
  readonly mtu: number;
  /** One or more equal paths, chosen by flow hash. */
  readonly paths: readonly { readonly uplink: string; readonly sourceMac: string; readonly nextHopMac: string }[];
}

export interface PacketCount {
  readonly packets: number;
  readonly bytes: number;
}

/** Counters of one direction of a peering. in = out + sum(drops). */
export interface DirectionCounters {
  readonly peering: string;
  readonly from: string;
  readonly to: string;
  readonly in: PacketCount;
  readonly out: PacketCount;
  /** Reasons with a count above zero. */
  readonly drops: Readonly<Record<string, number>>;
}

export interface DataplaneCounters {
  readonly directions: readonly DirectionCounters[];
  /** VXLAN to our VTEP that was dropped before a peering was known, by reason. */
  readonly unattributedDrops: Readonly<Record<string, number>>;
  /** Packets that were not ours and went on to the kernel. */
  readonly passed: number;
}

/** What an ageing run found and did. */
export interface AgeReport {
  /** Flows that live on. */
  readonly flows: number;
  readonly ended: number;
  /** Inside endpoints that are masqueraded, those that rest included. */
  readonly mappings: number;
  readonly freed: number;
  readonly capacity: number;
}

export interface UplinkStatus {
  readonly name: string;
  /** detached: the program does not run there, `reason` says why. */
  readonly mode: "native" | "generic" | "detached";
  readonly reason?: string;
}
