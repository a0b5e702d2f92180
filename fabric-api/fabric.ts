// The resolved fabric: what the manifests say once they are parsed, defaulted, validated and cross-referenced.
// Everything downstream (agent/plan, the CLI) reads this and nothing else of the manifests. Deeply read-only;
// lists are in a canonical order (byte order of names), so equal manifests give equal fabrics.

/** IPv4 or IPv6 prefix in canonical text form, host bits zero: "10.1.0.0/24". */
export type Prefix = string;

export interface Fabric {
  readonly gateways: readonly Gateway[];
  /** Every group named by a manifest, and always `default`. */
  readonly groups: readonly Group[];
  /** VPCs and externals that have a VNI; an external's name is "ext.NAME". */
  readonly vpcs: readonly Vpc[];
  readonly peerings: readonly Peering[];
}

/** A `Gateway` with defaults filled in. */
export interface Gateway {
  readonly name: string;
  readonly asn: number;
  /** Loopback address and BGP router id, without prefix length. */
  readonly protocolIp: string;
  /** VXLAN tunnel end point, without prefix length. */
  readonly vtepIp: string;
  /** EVPN router MAC, lower case, colons. */
  readonly vtepMac: string;
  /** Largest inner IP packet in bytes; by default the smallest uplink MTU − 50. Undefined if an uplink declares none. */
  readonly vtepMtu?: number;
  readonly interfaces: readonly GatewayInterface[];
  readonly neighbors: readonly GatewayNeighbor[];
  readonly flowTableCapacity: number;
}

export interface GatewayInterface {
  /** Key in the manifest's map. */
  readonly name: string;
  /** Name of the kernel's interface: `kernel` of the manifest, else the key. */
  readonly kernel: string;
  readonly pci?: string;
  /** Addresses with prefix length, as they are put on the interface (host bits kept). */
  readonly ips: readonly string[];
  readonly mtu?: number;
}

export interface GatewayNeighbor {
  readonly ip: string;
  readonly asn: number;
  /** Name (key) of one of the gateway's interfaces. */
  readonly source?: string;
}

/** A group with its members ranked: priority descending, then name ascending in byte order. Index = rank. */
export interface Group {
  readonly name: string;
  readonly members: readonly GroupMember[];
}

export interface GroupMember {
  readonly gateway: string;
  readonly priority: number;
}

export interface Vpc {
  readonly name: string;
  /** 1…16777215, unique. */
  readonly vni: number;
  readonly external: boolean;
  readonly subnets: readonly { readonly name: string; readonly cidr: Prefix }[];
}

export interface Peering {
  /** metadata.name, or "namespace/name" outside the namespace `default`. Unique. */
  readonly id: string;
  readonly group: string;
  /** In byte order of the VPC names. */
  readonly sides: readonly [PeeringSide, PeeringSide];
  /** Absent: everything that is exposed is allowed. */
  readonly acl?: Acl;
}

export interface PeeringSide {
  /** Name of a Vpc of this fabric. */
  readonly vpc: string;
  readonly exposes: readonly Expose[];
}

/** One expose block: the default destination, or the effective prefixes of `ips` (what `not` leaves over). */
export type Expose =
  | { readonly kind: "default" }
  | {
      readonly kind: "prefixes";
      /** The hosts' own addresses. As written, except where `not` forces a split; no aggregation. One address family. */
      readonly prefixes: readonly Prefix[];
      /** Absent: the other side sees `prefixes` as they are. */
      readonly nat?: Nat;
    };

/** How `prefixes` appear to the other side; `public` is what is announced there, as written except for exclusions. */
export type Nat = StaticNat | Masquerade | PortForward;

/** Stateless, one to one. */
export interface StaticNat {
  readonly kind: "static";
  readonly public: readonly Prefix[];
  /** Stretches of equal size: the n-th address of one is the n-th of the other. Disjoint, together all addresses of both lists. */
  readonly pairs: readonly { readonly private: AddressRange; readonly public: AddressRange }[];
}

/** Stateful source NAT: only this side initiates. */
export interface Masquerade {
  readonly kind: "masquerade";
  readonly public: readonly Prefix[];
  readonly timeouts: FlowTimeouts;
}

/** Stateful destination NAT: only the other side initiates. One private and one public prefix of equal size. */
export interface PortForward {
  readonly kind: "port-forward";
  readonly public: readonly Prefix[];
  readonly timeouts: FlowTimeouts;
  readonly rules: readonly ForwardedPorts[];
}

/** The n-th public port of a protocol is the n-th private one; ranges of equal size. */
export interface ForwardedPorts {
  readonly protocols: readonly ("tcp" | "udp")[];
  readonly private: PortRange;
  readonly public: PortRange;
}

/** Addresses `first`…`last`, both included, in canonical text without prefix length. */
export interface AddressRange {
  readonly first: string;
  readonly last: string;
}

/** Ports `first`…`last`, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** After how many milliseconds without a packet a flow ends. */
export interface FlowTimeouts {
  readonly tcpEstablishedMs: number;
  readonly tcpTransitoryMs: number;
  readonly udpMs: number;
  readonly icmpMs: number;
}

/** What of the exposed traffic is allowed. Rules see packets before NAT; the first match decides. */
export interface Acl {
  /** What becomes of traffic that no rule matches: as exposed, or dropped. */
  readonly default: "deny-unless-exposed" | "deny";
  readonly rules: readonly AclRule[];
}

export interface AclRule {
  readonly name?: string;
  /** Side whose hosts send the packet, and the other one. Names of Vpcs. */
  readonly from: string;
  readonly to: string;
  readonly action: "allow" | "deny";
  /** Any of them matches; empty: any source. Addresses of hosts of `from`. */
  readonly src: readonly AclEndpoint[];
  /** Any of them matches; empty: any destination. Addresses as `to` announces them. */
  readonly dst: readonly AclEndpoint[];
  /** IP protocol numbers; absent: any. `icmp` is 1 and 58. */
  readonly protocols?: readonly number[];
  /** flow: replies are admitted through the flow table; packet: stateless. */
  readonly scope: "flow" | "packet";
  readonly log: boolean;
}

export interface AclEndpoint {
  /** Clipped to what is exposed; absent: any exposed address. */
  readonly prefixes?: readonly Prefix[];
  /** Absent: any, also for protocols without ports. */
  readonly ports?: PortRange;
}
