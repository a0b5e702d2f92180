// What a side of a peering exposes, as the policy's trie needs it: its addresses as its own VPC sees them (sources) and as the other VPC does
// (destinations), each with how it is translated; pools of masquerade and forwarded ports as tables of their own. Pure; used by encode.ts.
import type { RuleRange } from "./acl.ts";
import {
  addressCount,
  contains,
  coverRange,
  firstAddress,
  formatPrefix,
  type Ipv4Prefix,
  pairAddresses,
  parsePrefix,
} from "./address.ts";
import type { DataplanePeering, DataplaneSide, FlowTimeouts, ForwardedPorts } from "./desired.ts";
import { DataplaneError } from "./errors.ts";
import { forwardTable, natForward, natMasquerade, poolTable } from "./generated/layout.ts";

const protocolNumbers = { tcp: 6, udp: 17 } as const;

/** An entry of the trie, by the fields of bpf/maps.h. Neither `prefix` nor `bits`: the table's root. */
export interface PolicyEntry {
  readonly table: number;
  readonly prefix?: Ipv4Prefix | undefined;
  readonly bits?: { readonly value: number; readonly length: number };
  readonly direction?: number;
  readonly vni?: number;
  readonly offset?: number;
  readonly back?: number;
  readonly nat?: NatFields | undefined;
  readonly rules?: RuleRange;
  readonly aclFlows?: boolean;
}

interface NatFields {
  readonly kind?: number;
  readonly reserved?: boolean;
  readonly slice?: { readonly index: number; readonly count: number };
  readonly table?: number;
  readonly count?: number;
  readonly timeouts?: FlowTimeouts;
}

interface ExposedPrefix {
  readonly prefix: Ipv4Prefix;
  readonly offset: number;
  readonly nat?: NatFields;
}

export interface ExposedSide {
  readonly inside: readonly ExposedPrefix[];
  readonly outside: readonly ExposedPrefix[];
  /** Pools and forwarded ports. */
  readonly tables: readonly PolicyEntry[];
}

/** Numbers of the tables within one policy. */
export class TableNumbers {
  pools = 0;
  forwards = 0;
}

/** Throws invalid-desired. */
export function exposeSide(side: DataplaneSide, peering: DataplanePeering, numbers: TableNumbers): ExposedSide {
  const plain = side.prefixes.map((text) => ({ prefix: parsePrefix(text), offset: 0 }));
  const blocks = side.translated ?? [];
  if (blocks.length === 0) return { inside: plain, outside: plain, tables: [] };
  const inside: ExposedPrefix[] = [...plain];
  const outside: ExposedPrefix[] = [...plain];
  const tables: PolicyEntry[] = [];
  const invalid = (what: string) =>
    new DataplaneError("invalid-desired", `peering ${peering.id}, ${side.vpc}: ${what}`);
  const forwards = blocks.flatMap(({ prefixes, nat }) => {
    if (nat.kind !== "port-forward") return [];
    const [to, ...more] = prefixes.map(parsePrefix);
    const [from, ...others] = nat.public.map(parsePrefix);
    if (to === undefined || from === undefined || more.length + others.length > 0 || to.length !== from.length)
      throw invalid(
        `port forwarding from ${nat.public} to ${prefixes} is not from one prefix to one of the same length`,
      );
    return [{ from, to, rules: nat.rules, timeouts: nat.timeouts }];
  });
  const pools: { readonly number: number; readonly from: readonly Ipv4Prefix[]; readonly to: readonly Ipv4Prefix[] }[] =
    [];

  for (const { prefixes, nat } of blocks) {
    const from = prefixes.map(parsePrefix);
    const to = nat.public.map(parsePrefix);
    if (nat.kind === "static") {
      const there = pairAddresses(from, to);
      const back = pairAddresses(to, from);
      if (there === undefined || back === undefined)
        throw invalid(
          `static NAT from ${from.map(formatPrefix)} to ${to.map(formatPrefix)} has unequal numbers of addresses`,
        );
      inside.push(...there);
      outside.push(...back);
    } else if (nat.kind === "masquerade") {
      const number = numbers.pools++;
      pools.push({ number, from, to });
      const shared = forwards.some((forward) => to.some((prefix) => overlap(prefix, forward.from)));
      const common = {
        kind: natMasquerade,
        reserved: shared,
        table: number,
        count: to.reduce((sum, prefix) => sum + addressCount(prefix), 0),
        ...(peering.portSlice === undefined ? {} : { slice: checkedSlice(peering.portSlice, invalid) }),
        ...(nat.timeouts === undefined ? {} : { timeouts: nat.timeouts }),
      };
      let before = 0;
      for (const prefix of from) {
        inside.push({ prefix, offset: (before - firstAddress(prefix)) >>> 0, nat: common });
        before += addressCount(prefix);
      }
      for (const prefix of to) {
        // Where ports are forwarded, the entry below stands for both.
        if (forwards.some((forward) => contains(forward.from, prefix))) continue;
        outside.push({ prefix, offset: 0, nat: { kind: natMasquerade, table: number } });
      }
      let first = 0;
      for (const prefix of to) {
        for (const part of coverRange(first, addressCount(prefix)))
          tables.push({
            table: poolTable | number,
            bits: { value: part.address, length: part.length },
            offset: (firstAddress(prefix) - first) >>> 0,
          });
        first += addressCount(prefix);
      }
    }
  }

  // Blocks may forward other ports of the same addresses; the ports of a wider block are forwarded at a narrower one's addresses too.
  const seen = new Set<string>();
  for (const { from } of forwards) {
    if (seen.has(formatPrefix(from))) continue;
    seen.add(formatPrefix(from));
    const number = numbers.forwards++;
    const pool = pools.find(({ to }) => to.some((prefix) => contains(prefix, from) || contains(from, prefix)));
    outside.push({
      prefix: from,
      offset: 0,
      nat: { kind: natForward, table: number, count: pool === undefined ? 0 : pool.number + 1 },
    });
    for (const forward of forwards.filter((other) => contains(other.from, from)))
      tables.push(...forwardEntries(forwardTable | number, forward, invalid));
  }
  for (const { to } of forwards) {
    if (pools.some((pool) => pool.from.some((prefix) => contains(prefix, to)))) continue;
    if (inside.some(({ prefix, nat }) => nat?.kind === natForward && formatPrefix(prefix) === formatPrefix(to)))
      continue;
    inside.push({ prefix: to, offset: 0, nat: { kind: natForward } });
  }
  return { inside, outside, tables };
}

/** Which public port goes to which inside port, as prefixes of port numbers. */
function forwardEntries(
  table: number,
  block: { from: Ipv4Prefix; to: Ipv4Prefix; rules: readonly ForwardedPorts[]; timeouts: FlowTimeouts | undefined },
  invalid: (what: string) => DataplaneError,
): PolicyEntry[] {
  const offset = (firstAddress(block.to) - firstAddress(block.from)) >>> 0;
  return block.rules.flatMap(({ protocols, private: inside, public: outside }) => {
    const count = outside.last - outside.first + 1;
    const ports = [inside.first, inside.last, outside.first, outside.last];
    if (!ports.every((value) => Number.isInteger(value) && value >= 1 && value <= 65535) || count < 1)
      throw invalid(`forwarded ports ${ports.join()} are not within 1–65535`);
    if (inside.last - inside.first + 1 !== count)
      throw invalid(`${count} public ports and ${inside.last - inside.first + 1} private ones`);
    return protocols.flatMap((protocol) =>
      coverRange(outside.first, count).map(({ address, length }) => ({
        table,
        // Ports are 16 bits long, not 32.
        bits: { value: ((protocolNumbers[protocol] << 24) | (address << 8)) >>> 0, length: 8 + length - 16 },
        offset,
        nat: {
          count: inside.first - outside.first,
          ...(block.timeouts === undefined ? {} : { timeouts: block.timeouts }),
        },
      })),
    );
  });
}

function checkedSlice(slice: { index: number; count: number }, invalid: (what: string) => DataplaneError) {
  const { index, count } = slice;
  if (!Number.isInteger(index) || !Number.isInteger(count) || count < 1 || count > 255 || index < 0 || index >= count)
    throw invalid(`port slice ${index} of ${count}`);
  return slice;
}

function overlap(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return contains(a, b) || contains(b, a);
}
