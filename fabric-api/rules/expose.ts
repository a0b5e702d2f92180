// One expose block at a time: its form, what its entries mean, and its effective set (what is included minus what `not`
// takes away). The result is what the rules across blocks, and later the fabric, work with.

import type { Code } from "../codes.ts";
import type { Path } from "../diagnostic.ts";
import { type Cidr, type Family, formatCidr, parseCidr } from "../prefix.ts";
import { exclude, type Network, union } from "../prefix-set.ts";
import type { Finding, Report } from "../report.ts";
import type { ExposeSpec, IncludedSpec } from "../schema/peering.ts";
import type { Entry } from "../stream/objects.ts";
import { didYouMean } from "../suggest.ts";
import type { Domain } from "../world.ts";
import { warnOfHostBits } from "./host-bits.ts";
import type { Side, TwoSided } from "./sides.ts";
import { isEverything, specialRangeIn } from "./special-ranges.ts";

/** One included prefix of a block. */
export interface Part {
  /** Path of the text that includes it. */
  readonly path: Path;
  readonly cidr: Cidr;
  /** What exclusions leave of it; the prefix itself if none cuts it. */
  readonly rest: readonly Network[];
}

export interface Block {
  readonly index: number;
  readonly path: Path;
  readonly isDefault: boolean;
  /** Included prefixes in the order written. Empty for the default, and for blocks that are broken. */
  readonly parts: readonly Part[];
}

export interface ExposingSide extends Side {
  readonly blocks: readonly Block[];
}

export interface ExposingPeering {
  readonly entry: Entry<"GatewayPeering">;
  readonly sides: readonly [ExposingSide, ExposingSide];
}

export function checkExposes(peerings: readonly TwoSided[], report: Report): ExposingPeering[] {
  return peerings.map(({ entry, sides: [one, two] }) => ({
    entry,
    sides: [readSide(entry, one, report), readSide(entry, two, report)],
  }));
}

function readSide(entry: Entry<"GatewayPeering">, side: Side, report: Report): ExposingSide {
  const blocks = side.expose.map((expose, index): Block => {
    const path: Path = [...side.path, "expose", index];
    const context = { entry, path, report, domain: side.domain };
    checkForm(expose, context);
    const parts = expose.ips === undefined || expose.default ? [] : readIps(expose.ips, context);
    return { index, path, isDefault: expose.default, parts };
  });
  return { ...side, blocks };
}

interface Context {
  readonly entry: Entry<"GatewayPeering">;
  /** Of the block. */
  readonly path: Path;
  readonly domain: Domain;
  readonly report: Report;
}

/** Which fields may stand together. */
function checkForm({ default: isDefault, ips, as, nat }: ExposeSpec, context: Context): void {
  const { path } = context;
  if (isDefault) {
    const beside = Object.entries({ ips, as, nat }).flatMap(([key, value]) => (value === undefined ? [] : [key]));
    for (const key of beside) {
      add(context, "FG0601", [...path, key], "key", `default: true stands alone; ${key} cannot be beside it`);
    }
    return;
  }
  if (ips === undefined) {
    add(context, "FG0602", path, "value", "an expose block needs ips, or default: true");
  }
  if ((as === undefined) !== (nat === undefined)) {
    const [there, missing] = as === undefined ? ["nat", "as"] : ["as", "nat"];
    add(context, "FG0617", [...path, there], "key", `${there} needs ${missing} beside it`);
  }
  if (nat !== undefined) {
    const count = Object.values(nat).filter((one) => one !== undefined).length;
    const message = `nat has exactly one of static, masquerade and portForward, here are ${count}`;
    if (count !== 1) add(context, "FG0618", [...path, "nat"], "key", message);
  }
  if (as !== undefined) {
    for (const [index, item] of as.entries()) checkOneOf(item, ["cidr", "not"], [...path, "as", index], context);
    checkIncludes(
      as.some(({ cidr }) => cidr !== undefined),
      [...path, "as"],
      context,
    );
  }
}

function readIps(ips: readonly IncludedSpec[], context: Context): Part[] {
  const path: Path = [...context.path, "ips"];
  const included: { path: Path; cidr: Cidr }[] = [];
  const excluded: { path: Path; cidr: Cidr }[] = [];
  ips.forEach((item, index) => {
    const itemPath: Path = [...path, index];
    if (!checkOneOf(item, ["cidr", "not", "vpcSubnet"], itemPath, context)) return;
    const { cidr, not, vpcSubnet } = item;
    if (cidr !== undefined) included.push(...readCidr(cidr, [...itemPath, "cidr"], context, true));
    if (not !== undefined) excluded.push(...readCidr(not, [...itemPath, "not"], context, false));
    if (vpcSubnet !== undefined) included.push(...readSubnet(vpcSubnet, [...itemPath, "vpcSubnet"], context));
  });
  const includes = ips.some(({ cidr, vpcSubnet }) => cidr !== undefined || vpcSubnet !== undefined);
  checkIncludes(includes, path, context);
  checkOneFamily([...included, ...excluded], context);

  const holes = union(excluded.map(({ cidr }) => cidr));
  const parts = included.map(({ path: partPath, cidr }) => ({ path: partPath, cidr, rest: exclude(cidr, holes) }));
  if (parts.length > 0 && parts.every(({ rest }) => rest.length === 0)) {
    add(context, "FG0608", path, "value", "the exclusions leave nothing of what is included");
  }
  for (const part of parts) checkRoutable(part, context);
  return parts;
}

/** Whether the item has exactly one of the keys. */
function checkOneOf(item: object, keys: readonly string[], path: Path, context: Context): boolean {
  const present = Object.entries(item).filter(([, value]) => value !== undefined);
  if (present.length === 1) return true;
  const list = `${keys.slice(0, -1).join(", ")} and ${keys.at(-1)}`;
  const found = present.length === 0 ? "has none" : `has ${present.map(([key]) => key).join(" and ")}`;
  add(context, "FG0603", path, "value", `an entry has exactly one of ${list}, this one ${found}`);
  return false;
}

function checkIncludes(includes: boolean, path: Path, context: Context): void {
  if (!includes)
    add(context, "FG0604", path, "key", "the list includes nothing; it needs an entry that is not a `not`");
}

function readCidr(text: string, path: Path, context: Context, included: boolean): { path: Path; cidr: Cidr }[] {
  const cidr = parseCidr(text);
  if (cidr === undefined) return [];
  const { domain, entry, report } = context;
  warnOfHostBits(entry, path, text, report);
  if (included && domain.external && isEverything(cidr)) {
    const hint = "write default: true: it may overlap what others expose";
    add(context, "FG0610", path, "value", `${text} exposes everything as a prefix`, text, hint);
  }
  if (included && !domain.external && !domain.broken) checkWithinSubnet(cidr, text, path, context);
  return [{ path, cidr }];
}

function checkWithinSubnet(cidr: Cidr, text: string, path: Path, context: Context): void {
  const { name, subnets } = context.domain;
  const holds = (one: Cidr) => one.family === cidr.family && one.first <= cidr.first && cidr.last <= one.last;
  if (subnets.some((subnet) => holds(subnet.cidr))) return;
  const touching = subnets.filter(
    ({ cidr: one }) => one.family === cidr.family && one.first <= cidr.last && cidr.first <= one.last,
  );
  const near = touching.length > 0 ? touching : subnets;
  const listed = near.slice(0, 8).map((subnet) => `${subnet.name} ${formatCidr(subnet.cidr)}`);
  const hint =
    subnets.length === 0
      ? `VPC ${name} has no subnets`
      : `subnets: ${listed.join(", ")}${near.length > 8 ? ", …" : ""}`;
  add(context, "FG0605", path, "value", `${text} is not within one subnet of VPC ${name}`, text, hint);
}

function readSubnet(subnetName: string, path: Path, context: Context): { path: Path; cidr: Cidr }[] {
  const { domain } = context;
  if (domain.external) {
    add(
      context,
      "FG0607",
      path,
      "value",
      `${domain.name} is an external and has no VPC subnets`,
      subnetName,
      "use cidr",
    );
    return [];
  }
  const subnet = domain.subnets.find(({ name }) => name === subnetName);
  if (subnet !== undefined) return [{ path, cidr: subnet.cidr }];
  if (!domain.broken) {
    const hint = () =>
      didYouMean(
        subnetName,
        domain.subnets.map(({ name }) => name),
      );
    add(context, "FG0606", path, "value", `VPC ${domain.name} has no subnet ${subnetName}`, subnetName, hint);
  }
  return [];
}

function checkOneFamily(items: readonly { path: Path; cidr: Cidr }[], context: Context): void {
  const first = items[0];
  const odd = items.find(({ cidr }) => cidr.family !== first?.cidr.family);
  if (first === undefined || odd === undefined) return;
  const text = formatCidr(odd.cidr);
  const message = `${text} is IPv${odd.cidr.family} in a block that begins with IPv${first.cidr.family}`;
  add(context, "FG0611", odd.path, "value", message, text, "give each address family its own expose block");
}

/** Addresses that no host may have are not exposed. 0.0.0.0/0 or ::/0 of an external means what is routable of it. */
function checkRoutable({ path, cidr, rest }: Part, context: Context): void {
  if (context.domain.external && isEverything(cidr)) return;
  for (const network of rest) {
    const special = specialRangeIn(network);
    if (special === undefined) continue;
    const text = formatCidr(cidr);
    add(context, "FG0609", path, "value", `${text} includes addresses of ${special.prefix} (${special.meaning})`, text);
    return;
  }
}

/** Families that a side exposes as prefixes. */
export function familiesOf(side: ExposingSide): Set<Family> {
  return new Set(side.blocks.flatMap(({ parts }) => parts.map(({ cidr }) => cidr.family)));
}

function add(
  { entry, report }: Context,
  code: Code,
  path: Path,
  target: "key" | "value",
  message: string,
  value?: string,
  hint?: Finding["hint"],
): void {
  const finding = { code, at: entry.at(path, target), subject: entry, path, message, hint };
  report.add(value === undefined ? finding : { ...finding, value });
}
