// Desired state to map entries, byte by byte as bpf/maps.h lays them out. Pure.
import { aclKeepsState, RuleTable } from "./acl.ts";
import { firstAddress, parseIpv4, parseMac, parsePrefix } from "./address.ts";
import type { DataplanePeering, DataplanePolicy, DataplaneRoute, DataplaneSide, DataplaneTunnel } from "./desired.ts";
import { DataplaneError } from "./errors.ts";
import { type ExposedSide, exposeSide, type PolicyEntry, TableNumbers } from "./exposes.ts";
import {
  flagFlows,
  flagReserved,
  maxRoutePaths,
  maxTunnelPaths,
  noDirection,
  policyEntryLayout,
  prefixKeyLayout,
  routeLayout,
  routePathLayout,
  sourceTable,
  statefulWords,
  tunnelKeyLayout,
  tunnelLayout,
  tunnelPathLayout,
} from "./generated/layout.ts";

/** One direction of a peering: traffic from a VPC to another. */
export interface Direction {
  readonly peering: string;
  readonly from: string;
  readonly to: string;
}

/** The directions of a policy, in its order; the second of each peering is the way back. */
export function directionsOf(policy: DataplanePolicy): Direction[] {
  return policy.peerings.flatMap(({ id, sides: [a, b] }) => [
    { peering: id, from: a.vpc, to: b.vpc },
    { peering: id, from: b.vpc, to: a.vpc },
  ]);
}

/** A VNI as it lies in a VXLAN header, read as a little-endian word. */
function wireVni(vni: number): number {
  if (!Number.isInteger(vni) || vni < 1 || vni > 0xffffff)
    throw new DataplaneError("invalid-desired", `VNI ${vni} is not 1–16777215`);
  return ((vni >>> 16) | (vni & 0xff00) | ((vni & 0xff) << 16)) >>> 0;
}

/** Addresses: an IPv4 prefix is one of ::ffff:0:0/96. `bits`: the first bits of the address part as they are. */
function writePrefixKey(target: Buffer, offset: number, { table, prefix, bits }: PolicyEntry): void {
  const layout = prefixKeyLayout;
  const length = prefix === undefined ? (bits?.length ?? 0) : 96 + prefix.length;
  target.writeUInt32LE(32 + length, offset + layout.prefixLength);
  target.writeUInt32LE(table, offset + layout.table);
  if (bits !== undefined) target.writeUInt32BE(bits.value >>> 0, offset + layout.address);
  if (prefix === undefined) return;
  target.writeUInt32BE(0xffff, offset + layout.address + 8);
  // Host bits would make two keys of one prefix.
  target.writeUInt32BE(firstAddress(prefix), offset + layout.address + 12);
}

/** Whether packets of this peering need flows. */
function keepsState(peering: DataplanePeering): boolean {
  return (
    aclKeepsState(peering) ||
    peering.sides.some(({ translated }) => (translated ?? []).some(({ nat }) => nat.kind !== "static"))
  );
}

/** One bit for the lower 16 bits of each VNI of which a peering keeps state. */
export function statefulVnis(policy: DataplanePolicy): Buffer {
  const bits = Buffer.alloc(statefulWords * 8);
  const vpcs = new Set(policy.peerings.filter(keepsState).flatMap(({ sides }) => sides.map(({ vpc }) => vpc)));
  for (const { name, vni } of policy.vpcs) {
    if (!vpcs.has(name)) continue;
    const bit = (wireVni(vni) >>> 8) & 0xffff;
    bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7));
  }
  return bits;
}

/**
 * The whole policy as entries of one trie. `directionIds`: the counters of each direction of `directionsOf`, same order.
 * `rulesHalf`: where the rules of ACLs will be put. Sources of a side that is the default are all those that no other peering exposes to the receiving VPC.
 */
export function encodePolicy(policy: DataplanePolicy, directionIds: readonly number[], rulesHalf: number) {
  const vnis = new Map(policy.vpcs.map(({ name, vni }) => [name, wireVni(vni)]));
  const vniOf = (vpc: string, peering: string): number => {
    const vni = vnis.get(vpc);
    if (vni === undefined)
      throw new DataplaneError(
        "invalid-desired",
        `peering ${peering} names VPC ${vpc}, which the policy does not have`,
      );
    return vni;
  };
  const rules = new RuleTable(rulesHalf);
  const ways = policy.peerings.flatMap((peering, index) => {
    const { id, sides } = peering;
    const way = (from: DataplaneSide, to: DataplaneSide, direction: number | undefined, back: number | undefined) => {
      if (direction === undefined || back === undefined)
        throw new DataplaneError("internal", `peering ${id} has no counters`);
      const acl = { rules: rules.add(peering, from.vpc), aclFlows: aclKeepsState(peering) };
      return { peering, direction, back, acl, from, to, fromVni: vniOf(from.vpc, id), toVni: vniOf(to.vpc, id) };
    };
    const ids = [directionIds[2 * index], directionIds[2 * index + 1]] as const;
    return [way(sides[0], sides[1], ids[0], ids[1]), way(sides[1], sides[0], ids[1], ids[0])];
  });
  const numbers = new TableNumbers();
  const sides = new Map<DataplaneSide, ExposedSide>();
  const exposedTo = new Map<string, DataplaneSide[]>();
  const defaults = new Set<number>();
  for (const { peering, from, to, fromVni } of ways) {
    sides.set(to, exposeSide(to, peering, numbers));
    const others = exposedTo.get(from.vpc);
    if (others === undefined) exposedTo.set(from.vpc, [to]);
    else others.push(to);
    if (to.default) defaults.add(fromVni);
  }

  const entries: PolicyEntry[] = [...sides.values()].flatMap(({ tables }) => tables);
  for (const vni of vnis.values()) {
    if (!defaults.has(vni)) entries.push({ table: vni, direction: noDirection });
  }
  for (const { direction, back, acl, from, to, fromVni, toVni } of ways) {
    const sources = (sourceTable | direction) >>> 0;
    // Field by field: spreading objects would take most of the time when there are many.
    if (to.default) entries.push({ table: fromVni, direction, vni: toVni });
    for (const { prefix, offset, nat } of sides.get(to)?.outside ?? [])
      entries.push({ table: fromVni, prefix, direction, vni: toVni, offset, nat });
    const { rules: range, aclFlows } = acl;
    if (from.default) {
      entries.push({ table: sources, direction, back, rules: range, aclFlows });
      for (const other of exposedTo.get(to.vpc) ?? []) {
        if (other === from) continue;
        for (const { prefix } of sides.get(other)?.outside ?? [])
          entries.push({ table: sources, prefix, direction: noDirection });
      }
    }
    for (const { prefix, offset, nat } of sides.get(from)?.inside ?? [])
      entries.push({ table: sources, prefix, direction, back, offset, nat, rules: range, aclFlows });
  }

  const keys = Buffer.alloc(entries.length * prefixKeyLayout.size);
  const values = Buffer.alloc(entries.length * policyEntryLayout.size);
  entries.forEach((entry, index) => {
    writePrefixKey(keys, index * prefixKeyLayout.size, entry);
    writePolicyEntry(values, index * policyEntryLayout.size, entry);
  });
  return { keys, values, count: entries.length, rules: rules.bytes() };
}

function writePolicyEntry(target: Buffer, offset: number, entry: PolicyEntry): void {
  const layout = policyEntryLayout;
  const { nat } = entry;
  target.writeUInt32LE(entry.direction ?? noDirection, offset + layout.direction);
  if (entry.vni !== undefined) target.writeUInt32LE(entry.vni, offset + layout.vni);
  if (entry.offset !== undefined) target.writeUInt32LE(entry.offset, offset + layout.offset);
  if (entry.back !== undefined) target.writeUInt32LE(entry.back, offset + layout.back);
  if (entry.rules !== undefined) {
    target.writeUInt32LE(entry.rules.first, offset + layout.rules);
    target.writeUInt32LE(entry.rules.count, offset + layout.ruleCount);
  }
  const flags = (nat?.reserved === true ? flagReserved : 0) | (entry.aclFlows === true ? flagFlows : 0);
  target.writeUInt8(flags, offset + layout.flags);
  if (nat === undefined) return;
  target.writeUInt8(nat.kind ?? 0, offset + layout.nat);
  target.writeUInt8(nat.slice?.index ?? 0, offset + layout.slice);
  target.writeUInt8(nat.slice?.count ?? 1, offset + layout.slices);
  target.writeUInt32LE(nat.table ?? 0, offset + layout.table);
  target.writeUInt32LE((nat.count ?? 0) >>> 0, offset + layout.count);
  if (nat.timeouts === undefined) return;
  target.writeUInt32LE(Math.ceil(nat.timeouts.tcpEstablishedMs / 1000), offset + layout.tcpSeconds);
  target.writeUInt32LE(Math.ceil(nat.timeouts.udpMs / 1000), offset + layout.udpSeconds);
  target.writeUInt32LE(Math.ceil(nat.timeouts.icmpMs / 1000), offset + layout.icmpSeconds);
}

/** Entry of the map `routes`. Paths beyond what an entry holds are left out; the order of the paths does not matter. */
export function encodeRoute(route: DataplaneRoute): { key: Buffer; value: Buffer } {
  const key = Buffer.alloc(prefixKeyLayout.size);
  writePrefixKey(key, 0, { table: wireVni(route.vni), prefix: parsePrefix(route.prefix) });
  const paths = route.paths
    .map((path) => {
      const bytes = Buffer.alloc(routePathLayout.size);
      bytes.writeUInt32BE(parseIpv4(path.vtep), routePathLayout.vtep);
      bytes.writeUInt32LE(wireVni(path.vni), routePathLayout.vni);
      parseMac(path.routerMac).copy(bytes, routePathLayout.routerMac);
      return bytes;
    })
    .sort(Buffer.compare)
    .slice(0, maxRoutePaths);
  const value = Buffer.alloc(routeLayout.size);
  value.writeUInt32LE(paths.length, routeLayout.pathCount);
  paths.forEach((path, index) => {
    path.copy(value, routeLayout.paths + index * routePathLayout.size);
  });
  return { key, value };
}

export function encodeTunnelKey(vtep: string): Buffer {
  const key = Buffer.alloc(tunnelKeyLayout.size);
  key.writeUInt32LE(32, tunnelKeyLayout.prefixLength);
  key.writeUInt32BE(parseIpv4(vtep), tunnelKeyLayout.vtep);
  return key;
}

/** Slot content of a tunnel. `uplinkSlot` tells where an uplink is in the map `uplinks`; paths over uplinks that are not there are left out. */
export function encodeTunnel(tunnel: DataplaneTunnel, uplinkSlot: (name: string) => number | undefined): Buffer {
  const paths = tunnel.paths
    .flatMap((path) => {
      const slot = uplinkSlot(path.uplink);
      if (slot === undefined) return [];
      const bytes = Buffer.alloc(tunnelPathLayout.size);
      parseMac(path.nextHopMac).copy(bytes, tunnelPathLayout.macs);
      parseMac(path.sourceMac).copy(bytes, tunnelPathLayout.macs + 6);
      bytes.writeUInt32LE(slot, tunnelPathLayout.uplink);
      return [bytes];
    })
    .sort(Buffer.compare)
    .slice(0, maxTunnelPaths);
  const value = Buffer.alloc(tunnelLayout.size);
  value.writeUInt32BE(parseIpv4(tunnel.vtep), tunnelLayout.vtep);
  value.writeUInt32LE(paths.length, tunnelLayout.pathCount);
  value.writeUInt32LE(tunnel.mtu, tunnelLayout.mtu);
  paths.forEach((path, index) => {
    path.copy(value, tunnelLayout.paths + index * tunnelPathLayout.size);
  });
  return value;
}
