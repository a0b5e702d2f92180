// Rules of each NAT: how many addresses and ports its two lists have, and that no forwarded port means two things.

import type { Code } from "../codes.ts";
import type { Path } from "../diagnostic.ts";
import { sizeOf } from "../prefix-set.ts";
import type { Report } from "../report.ts";
import { type PortRange, parsePorts } from "../schema/formats.ts";
import type { NatSpec } from "../schema/nat.ts";
import type { Entry } from "../stream/objects.ts";
import { addressesOf, type Block, type ExposingPeering } from "./expose.ts";

/** Hosts that one address of a masquerade pool is expected to serve at most; more are allowed, with a warning. */
const MAX_HOSTS_PER_POOL_ADDRESS = 1000n;

type ForwardedSpec = NonNullable<NatSpec["portForward"]>["ports"][number];

interface Context {
  readonly entry: Entry<"GatewayPeering">;
  readonly report: Report;
}

export function checkNats({ entry, sides }: ExposingPeering, report: Report): void {
  const context = { entry, report };
  for (const block of sides.flatMap(({ blocks }) => blocks)) {
    if (block.nat === "static") checkStatic(block, context);
    if (block.nat === "masquerade") checkPool(block, context);
    if (block.nat === "portForward") checkPortForward(block, context);
  }
}

/** Addresses of `ips` and of `as`; undefined where either list is broken and reported already. */
function sizes({ parts, publicParts }: Block): readonly [bigint, bigint] | undefined {
  const inside = sizeOf(addressesOf(parts));
  const outside = sizeOf(addressesOf(publicParts));
  return inside > 0n && outside > 0n ? [inside, outside] : undefined;
}

function checkStatic(block: Block, context: Context): void {
  const [inside, outside] = sizes(block) ?? [0n, 0n];
  if (inside === outside) return;
  const message = `static NAT is one to one, but ips has ${addresses(inside)} and as has ${addresses(outside)}`;
  add(context, "FG0701", [...block.path, "as"], message);
}

function checkPool(block: Block, context: Context): void {
  const [inside, outside] = sizes(block) ?? [0n, 1n];
  if (inside <= outside * MAX_HOSTS_PER_POOL_ADDRESS) return;
  const message = `${addresses(outside)} for ${inside} inside hosts: more than ${MAX_HOSTS_PER_POOL_ADDRESS} share one, and ports may run out`;
  add(context, "FG0706", [...block.path, "as"], message);
}

function checkPortForward(block: Block, context: Context): void {
  const { ips = [], as = [], nat } = block.spec;
  const path: Path = [...block.path, "nat", "portForward", "ports"];
  const single = ips.length === 1 && as.length === 1;
  if (!single) {
    const odd = ips.length === 1 ? "as" : "ips";
    const message = `portForward takes a single prefix in ips and in as, without exclusions; ${odd} has ${odd === "as" ? as.length : ips.length} entries`;
    add(context, "FG0703", [...block.path, odd], message, "give each prefix its own expose block");
  }
  const [inside, outside] = sizes(block) ?? [0n, 0n];
  if (single && inside !== outside) {
    const message = `portForward maps address by address, but ips has ${addresses(inside)} and as has ${addresses(outside)}`;
    add(context, "FG0704", [...block.path, "as"], message);
  }
  const rules = nat?.portForward?.ports ?? [];
  rules.forEach((rule, index) => {
    const own = countOf(rule.port);
    const other = countOf(rule.as);
    if (own === other) return;
    const message = `forwards ${own} port${own === 1 ? "" : "s"} (${rule.port}) as ${other} (${rule.as})`;
    add(context, "FG0702", [...path, index, "as"], message);
  });
  for (const field of ["port", "as"] as const) checkPortOverlaps(rules, field, path, context);
}

interface Forwarded {
  readonly index: number;
  readonly range: PortRange;
}

/** All rules of a block share its addresses, so only protocol and port tell them apart. Each later one is reported once. */
function checkPortOverlaps(rules: readonly ForwardedSpec[], field: "port" | "as", path: Path, context: Context): void {
  const reported = new Set<number>();
  for (const proto of ["tcp", "udp"] as const) {
    const forwarded = rules.flatMap((rule, index): Forwarded[] => {
      const range = parsePorts(rule[field]);
      return range !== undefined && (rule.proto === proto || rule.proto === "") ? [{ index, range }] : [];
    });
    let far: Forwarded | undefined;
    for (const next of forwarded.sort((a, b) => a.range.first - b.range.first || a.index - b.index)) {
      if (far !== undefined && far.range.last >= next.range.first) {
        const [later, earlier] = far.index > next.index ? [far, next] : [next, far];
        if (!reported.has(later.index)) {
          reported.add(later.index);
          reportOverlap(rules, later.index, earlier.index, field, proto, path, context);
        }
      }
      if (far === undefined || next.range.last > far.range.last) far = next;
    }
  }
}

function reportOverlap(
  rules: readonly ForwardedSpec[],
  later: number,
  earlier: number,
  field: "port" | "as",
  proto: string,
  path: Path,
  { entry, report }: Context,
): void {
  const where = field === "port" ? "privately" : "publicly";
  const message = `${proto} ${rules[later]?.[field]} overlaps ${rules[earlier]?.[field]} of another forwarded port ${where}`;
  const place: Path = [...path, later, field];
  const other = { at: entry.at([...path, earlier, field]), what: "the other" };
  report.add({ code: "FG0705", at: entry.at(place), subject: entry, path: place, message, other });
}

function countOf(ports: string): number {
  const range = parsePorts(ports);
  return range === undefined ? 0 : range.last - range.first + 1;
}

function addresses(count: bigint): string {
  return `${count} address${count === 1n ? "" : "es"}`;
}

function add({ entry, report }: Context, code: Code, path: Path, message: string, hint?: string): void {
  report.add({ code, at: entry.at(path), subject: entry, path, message, hint });
}
