// What a gateway announces for its peerings, and with which preference signals (design.md, "Choosing who serves").
// A peering is announced both ways: what one side exposes goes into the other side's VPC as EVPN type-5 routes.

import type { EvpnPrefixRoute } from "../../bgp/desired.ts";
import type { Expose, Gateway, Peering, PeeringSide } from "../../fabric-api/fabric.ts";
import { Memo } from "../../fabric-api/memo.ts";
import { hostPrefix } from "./prefix.ts";

/** First half of the community `50001:rank` by which the fabric's leaves prefer a gateway. */
export const DEFAULT_COMMUNITY_ASN = 50001;

export interface SignalOptions {
  /** Default DEFAULT_COMMUNITY_ASN. */
  readonly communityAsn?: number;
  /** Prepend our AS once per rank, where the fabric can set no policy. Default false. */
  readonly prepend?: boolean;
}

/** A route with the peering that needs it and where its traffic goes. */
export interface Announcement {
  readonly peering: string;
  readonly rank: number;
  /** VPC that receives the route. */
  readonly into: string;
  /**
   * Where the traffic goes: VPC, its VNI, and the hosts' own prefixes behind the announced one, which differ from it where there is
   * NAT. One of them must be known there before the route is announced.
   */
  readonly destination: { readonly vpc: string; readonly vni: number; readonly prefixes: readonly string[] };
  readonly route: EvpnPrefixRoute;
}

export interface AnnouncementContext {
  readonly gateway: Gateway;
  readonly vnis: ReadonlyMap<string, number>;
  readonly rds: ReadonlyMap<number, string>;
  readonly options: SignalOptions;
}

/** All announcements in canonical order; a route that two peerings need is announced once, at the better rank. */
export function announcementsOf(
  context: AnnouncementContext,
  peerings: readonly { readonly peering: Peering; readonly rank: number }[],
): Announcement[] {
  const byKey = new Map<string, Announcement>();
  for (const { peering, rank } of peerings) {
    for (const [key, announcement] of ofPeering(context, peering, rank)) {
      const known = byKey.get(key);
      if (!known || rank < known.rank) byKey.set(key, announcement);
    }
  }
  return [...byKey.values()];
}

/** RD and prefix, by which routes are the same, and the announcement. */
type Keyed = readonly (readonly [key: string, Announcement])[];

const announced = new Memo<Peering, Keyed>();

/** Both directions of a peering. */
function ofPeering(context: AnnouncementContext, peering: Peering, rank: number): Keyed {
  const { gateway, vnis, rds, options } = context;
  const [one, other] = peering.sides;
  const vniOfOne = vnis.get(one.vpc);
  const vniOfOther = vnis.get(other.vpc);
  const rdsOfSides = [rds.get(vniOfOne ?? 0), rds.get(vniOfOther ?? 0)];
  const inputs = [gateway, rank, vniOfOne, vniOfOther, ...rdsOfSides, options.communityAsn, options.prepend];
  return announced.get(peering, inputs, () =>
    (
      [
        [one, other],
        [other, one],
      ] as const
    ).flatMap(([from, into]) =>
      from.exposes.flatMap((expose) =>
        exposedPrefixes(expose).map(([prefix, behind]) => {
          const announcement = announce(context, peering.id, rank, prefix, behind, from, into);
          return [`${announcement.route.rd} ${prefix}`, announcement] as const;
        }),
      ),
    ),
  );
}

/**
 * One never-changing host route per VNI: FRR 8.4 can lose a router MAC's neighbour entry when the only route that
 * refers to it changes (fabric-lab.md, fact 4). The gateway's protocolIP serves: it is unique among gateways.
 */
export function anchors(context: AnnouncementContext, announcements: readonly Announcement[]): EvpnPrefixRoute[] {
  const vnis = [...new Set(announcements.map((announcement) => announcement.route.vni))].sort((a, b) => a - b);
  return vnis.map((vni) => ({ ...evpnRoute(context, vni, hostPrefix(context.gateway.protocolIp)), communities: [] }));
}

/** What the other side sees of an expose block, public addresses where there is NAT, each with the prefixes behind it. */
function exposedPrefixes(expose: Expose): (readonly [prefix: string, behind: readonly string[]])[] {
  if (expose.kind === "default") return [["0.0.0.0/0", ["0.0.0.0/0"]]];
  if (expose.nat) return expose.nat.public.map((prefix) => [prefix, expose.prefixes]);
  return expose.prefixes.map((prefix) => [prefix, [prefix]]);
}

function announce(
  context: AnnouncementContext,
  peering: string,
  rank: number,
  prefix: string,
  behind: readonly string[],
  from: PeeringSide,
  into: PeeringSide,
): Announcement {
  const { gateway, options } = context;
  const hasIbgp = gateway.neighbors.some((neighbor) => neighbor.asn === gateway.asn);
  return {
    peering,
    rank,
    into: into.vpc,
    destination: { vpc: from.vpc, vni: vniOf(context, from.vpc), prefixes: behind },
    route: {
      ...evpnRoute(context, vniOf(context, into.vpc), prefix),
      communities: [`${options.communityAsn ?? DEFAULT_COMMUNITY_ASN}:${rank}`],
      med: 10 * rank,
      ...(hasIbgp ? { localPref: 1000 - rank } : {}),
      ...(options.prepend && rank > 0 ? { prepend: rank } : {}),
    },
  };
}

function evpnRoute(context: AnnouncementContext, vni: number, prefix: string): Omit<EvpnPrefixRoute, "communities"> {
  const { gateway, rds } = context;
  return {
    rd: present(rds.get(vni), `VNI ${vni} has no RD`),
    prefix,
    vni,
    nextHop: gateway.vtepIp,
    routerMac: gateway.vtepMac,
    // A two-octet-AS route target: its low 16 bits stand for a four-octet AS, as RFC 8365 5.1.2.1 derives it.
    routeTargets: [`${gateway.asn & 0xffff}:${vni}`],
  };
}

function vniOf(context: AnnouncementContext, vpc: string): number {
  return present(context.vnis.get(vpc), `peering side ${vpc} has no VNI`);
}

function present<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Error(`inconsistent fabric: ${otherwise}`);
  return value;
}
