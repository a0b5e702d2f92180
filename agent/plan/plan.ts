// plan(fabric, gateway) → Plan: what one gateway has to do, as values. Pure: no clock, no socket, no file.
// The reconcile loop holds the plan against what is there; `fabgate plan` prints it.

import type { BgpPeer, EvpnPrefixRoute } from "../../bgp/desired.ts";
import type { DataplanePeering, DataplanePolicy } from "../../dataplane/desired.ts";
import type { Fabric, Gateway, Peering } from "../../fabric-api/fabric.ts";
import { Memo } from "../../fabric-api/memo.ts";
import { UnknownGatewayError, UnsupportedError } from "../errors.ts";
import { type Announcement, anchors, announcementsOf, type SignalOptions } from "./announcements.ts";
import { dataplanePeering } from "./policy.ts";
import { hostPrefix } from "./prefix.ts";
import { routeDistinguishers } from "./rd.ts";
import { unsupported } from "./unsupported.ts";

export interface Plan {
  readonly gateway: string;
  /** Peerings whose group this gateway is a member of, with its rank there. */
  readonly served: readonly ServedPeering[];
  readonly bgp: {
    readonly asn: number;
    readonly routerId: string;
    readonly peers: readonly BgpPeer[];
    /** protocolIP and VTEP as host routes. */
    readonly underlay: readonly string[];
    /** One per VNI that this gateway announces into; announced for as long as anything is. */
    readonly anchors: readonly EvpnPrefixRoute[];
    readonly announcements: readonly Announcement[];
  };
  readonly dataplane: {
    readonly vtep: { readonly ip: string; readonly mac: string };
    readonly uplinks: readonly string[];
    readonly policy: DataplanePolicy;
    readonly flowTableCapacity: number;
  };
  readonly node: NodePlan;
  /** VTEPs of all gateways of the fabric: routes through them are never destinations of ours. */
  readonly gatewayVteps: readonly string[];
}

export interface ServedPeering {
  readonly peering: string;
  readonly group: string;
  /** 0 is preferred. */
  readonly rank: number;
}

/** What the node itself needs: addresses and MTU of the uplinks, host addresses on `lo`, the neighbours to keep resolved. */
export interface NodePlan {
  readonly interfaces: readonly { readonly name: string; readonly ips: readonly string[]; readonly mtu?: number }[];
  readonly loopback: readonly string[];
  readonly neighbors: readonly string[];
}

/**
 * Computes the plan of one gateway.
 * @throws UnknownGatewayError when the fabric has no gateway of that name
 * @throws UnsupportedError when a peering that it serves needs what the dataplane cannot do yet
 */
export function plan(fabric: Fabric, gatewayName: string, options: SignalOptions = {}): Plan {
  const gateway = fabric.gateways.find((candidate) => candidate.name === gatewayName);
  if (!gateway) {
    throw new UnknownGatewayError(
      gatewayName,
      fabric.gateways.map((known) => known.name),
    );
  }
  const rankInGroup = ranksOf(fabric, gatewayName);
  const peerings = fabric.peerings.filter((peering) => rankInGroup.has(peering.group));
  const refused = unsupported(gateway, peerings);
  if (refused.length > 0) {
    throw new UnsupportedError(
      gatewayName,
      refused.map(({ message }) => message),
    );
  }
  const served = peerings.map((peering) => ({
    peering: peering.id,
    group: peering.group,
    rank: rankInGroup.get(peering.group) ?? 0,
  }));
  const vnis = new Map(fabric.vpcs.map((vpc) => [vpc.name, vpc.vni]));
  const rds = routeDistinguishers(gateway.protocolIp, [...vnis.values()]);
  const context = { gateway, vnis, rds, options };
  const announcements = announcementsOf(
    context,
    peerings.map((peering, index) => ({ peering, rank: served[index]?.rank ?? 0 })),
  );
  return {
    gateway: gatewayName,
    served,
    bgp: {
      asn: gateway.asn,
      routerId: gateway.protocolIp,
      peers: gateway.neighbors.map((neighbor) => bgpPeer(gateway, neighbor)),
      underlay: [...new Set([hostPrefix(gateway.protocolIp), hostPrefix(gateway.vtepIp)])],
      anchors: anchors(context, announcements),
      announcements,
    },
    dataplane: {
      vtep: { ip: gateway.vtepIp, mac: gateway.vtepMac },
      uplinks: gateway.interfaces.map((uplink) => uplink.kernel),
      policy: policyOf(fabric, peerings, rankInGroup),
      flowTableCapacity: gateway.flowTableCapacity,
    },
    node: {
      interfaces: gateway.interfaces.map((uplink) => ({
        name: uplink.kernel,
        ips: uplink.ips,
        ...(uplink.mtu === undefined ? {} : { mtu: uplink.mtu }),
      })),
      loopback: [...new Set([hostPrefix(gateway.protocolIp), hostPrefix(gateway.vtepIp)])],
      neighbors: gateway.neighbors.map((neighbor) => neighbor.ip),
    },
    gatewayVteps: fabric.gateways.map((known) => known.vtepIp),
  };
}

/** Group name → rank of the gateway, for the groups it is a member of. */
function ranksOf(fabric: Fabric, gatewayName: string): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const group of fabric.groups) {
    const rank = group.members.findIndex((member) => member.gateway === gatewayName);
    if (rank >= 0) ranks.set(group.name, rank);
  }
  return ranks;
}

function bgpPeer(gateway: Gateway, neighbor: Gateway["neighbors"][number]): BgpPeer {
  const source = gateway.interfaces.find((uplink) => uplink.name === neighbor.source);
  const localAddress = source?.ips[0]?.split("/")[0];
  return { address: neighbor.ip, asn: neighbor.asn, ...(localAddress === undefined ? {} : { localAddress }) };
}

function policyOf(
  fabric: Fabric,
  peerings: readonly Peering[],
  rankInGroup: ReadonlyMap<string, number>,
): DataplanePolicy {
  const used = new Set(peerings.flatMap((peering) => peering.sides.map((side) => side.vpc)));
  const members = new Map(fabric.groups.map((group) => [group.name, group.members.length]));
  return {
    vpcs: fabric.vpcs.filter((vpc) => used.has(vpc.name)).map(({ name, vni }) => ({ name, vni })),
    peerings: peerings.map((peering) => {
      const index = rankInGroup.get(peering.group) ?? 0;
      const count = members.get(peering.group) ?? 1;
      return dataplanePeerings.get(peering, [index, count], () => dataplanePeering(peering, { index, count }));
    }),
  };
}

const dataplanePeerings = new Memo<Peering, DataplanePeering>();
