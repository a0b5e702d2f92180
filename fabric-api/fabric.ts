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
      /** As written, except where `not` forces a split; no aggregation. */
      readonly prefixes: readonly Prefix[];
    };
