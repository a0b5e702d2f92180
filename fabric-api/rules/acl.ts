// Rules of a peering's ACL, and what its entries come to: prefixes clipped to what is exposed. A rule sees packets before NAT,
// so `src` is compared with the sender's own addresses and `dst` with those that the other side announces.

import type { Path } from "../diagnostic.ts";
import type { Acl, AclEndpoint, AclRule } from "../fabric.ts";
import { type Cidr, type Family, formatCidr } from "../prefix.ts";
import { cover, type Interval, intersect, type Network } from "../prefix-set.ts";
import type { Report } from "../report.ts";
import type { AclEndpointSpec, AclRuleSpec } from "../schema/acl.ts";
import { parsePorts } from "../schema/formats.ts";
import type { Entry } from "../stream/objects.ts";
import { didYouMean } from "../suggest.ts";
import type { Domain } from "../world.ts";
import { addressesOf, type ExposingPeering, type ExposingSide } from "./expose.ts";
import { add, type ListContext, readCidr, readSubnet } from "./prefix-list.ts";

/** IP protocol numbers by name; `icmp` is that of either address family. */
const PROTOCOLS: Readonly<Record<string, readonly number[]>> = { tcp: [6], udp: [17], icmp: [1, 58] };
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17]);

/** The peering's ACL, if it has one. What is reported is missing in it. */
export function readAcl({ entry, sides }: ExposingPeering, report: Report): Acl | undefined {
  const acl = entry.object?.spec.acl;
  if (acl === undefined) return undefined;
  const context = { entry, report, sides: [aclSide(sides[0]), aclSide(sides[1])] as const };
  checkNames(acl.rules, context);
  const rules = acl.rules.flatMap((rule, index) => readRule(rule, ["spec", "acl", "rules", index], context));
  return { default: acl.default, rules };
}

/** A side as rules see it: the addresses that it sends from, and those that it is reached at. */
interface AclSide {
  readonly key: string;
  readonly domain: Domain;
  /** Of no address in particular: nothing is outside of what it exposes. */
  readonly isDefault: boolean;
  readonly src: readonly Interval[];
  readonly dst: readonly Interval[];
}

interface Context {
  readonly entry: Entry<"GatewayPeering">;
  readonly sides: readonly [AclSide, AclSide];
  readonly report: Report;
}

function aclSide({ key, domain, blocks }: ExposingSide): AclSide {
  return {
    key,
    domain,
    isDefault: blocks.some(({ isDefault }) => isDefault),
    src: addressesOf(blocks.flatMap(({ parts }) => parts)),
    dst: addressesOf(blocks.flatMap(({ publicParts }) => publicParts)),
  };
}

function checkNames(rules: readonly AclRuleSpec[], { entry, report }: Context): void {
  const first = new Map<string, Path>();
  rules.forEach(({ name }, index) => {
    if (name === undefined) return;
    const path: Path = ["spec", "acl", "rules", index, "name"];
    const earlier = first.get(name);
    if (earlier === undefined) {
      first.set(name, path);
      return;
    }
    const other = { at: entry.at(earlier), what: "the first" };
    const message = `another rule of this peering is named ${name}`;
    report.add({ code: "FG0801", at: entry.at(path), subject: entry, path, value: name, message, other });
  });
}

function readRule(rule: AclRuleSpec, path: Path, context: Context): AclRule[] {
  const { name, action, match, scope, log } = rule;
  const protocols = match?.proto === undefined ? undefined : (PROTOCOLS[match.proto] ?? [Number(match.proto)]);
  checkPorts(rule, protocols, path, context);
  const sides = directionOf(rule, path, context);
  if (sides === undefined) return [];
  const [from, to] = sides;
  const src = readEndpoints(match?.src, [...path, "match", "src"], from, "src", context);
  const dst = readEndpoints(match?.dst, [...path, "match", "dst"], to, "dst", context);
  checkFamily(src, dst, path, context);
  return [
    {
      ...(name === undefined ? {} : { name }),
      from: from.domain.name,
      to: to.domain.name,
      action,
      src: src.endpoints,
      dst: dst.endpoints,
      ...(protocols === undefined ? {} : { protocols }),
      scope,
      log,
    },
  ];
}

/** Sender and receiver; one of them is enough, because there are two sides only. */
function directionOf(
  { from, to }: AclRuleSpec,
  path: Path,
  context: Context,
): readonly [from: AclSide, to: AclSide] | undefined {
  const { entry, report, sides } = context;
  const [one, two] = sides;
  if (from === undefined && to === undefined) {
    const message = `needs from or to: one of ${one.key} and ${two.key}`;
    report.add({ code: "FG0802", at: entry.at(path), subject: entry, path, message });
    return undefined;
  }
  const opposite = (side: AclSide | undefined) => side && (side === one ? two : one);
  const sender = from === undefined ? undefined : sideNamed(from, [...path, "from"], context);
  const receiver = to === undefined ? undefined : sideNamed(to, [...path, "to"], context);
  const source = from === undefined ? opposite(receiver) : sender;
  const target = to === undefined ? opposite(sender) : receiver;
  if (source === undefined || target === undefined) return undefined;
  if (source !== target) return [source, target];
  const place: Path = [...path, "to"];
  const message = `from and to are both ${source.key}; traffic within a VPC does not come here`;
  report.add({ code: "FG0804", at: entry.at(place), subject: entry, path: place, value: to, message });
  return undefined;
}

function sideNamed(key: string, path: Path, { entry, report, sides }: Context): AclSide | undefined {
  const side = sides.find((candidate) => candidate.key === key);
  if (side !== undefined) return side;
  const keys = sides.map((candidate) => candidate.key);
  const message = `${key} is not a side of this peering`;
  report.add({
    code: "FG0803",
    at: entry.at(path),
    subject: entry,
    path,
    value: key,
    message,
    hint: didYouMean(key, keys),
  });
  return undefined;
}

function checkPorts(
  { match }: AclRuleSpec,
  protocols: readonly number[] | undefined,
  path: Path,
  { entry, report }: Context,
): void {
  if (protocols?.every((number) => WITH_PORTS.has(number))) return;
  for (const field of ["src", "dst"] as const) {
    match?.[field]?.forEach(({ ports }, index) => {
      if (ports === undefined) return;
      const place: Path = [...path, "match", field, index, "ports"];
      const message = `ports need proto tcp or udp beside them, not ${match.proto ?? "any protocol"}`;
      report.add({ code: "FG0805", at: entry.at(place), subject: entry, path: place, value: ports, message });
    });
  }
}

interface Endpoints {
  readonly endpoints: readonly AclEndpoint[];
  /** Families that can match; undefined where that is not known. */
  readonly families: ReadonlySet<Family> | undefined;
}

function readEndpoints(
  list: readonly AclEndpointSpec[] = [],
  path: Path,
  side: AclSide,
  field: "src" | "dst",
  { entry, report }: Context,
): Endpoints {
  const context = { entry, report, domain: side.domain };
  const exposed = side[field];
  // A side without addresses is broken and reported already.
  const isKnown = side.isDefault || exposed.length > 0;
  const exposedFamilies = new Set(side.isDefault ? ([4, 6] as const) : exposed.map(({ family }) => family));
  const families = new Set<Family>();
  const endpoints = list.map((spec, index): AclEndpoint => {
    const ports = spec.ports === undefined ? undefined : parsePorts(spec.ports);
    const withPorts = ports === undefined ? {} : { ports };
    const found = readAddress(spec, [...path, index], context);
    if (found === undefined) {
      for (const family of exposedFamilies) families.add(family);
      return withPorts;
    }
    families.add(found.cidr.family);
    const prefixes = side.isDefault ? [found.cidr] : clip(found.cidr, exposed);
    if (prefixes.length === 0 && isKnown) {
      const text = formatCidr(found.cidr);
      const message =
        field === "src"
          ? `${side.key} exposes no address of ${text}`
          : `${side.key} announces no address of ${text}: rules see packets before NAT`;
      add(context, "FG0807", found.path, "value", message, text, `exposed: ${shownPrefixes(exposed)}`);
    }
    return { prefixes: prefixes.map(formatCidr), ...withPorts };
  });
  if (!isKnown) return { endpoints, families: undefined };
  return { endpoints, families: list.length === 0 ? exposedFamilies : families };
}

/** The prefix that an entry names; undefined if it names none, or one that is reported. */
function readAddress(spec: AclEndpointSpec, path: Path, context: ListContext): { path: Path; cidr: Cidr } | undefined {
  const { cidr, vpcSubnet } = spec;
  if (cidr !== undefined && vpcSubnet !== undefined) {
    add(context, "FG0806", path, "value", "an entry has at most one of cidr and vpcSubnet");
    return undefined;
  }
  if (cidr !== undefined) return readCidr(cidr, [...path, "cidr"], context)[0];
  return vpcSubnet === undefined ? undefined : readSubnet(vpcSubnet, [...path, "vpcSubnet"], context)[0];
}

/** What of the prefix is exposed; itself if all of it is. */
function clip(cidr: Cidr, exposed: readonly Interval[]): readonly Network[] {
  const [only, ...more] = intersect(cidr, exposed);
  if (only === undefined) return [];
  if (more.length === 0 && only.first === cidr.first && only.last === cidr.last) return [cidr];
  return [only, ...more].flatMap(cover);
}

function checkFamily(src: Endpoints, dst: Endpoints, path: Path, { entry, report }: Context): void {
  const { families } = dst;
  if (src.families === undefined || families === undefined) return;
  if ([...src.families].some((family) => families.has(family))) return;
  const place: Path = [...path, "match"];
  const message = "src and dst have no address family in common, so no packet can match";
  report.add({ code: "FG0808", at: entry.at(place), subject: entry, path: place, message });
}

const SHOWN_PREFIXES = 6;

function shownPrefixes(exposed: readonly Interval[]): string {
  const prefixes = exposed.slice(0, SHOWN_PREFIXES).flatMap(cover).slice(0, SHOWN_PREFIXES).map(formatCidr);
  return `${prefixes.join(", ")}${exposed.length > SHOWN_PREFIXES ? ", …" : ""}`;
}
