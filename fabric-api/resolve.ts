// Builds the Fabric from objects that passed every rule.

import { inOrder, pair } from "./address-list.ts";
import type { AddressRange, Expose, Fabric, Gateway, Group, Nat, Peering, PeeringSide, Prefix, Vpc } from "./fabric.ts";
import { Memo } from "./memo.ts";
import { DEFAULT_NAMESPACE } from "./names.ts";
import { compareBytes } from "./order.ts";
import { formatAddress, formatCidr, parseAddress } from "./prefix.ts";
import type { Interval } from "./prefix-set.ts";
import type { CheckedPeering, Resolved } from "./rules/all.ts";
import type { Block, ExposingSide } from "./rules/expose.ts";
import type { Part } from "./rules/prefix-list.ts";
import { parseDurationMs, parseMac, parsePorts } from "./schema/formats.ts";
import type { SpecOf } from "./schema/kinds.ts";
import type { Entry } from "./stream/objects.ts";
import { flowTimeouts } from "./timeouts.ts";
import type { World } from "./world.ts";

/** Bytes that VXLAN adds to an inner IP packet: outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14. */
const VXLAN_OVERHEAD = 50;

/** The fabric in canonical order: equal objects give equal fabrics, whatever the order of the stream. */
export function buildFabric(world: World, resolved: Resolved): Fabric {
  const gateways = world.gateways.flatMap((entry) =>
    entry.object === undefined ? [] : [gatewayOf(entry, entry.object.spec, world.gatewayName(entry))],
  );
  const vpcs = world.domains.flatMap(({ name, vni, external, subnets }): Vpc[] => {
    const named = subnets.map((subnet) => ({ name: subnet.name, cidr: formatCidr(subnet.cidr) }));
    return vni === undefined ? [] : [{ name, vni, external, subnets: named.sort(byName) }];
  });
  return {
    gateways: gateways.sort(byName),
    groups: buildGroups(world, resolved).sort(byName),
    vpcs: vpcs.sort(byName),
    peerings: buildPeerings(resolved).sort(byId),
  };
}

const builtGateways = new Memo<Entry<"Gateway">, Gateway>();

function gatewayOf(entry: Entry<"Gateway">, spec: SpecOf<"Gateway">, name: string): Gateway {
  return builtGateways.get(entry, [name], () => buildGateway(name, spec));
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

/** Without those of which a side has no VNI yet: the manifests are valid, but there is nothing to serve. */
function buildPeerings({ groups, peerings }: Resolved): Peering[] {
  const result: Peering[] = [];
  for (const peering of peerings) {
    const group = groups.ofPeering.get(peering.entry)?.name;
    const [one, two] = peering.sides;
    if (group === undefined || one.domain.vni === undefined || two.domain.vni === undefined) continue;
    result.push(builtPeerings.get(peering, [group], () => buildPeering(peering, group)));
  }
  return result;
}

const builtPeerings = new Memo<CheckedPeering, Peering>();

function buildPeering({ entry, sides, acl }: CheckedPeering, group: string): Peering {
  const [one, two] = [buildSide(sides[0]), buildSide(sides[1])];
  return {
    id: entry.namespace === DEFAULT_NAMESPACE ? entry.name : `${entry.namespace}/${entry.name}`,
    group,
    sides: compareBytes(one.vpc, two.vpc) <= 0 ? [one, two] : [two, one],
    ...(acl === undefined ? {} : { acl }),
  };
}

function buildSide({ domain, blocks }: ExposingSide): PeeringSide {
  return { vpc: domain.name, exposes: blocks.map(buildExpose) };
}

function buildExpose(block: Block): Expose {
  if (block.isDefault) return { kind: "default" };
  const nat = buildNat(block);
  return { kind: "prefixes", prefixes: prefixesOf(block.parts), ...(nat === undefined ? {} : { nat }) };
}

function buildNat({ nat, parts, publicParts, spec }: Block): Nat | undefined {
  const publicPrefixes = prefixesOf(publicParts);
  switch (nat) {
    case undefined:
      return undefined;
    case "static": {
      const networks = (list: readonly Part[]) => inOrder(list.flatMap(({ rest }) => rest));
      const pairs = pair(networks(parts), networks(publicParts));
      const ranges = pairs.map(([inside, outside]) => ({ private: rangeOf(inside), public: rangeOf(outside) }));
      return { kind: "static", public: publicPrefixes, pairs: ranges };
    }
    case "masquerade":
      return { kind: "masquerade", public: publicPrefixes, timeouts: timeoutsOf(spec.nat?.masquerade) };
    case "portForward": {
      const rules = (spec.nat?.portForward?.ports ?? []).flatMap(({ proto, port, as }) => {
        const [inside, outside] = [parsePorts(port), parsePorts(as)];
        if (inside === undefined || outside === undefined) return [];
        const protocols = proto === "" ? (["tcp", "udp"] as const) : [proto];
        return [{ protocols, private: inside, public: outside }];
      });
      const timeouts = timeoutsOf(spec.nat?.portForward);
      return { kind: "port-forward", public: publicPrefixes, timeouts, rules };
    }
  }
}

function timeoutsOf(nat: { readonly idleTimeout?: string | undefined } | undefined) {
  return flowTimeouts(nat?.idleTimeout === undefined ? undefined : parseDurationMs(nat.idleTimeout));
}

function prefixesOf(parts: readonly Part[]): Prefix[] {
  return [...new Set<Prefix>(parts.flatMap(({ rest }) => rest.map(formatCidr)))];
}

function rangeOf({ family, first, last }: Interval): AddressRange {
  return { first: formatAddress({ family, value: first }), last: formatAddress({ family, value: last }) };
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
