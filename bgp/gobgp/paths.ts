// GoBGP's path messages to and from our routes: RFC 4271 attributes, RFC 7432/9136 NLRI, RFC 4360 extended communities. Pure;
// client.ts moves the messages.

import type { EvpnPrefixRoute } from "../desired.ts";
import { BgpError } from "../errors.ts";
import { ENCAPSULATION_VXLAN } from "../evpn.ts";
import type { LearnedRoute, Nlri, PathAttributes } from "../route.ts";
import {
  AS_SEQUENCE,
  AS_SET,
  type AttributeMessage,
  type EsiMessage,
  IPV4_UNICAST,
  L2VPN_EVPN,
  type NlriMessage,
  nameOf,
  type OwnPathMessage,
  type PathMessage,
  pack,
  type RdMessage,
} from "./messages.ts";

const SUB_TYPE_ROUTE_TARGET = 2;
const ESI_ZERO: EsiMessage = { type: 0, value: new Uint8Array(9) };

/** A host route of the underlay. The next hop is left to each session: our own address on it. */
export function encodeUnderlay(prefix: string, withdraw: boolean): OwnPathMessage {
  const [address, length] = splitPrefix(prefix);
  return {
    family: IPV4_UNICAST,
    is_withdraw: withdraw,
    nlri: pack("IPAddressPrefix", { prefix: address, prefix_len: length }),
    pattrs: [pack("OriginAttribute", { origin: 0 }), pack("NextHopAttribute", { next_hop: "0.0.0.0" })],
  };
}

/**
 * A type-5 route of ours.
 *
 * @param asn our AS number, which `prepend` repeats.
 * @throws BgpError "invalid": a value that its field cannot hold. Route targets and communities are two-octet AS forms, so the
 *   number before the colon is at most 65535 (with a four-octet AS, use its low 16 bits).
 */
export function encodeOverlay(route: EvpnPrefixRoute, asn: number, withdraw: boolean): OwnPathMessage {
  const [address, length] = splitPrefix(route.prefix);
  const nlri: NlriMessage = pack("EVPNIPPrefixRoute", {
    rd: encodeRd(route.rd),
    esi: ESI_ZERO,
    ethernet_tag: 0,
    ip_prefix: address,
    ip_prefix_len: length,
    gw_address: address.includes(":") ? "::" : "0.0.0.0",
    label: within(route.vni, 1, 0xffffff, "VNI"),
  });
  const attributes: AttributeMessage[] = [
    pack("OriginAttribute", { origin: 0 }),
    pack("MpReachNLRIAttribute", { family: L2VPN_EVPN, next_hops: [route.nextHop], nlris: [nlri] }),
    pack("ExtendedCommunitiesAttribute", {
      communities: [
        ...route.routeTargets.map((target) => {
          const [targetAsn, value] = colonPair(target, 0xffff, 0xffffffff, "route target");
          const sub_type = SUB_TYPE_ROUTE_TARGET;
          return pack("TwoOctetAsSpecificExtended", {
            is_transitive: true,
            sub_type,
            asn: targetAsn,
            local_admin: value,
          });
        }),
        pack("EncapExtended", { tunnel_type: ENCAPSULATION_VXLAN }),
        pack("RouterMacExtended", { mac: route.routerMac }),
      ],
    }),
  ];
  if (route.prepend) {
    const numbers = new Array<number>(within(route.prepend, 0, 64, "prepend")).fill(asn);
    attributes.push(pack("AsPathAttribute", { segments: [{ type: AS_SEQUENCE, numbers }] }));
  }
  if (route.communities.length > 0) {
    const communities = route.communities.map((community) => {
      const [high, low] = colonPair(community, 0xffff, 0xffff, "community");
      return high * 0x10000 + low;
    });
    attributes.push(pack("CommunitiesAttribute", { communities }));
  }
  if (route.med !== undefined) {
    attributes.push(pack("MultiExitDiscAttribute", { med: within(route.med, 0, 0xffffffff, "MED") }));
  }
  if (route.localPref !== undefined) {
    const local_pref = within(route.localPref, 0, 0xffffffff, "LOCAL_PREF");
    attributes.push(pack("LocalPrefAttribute", { local_pref }));
  }
  return { family: L2VPN_EVPN, is_withdraw: withdraw, nlri, pattrs: attributes };
}

/** A route that was put into gobgpd through its API, if it is of a kind that we put there; the inverse of the encoders. */
export function decodeOwn(
  path: PathMessage,
  asn: number,
): { readonly underlay: string } | { readonly overlay: EvpnPrefixRoute } | undefined {
  const nlri = path.nlri && decodeNlri(path.nlri);
  if (!nlri) return undefined;
  if (nlri.kind === "unicast") return { underlay: nlri.prefix };
  if (nlri.kind !== "prefix") return undefined;
  const attributes = decodeAttributes(path.pattrs);
  const prepend = attributes.asPath.filter((as) => as === asn).length;
  return {
    overlay: {
      rd: nlri.rd,
      prefix: nlri.prefix,
      vni: nlri.label,
      nextHop: attributes.nextHop,
      routerMac: attributes.routerMac ?? "",
      routeTargets: routeTargets(path.pattrs),
      communities: attributes.communities.map((value) => `${value >>> 16}:${value & 0xffff}`),
      ...(attributes.med === undefined ? {} : { med: attributes.med }),
      ...(attributes.localPref === undefined ? {} : { localPref: attributes.localPref }),
      ...(prepend > 0 ? { prepend } : {}),
    },
  };
}

/** A route of a neighbour; undefined for a kind of route that nothing here is made for. */
export function decodeLearned(path: PathMessage): LearnedRoute | undefined {
  const nlri = path.nlri && decodeNlri(path.nlri);
  if (!nlri) return undefined;
  const peer = path.neighbor_ip;
  return path.is_withdraw ? { peer, nlri } : { peer, nlri, attributes: decodeAttributes(path.pattrs) };
}

function decodeNlri(nlri: NlriMessage): Nlri | undefined {
  switch (nlri["@type"]) {
    case "type.googleapis.com/apipb.IPAddressPrefix":
      return { kind: "unicast", prefix: `${nlri.prefix}/${nlri.prefix_len}` };
    case "type.googleapis.com/apipb.EVPNIPPrefixRoute":
      return {
        kind: "prefix",
        rd: decodeRd(nlri.rd),
        ethernetTag: nlri.ethernet_tag,
        prefix: `${nlri.ip_prefix}/${nlri.ip_prefix_len}`,
        gatewaySet: !["", "0.0.0.0", "::"].includes(nlri.gw_address),
        esiSet: nlri.esi !== null && (nlri.esi.type !== 0 || nlri.esi.value.some((octet) => octet !== 0)),
        label: nlri.label,
      };
    case "type.googleapis.com/apipb.EVPNMACIPAdvertisementRoute": {
      const ip = ["", "<nil>"].includes(nlri.ip_address) ? "" : nlri.ip_address;
      return {
        kind: "mac-ip",
        rd: decodeRd(nlri.rd),
        ethernetTag: nlri.ethernet_tag,
        mac: nlri.mac_address.toLowerCase(),
        ip,
        labels: nlri.labels,
      };
    }
    case "type.googleapis.com/apipb.EVPNEthernetAutoDiscoveryRoute":
      return otherEvpn("1", nlri.rd, nlri.ethernet_tag, esiText(nlri.esi));
    case "type.googleapis.com/apipb.EVPNInclusiveMulticastEthernetTagRoute":
      return otherEvpn("3", nlri.rd, nlri.ethernet_tag, nlri.ip_address);
    case "type.googleapis.com/apipb.EVPNEthernetSegmentRoute":
      return otherEvpn("4", nlri.rd, 0, `${esiText(nlri.esi)}|${nlri.ip_address}`);
    default:
      return undefined;
  }
}

function otherEvpn(routeType: string, rd: RdMessage, ethernetTag: number, rest: string): Nlri {
  return { kind: "other-evpn", key: `${routeType}|${decodeRd(rd)}|${ethernetTag}|${rest}` };
}

function esiText(esi: EsiMessage | null): string {
  return esi === null ? "" : `${esi.type}.${Buffer.from(esi.value).toString("hex")}`;
}

function decodeAttributes(attributes: readonly AttributeMessage[]): PathAttributes {
  let nextHop = "";
  let origin = 2;
  let asPath: readonly number[] = [];
  let asPathLength = 0;
  let communities: readonly number[] = [];
  const rest: { med?: number; localPref?: number; encapsulation?: number; routerMac?: string } = {};
  const routeTargetValues: number[] = [];
  for (const attribute of attributes) {
    switch (attribute["@type"]) {
      case "type.googleapis.com/apipb.OriginAttribute":
        origin = attribute.origin;
        break;
      case "type.googleapis.com/apipb.AsPathAttribute":
        asPath = attribute.segments.flatMap(({ numbers }) => numbers);
        asPathLength = attribute.segments.reduce(
          (n, { type, numbers }) => n + (type === AS_SET ? 1 : numbers.length),
          0,
        );
        break;
      case "type.googleapis.com/apipb.NextHopAttribute":
        nextHop = attribute.next_hop;
        break;
      case "type.googleapis.com/apipb.MpReachNLRIAttribute":
        nextHop = attribute.next_hops[0] ?? "";
        break;
      case "type.googleapis.com/apipb.MultiExitDiscAttribute":
        rest.med = attribute.med;
        break;
      case "type.googleapis.com/apipb.LocalPrefAttribute":
        rest.localPref = attribute.local_pref;
        break;
      case "type.googleapis.com/apipb.CommunitiesAttribute":
        communities = attribute.communities;
        break;
      case "type.googleapis.com/apipb.ExtendedCommunitiesAttribute":
        for (const community of attribute.communities) {
          switch (community["@type"]) {
            case "type.googleapis.com/apipb.TwoOctetAsSpecificExtended":
            case "type.googleapis.com/apipb.FourOctetAsSpecificExtended":
            case "type.googleapis.com/apipb.IPv4AddressSpecificExtended":
              if (community.sub_type === SUB_TYPE_ROUTE_TARGET) routeTargetValues.push(community.local_admin);
              break;
            case "type.googleapis.com/apipb.EncapExtended":
              rest.encapsulation = community.tunnel_type;
              break;
            case "type.googleapis.com/apipb.RouterMacExtended":
              rest.routerMac = community.mac.toLowerCase();
              break;
          }
        }
        break;
    }
  }
  return { nextHop, origin, asPath, asPathLength, communities, routeTargetValues, ...rest };
}

function routeTargets(attributes: readonly AttributeMessage[]): string[] {
  const targets: string[] = [];
  for (const attribute of attributes) {
    if (attribute["@type"] !== "type.googleapis.com/apipb.ExtendedCommunitiesAttribute") continue;
    for (const community of attribute.communities) {
      if (community["@type"] !== "type.googleapis.com/apipb.TwoOctetAsSpecificExtended") continue;
      if (community.sub_type === SUB_TYPE_ROUTE_TARGET) targets.push(`${community.asn}:${community.local_admin}`);
    }
  }
  return targets;
}

/** "address:n" (type 1), "asn:n" with a two-octet AS (type 0) or a four-octet one (type 2): RFC 4364 section 4.2. */
export function encodeRd(rd: string): RdMessage {
  const colon = rd.lastIndexOf(":");
  const admin = rd.slice(0, colon);
  if (admin.includes(".")) {
    const assigned = within(Number(rd.slice(colon + 1)), 0, 0xffff, "route distinguisher");
    return pack("RouteDistinguisherIPAddress", { admin, assigned });
  }
  const [asn, assigned] = colonPair(rd, 0xffffffff, 0xffffffff, "route distinguisher");
  if (asn <= 0xffff) return pack("RouteDistinguisherTwoOctetASN", { admin: asn, assigned });
  within(assigned, 0, 0xffff, "route distinguisher");
  return pack("RouteDistinguisherFourOctetASN", { admin: asn, assigned });
}

function decodeRd(rd: RdMessage): string {
  return nameOf(rd) === undefined ? "" : `${rd.admin}:${rd.assigned}`;
}

function splitPrefix(prefix: string): [address: string, length: number] {
  const slash = prefix.lastIndexOf("/");
  const address = prefix.slice(0, slash);
  const length = prefix.slice(slash + 1);
  if (slash < 1 || !/^\d{1,3}$/.test(length)) throw new BgpError("invalid", `not a prefix: ${prefix}`);
  return [address, within(Number(length), 0, address.includes(":") ? 128 : 32, "prefix length")];
}

function colonPair(text: string, firstMax: number, secondMax: number, what: string): [number, number] {
  const match = /^(\d+):(\d+)$/.exec(text);
  if (!match) throw new BgpError("invalid", `not a ${what}: ${text}`);
  return [within(Number(match[1]), 0, firstMax, what), within(Number(match[2]), 0, secondMax, what)];
}

function within(value: number, low: number, high: number, what: string): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new BgpError("invalid", `${what} out of range ${low}-${high}: ${value}`);
}
