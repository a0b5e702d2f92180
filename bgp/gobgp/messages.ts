// TypeScript's view of gobgp.proto: the messages as the loader hands them over and takes them. `json: true` makes it pack and
// unpack google.protobuf.Any by its "@type"; an Any of a type that gobgp.proto does not list stays a type_url with bytes.

const PACKAGE = "type.googleapis.com/apipb.";

type Packed<Name extends string, Fields> = { readonly "@type": `${typeof PACKAGE}${Name}` } & Readonly<Fields>;

/** Makes a message that travels in an Any. */
export function pack<Name extends string, Fields extends object>(name: Name, fields: Fields): Packed<Name, Fields> {
  const type: `${typeof PACKAGE}${Name}` = `${PACKAGE}${name}`;
  return { "@type": type, ...fields };
}

/** An Any that gobgp.proto does not describe. */
export interface UnknownAny {
  readonly "@type"?: undefined;
  readonly type_url: string;
  readonly value: Buffer;
}

/** The message's name without its package, undefined if we do not know it. */
export function nameOf(message: { readonly "@type"?: string | undefined }): string | undefined {
  return message["@type"]?.slice(PACKAGE.length);
}

export interface Family {
  readonly afi: number;
  readonly safi: number;
}
export const IPV4_UNICAST: Family = { afi: 1, safi: 1 };
export const L2VPN_EVPN: Family = { afi: 25, safi: 70 };

export type RdMessage =
  | Packed<"RouteDistinguisherTwoOctetASN", { admin: number; assigned: number }>
  | Packed<"RouteDistinguisherIPAddress", { admin: string; assigned: number }>
  | Packed<"RouteDistinguisherFourOctetASN", { admin: number; assigned: number }>;

export interface EsiMessage {
  readonly type: number;
  readonly value: Uint8Array;
}

export type NlriMessage =
  | Packed<"IPAddressPrefix", { prefix: string; prefix_len: number }>
  | Packed<
      "EVPNEthernetAutoDiscoveryRoute",
      { rd: RdMessage; esi: EsiMessage | null; ethernet_tag: number; label: number }
    >
  | Packed<
      "EVPNMACIPAdvertisementRoute",
      {
        rd: RdMessage;
        esi: EsiMessage | null;
        ethernet_tag: number;
        mac_address: string;
        ip_address: string;
        labels: readonly number[];
      }
    >
  | Packed<"EVPNInclusiveMulticastEthernetTagRoute", { rd: RdMessage; ethernet_tag: number; ip_address: string }>
  | Packed<"EVPNEthernetSegmentRoute", { rd: RdMessage; esi: EsiMessage | null; ip_address: string }>
  | Packed<
      "EVPNIPPrefixRoute",
      {
        rd: RdMessage;
        esi: EsiMessage | null;
        ethernet_tag: number;
        ip_prefix: string;
        ip_prefix_len: number;
        gw_address: string;
        label: number;
      }
    >
  | UnknownAny;

type AsSpecific = { is_transitive: boolean; sub_type: number; asn: number; local_admin: number };

export type ExtendedCommunityMessage =
  | Packed<"TwoOctetAsSpecificExtended", AsSpecific>
  | Packed<"FourOctetAsSpecificExtended", AsSpecific>
  | Packed<
      "IPv4AddressSpecificExtended",
      { is_transitive: boolean; sub_type: number; address: string; local_admin: number }
    >
  | Packed<"EncapExtended", { tunnel_type: number }>
  | Packed<"RouterMacExtended", { mac: string }>
  | UnknownAny;

/** AsSegment.Type of an unordered set, which counts as one hop. */
export const AS_SET = 1;
export const AS_SEQUENCE = 2;

export type AttributeMessage =
  | Packed<"OriginAttribute", { origin: number }>
  | Packed<"AsPathAttribute", { segments: readonly { readonly type: number; readonly numbers: readonly number[] }[] }>
  | Packed<"NextHopAttribute", { next_hop: string }>
  | Packed<"MultiExitDiscAttribute", { med: number }>
  | Packed<"LocalPrefAttribute", { local_pref: number }>
  | Packed<"CommunitiesAttribute", { communities: readonly number[] }>
  | Packed<"MpReachNLRIAttribute", { family: Family; next_hops: readonly string[]; nlris: readonly NlriMessage[] }>
  | Packed<"ExtendedCommunitiesAttribute", { communities: readonly ExtendedCommunityMessage[] }>
  | UnknownAny;

export interface PathMessage {
  readonly nlri: NlriMessage | null;
  readonly pattrs: readonly AttributeMessage[];
  readonly is_withdraw: boolean;
  readonly family: Family | null;
  /** "<nil>" for a path that was put in through the API. */
  readonly neighbor_ip: string;
}

/** A path as we send it: gobgpd fills in the rest. */
export type OwnPathMessage = Pick<PathMessage, "nlri" | "pattrs" | "is_withdraw" | "family">;

export interface PeerMessage {
  readonly conf: { readonly neighbor_address: string; readonly peer_asn: number; readonly admin_down: boolean } | null;
  readonly state: {
    readonly neighbor_address: string;
    readonly peer_asn: number;
    readonly session_state: number;
    readonly admin_state: number;
  } | null;
  readonly timers: {
    readonly config: {
      readonly connect_retry: number;
      readonly hold_time: number;
      readonly keepalive_interval: number;
    } | null;
  } | null;
  readonly transport: { readonly local_address: string } | null;
  readonly graceful_restart: { readonly enabled: boolean; readonly restart_time: number } | null;
  readonly afi_safis: readonly {
    readonly config: { readonly family: Family | null; readonly enabled: boolean } | null;
    readonly mp_graceful_restart: { readonly config: { readonly enabled: boolean } | null } | null;
  }[];
}

export interface WatchEventMessage {
  readonly peer?: { readonly type: number; readonly peer: PeerMessage | null };
  readonly table?: { readonly paths: readonly PathMessage[] };
}

export interface PolicyAssignmentMessage {
  readonly name: string;
  readonly direction: number;
  readonly policies: readonly { readonly name: string }[];
  readonly default_action: number;
}
