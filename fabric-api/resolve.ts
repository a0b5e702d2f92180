// Builds the Fabric from objects that passed every rule.

import type { Expose, Fabric, Gateway, Group, Peering, PeeringSide, Prefix, Vpc } from "./fabric.ts";
import { DEFAULT_NAMESPACE } from "./names.ts";
import { compareBytes } from "./order.ts";
import { formatAddress, formatCidr, parseAddress } from "./prefix.ts";
import type { Resolved } from "./rules/all.ts";
import type { Block, ExposingPeering, ExposingSide } from "./rules/expose.ts";
import { parseMac } from "./schema/formats.ts";
import type { SpecOf } from "./schema/kinds.ts";
import type { World } from "./world.ts";

/** Bytes that VXLAN adds to an inner IP packet: outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14. */
const VXLAN_OVERHEAD = 50;

/** The fabric in canonical order: equal objects give equal fabrics, whatever the order of the stream. */
export function buildFabric(world: World, resolved: Resolved): Fabric {
  const gateways = world.gateways.flatMap((entry) =>
    entry.object === undefined ? [] : [buildGateway(world.gatewayName(entry), entry.object.spec)],
  );
  const vpcs = world.domains.flatMap(({ name, vni, external, subnets }): Vpc[] => {
    const named = subnets.map((subnet) => ({ name: subnet.name, cidr: formatCidr(subnet.cidr) }));
    return vni === undefined ? [] : [{ name, vni, external, subnets: named.sort(byName) }];
  });
  return {
    gateways: gateways.sort(byName),
    groups: buildGroups(world, resolved).sort(byName),
    vpcs: vpcs.sort(byName),
    peerings: resolved.peerings.flatMap((peering) => buildPeering(peering, resolved)).sort(byId),
  };
}

function buildGateway(name: string, spec: SpecOf<"Gateway">): Gateway {
  const interfaces = Object.entries(spec.interfaces).map(([key, { kernel, pci, ips, mtu }]) => ({
    name: key,
    kernel: kernel ?? key,
    ...(pci === undefined ? {} : { pci }),
    ips: ips.map(canonicalInterfaceAddress),
    ...(mtu === undefined ? {} : { mtu }),
  }));
  const mtus = interfaces.flatMap(({ mtu }) => mtu ?? []);
  // An uplink of unknown MTU may be the smallest.
  const known = mtus.length === interfaces.length && mtus.length > 0;
  const vtepMtu = spec.vtepMTU ?? (known ? Math.min(...mtus) - VXLAN_OVERHEAD : undefined);
  return {
    name,
    asn: spec.asn,
    protocolIp: canonicalAddress(spec.protocolIP),
    vtepIp: canonicalAddress(spec.vtepIP),
    vtepMac: parseMac(spec.vtepMAC) ?? spec.vtepMAC,
    ...(vtepMtu === undefined ? {} : { vtepMtu }),
    interfaces: interfaces.sort(byName),
    neighbors: spec.neighbors
      .map(({ ip, asn, source }) => ({ ip: canonicalAddress(ip), asn, ...(source === undefined ? {} : { source }) }))
      .sort((a, b) => compareBytes(a.ip, b.ip)),
    flowTableCapacity: spec.flowTableCapacity,
  };
}

function buildGroups(world: World, { groups }: Resolved): Group[] {
  return world.groups.map((group) => ({
    name: group.name,
    members: (groups.members.get(group) ?? [])
      .map(({ gateway, priority }) => ({ gateway: world.gatewayName(gateway), priority }))
      .sort((a, b) => b.priority - a.priority || compareBytes(a.gateway, b.gateway)),
  }));
}

/** None if a side has no VNI yet: the manifests are valid, but there is nothing to serve. */
function buildPeering({ entry, sides }: ExposingPeering, { groups }: Resolved): Peering[] {
  const group = groups.ofPeering.get(entry);
  if (group === undefined || sides.some(({ domain }) => domain.vni === undefined)) return [];
  const [one, two] = sides.map(buildSide);
  if (one === undefined || two === undefined) return [];
  const id = entry.namespace === DEFAULT_NAMESPACE ? entry.name : `${entry.namespace}/${entry.name}`;
  return [{ id, group: group.name, sides: compareBytes(one.vpc, two.vpc) <= 0 ? [one, two] : [two, one] }];
}

function buildSide({ domain, blocks }: ExposingSide): PeeringSide {
  return { vpc: domain.name, exposes: blocks.map(buildExpose) };
}

function buildExpose({ isDefault, parts }: Block): Expose {
  if (isDefault) return { kind: "default" };
  const prefixes = new Set<Prefix>(parts.flatMap(({ rest }) => rest.map(formatCidr)));
  return { kind: "prefixes", prefixes: [...prefixes] };
}

/** Without prefix length. */
function canonicalAddress(text: string): string {
  const bare = text.split("/", 1)[0] ?? text;
  const address = parseAddress(bare);
  return address === undefined ? bare : formatAddress(address);
}

function canonicalInterfaceAddress(text: string): string {
  return `${canonicalAddress(text)}/${text.slice(text.indexOf("/") + 1)}`;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareBytes(a.name, b.name);
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return compareBytes(a.id, b.id);
}
