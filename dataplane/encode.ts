// Desired state to map entries, byte by byte as bpf/maps.h lays them out. Pure.
import { formatPrefix, type Ipv4Prefix, pairAddresses, parseIpv4, parseMac, parsePrefix } from "./address.ts";
import type { DataplanePolicy, DataplaneRoute, DataplaneSide, DataplaneTunnel } from "./desired.ts";
import { DataplaneError } from "./errors.ts";
import {
  maxRoutePaths,
  maxTunnelPaths,
  noDirection,
  policyEntryLayout,
  prefixKeyLayout,
  routeLayout,
  routePathLayout,
  sourceTable,
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

/** Length of the address part: an IPv4 prefix is one of ::ffff:0:0/96. */
function writePrefixKey(
  target: Buffer,
  offset: number,
  table: number,
  prefix?: { address: number; length: number },
): void {
  const layout = prefixKeyLayout;
  target.writeUInt32LE(32 + (prefix === undefined ? 0 : 96 + prefix.length), offset + layout.prefixLength);
  target.writeUInt32LE(table, offset + layout.table);
  if (prefix === undefined) return;
  target.writeUInt32BE(0xffff, offset + layout.address + 8);
  // Host bits would make two keys of one prefix.
  const mask = prefix.length === 0 ? 0 : (0xffffffff << (32 - prefix.length)) >>> 0;
  target.writeUInt32BE((prefix.address & mask) >>> 0, offset + layout.address + 12);
}

interface PolicyEntry {
  readonly table: number;
  /** Undefined: the table's root. */
  readonly prefix?: Ipv4Prefix;
  readonly direction: number;
  readonly vni?: number;
  readonly offset?: number;
}

/** Addresses that stand for others: those of `prefix` for the same number of addresses, `offset` further on. */
interface Shifted {
  readonly prefix: Ipv4Prefix;
  readonly offset: number;
}

/** What a side is for the policy: its addresses as its own VPC sees them, and as the other side does. */
interface Exposed {
  readonly inside: readonly Shifted[];
  readonly outside: readonly Shifted[];
}

function exposed({ prefixes, translated }: DataplaneSide, peering: string): Exposed {
  const plain = prefixes.map((text) => ({ prefix: parsePrefix(text), offset: 0 }));
  const inside = [...plain];
  const outside = [...plain];
  for (const block of translated ?? []) {
    const from = block.prefixes.map(parsePrefix);
    const to = block.nat.public.map(parsePrefix);
    const there = pairAddresses(from, to);
    const back = pairAddresses(to, from);
    if (there === undefined || back === undefined)
      throw new DataplaneError(
        "invalid-desired",
        `peering ${peering}: static NAT from ${from.map(formatPrefix)} to ${to.map(formatPrefix)} has unequal numbers of addresses`,
      );
    inside.push(...there);
    outside.push(...back);
  }
  return { inside, outside };
}

/**
 * The whole policy as entries of one trie. `directionIds`: the counters of each direction of `directionsOf`, same order.
 * Sources of a side that is the default are all those that no other peering exposes to the receiving VPC.
 */
export function encodePolicy(policy: DataplanePolicy, directionIds: readonly number[]) {
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
  const ways = policy.peerings.flatMap(({ id, sides: [a, b] }, index) => {
    const way = (from: DataplaneSide, to: DataplaneSide, direction: number | undefined) => {
      if (direction === undefined) throw new DataplaneError("internal", `peering ${id} has no counters`);
      return { peering: id, direction, from, to, fromVni: vniOf(from.vpc, id), toVni: vniOf(to.vpc, id) };
    };
    return [way(a, b, directionIds[2 * index]), way(b, a, directionIds[2 * index + 1])];
  });
  const sides = new Map<DataplaneSide, Exposed>();
  const exposedTo = new Map<string, DataplaneSide[]>();
  const defaults = new Set<number>();
  for (const { peering, from, to, fromVni } of ways) {
    sides.set(to, exposed(to, peering));
    const others = exposedTo.get(from.vpc);
    if (others === undefined) exposedTo.set(from.vpc, [to]);
    else others.push(to);
    if (to.default) defaults.add(fromVni);
  }

  const entries: PolicyEntry[] = [];
  for (const vni of vnis.values()) {
    if (!defaults.has(vni)) entries.push({ table: vni, direction: noDirection });
  }
  for (const { direction, from, to, fromVni, toVni } of ways) {
    const sources = (sourceTable | direction) >>> 0;
    if (to.default) entries.push({ table: fromVni, direction, vni: toVni });
    for (const { prefix, offset } of sides.get(to)?.outside ?? [])
      entries.push({ table: fromVni, prefix, direction, vni: toVni, offset });
    if (from.default) {
      entries.push({ table: sources, direction });
      for (const other of exposedTo.get(to.vpc) ?? []) {
        if (other === from) continue;
        for (const { prefix } of sides.get(other)?.outside ?? [])
          entries.push({ table: sources, prefix, direction: noDirection });
      }
    }
    for (const { prefix, offset } of sides.get(from)?.inside ?? [])
      entries.push({ table: sources, prefix, direction, offset });
  }

  const keys = Buffer.alloc(entries.length * prefixKeyLayout.size);
  const values = Buffer.alloc(entries.length * policyEntryLayout.size);
  entries.forEach(({ table, prefix, direction, vni, offset }, index) => {
    writePrefixKey(keys, index * prefixKeyLayout.size, table, prefix);
    const value = index * policyEntryLayout.size;
    values.writeUInt32LE(direction, value + policyEntryLayout.direction);
    values.writeUInt32LE(vni ?? 0, value + policyEntryLayout.vni);
    values.writeUInt32LE(offset ?? 0, value + policyEntryLayout.offset);
  });
  return { keys, values, count: entries.length };
}

/** Entry of the map `routes`. Paths beyond what an entry holds are left out; the order of the paths does not matter. */
export function encodeRoute(route: DataplaneRoute): { key: Buffer; value: Buffer } {
  const key = Buffer.alloc(prefixKeyLayout.size);
  writePrefixKey(key, 0, wireVni(route.vni), parsePrefix(route.prefix));
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
