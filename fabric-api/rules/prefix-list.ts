// One list of prefixes: `ips` or `as` of an expose block. What its entries mean, and its effective set: what is included minus
// what `not` takes away.

import type { Code } from "../codes.ts";
import type { Path } from "../diagnostic.ts";
import { type Cidr, formatCidr, parseCidr } from "../prefix.ts";
import { exclude, type Network, union } from "../prefix-set.ts";
import type { Finding, Report } from "../report.ts";
import type { IncludedSpec } from "../schema/peering.ts";
import type { Entry } from "../stream/objects.ts";
import { didYouMean } from "../suggest.ts";
import type { Domain } from "../world.ts";
import { warnOfHostBits } from "./host-bits.ts";
import { isEverything, specialRangeIn } from "./special-ranges.ts";

/** One included prefix of a list. */
export interface Part {
  /** Path of the text that includes it. */
  readonly path: Path;
  readonly cidr: Cidr;
  /** What exclusions leave of it; the prefix itself if none cuts it. */
  readonly rest: readonly Network[];
}

/** Whose list it is, and where findings go. */
export interface ListContext {
  readonly entry: Entry<"GatewayPeering">;
  readonly domain: Domain;
  readonly report: Report;
}

/** `ips`: addresses of the VPC itself. */
export function readIps(ips: readonly IncludedSpec[], path: Path, context: ListContext): Part[] {
  return readList(ips, ["cidr", "not", "vpcSubnet"], path, context);
}

/** `as`: any routable addresses. */
export function readAs(as: readonly AsSpec[], path: Path, context: ListContext): Part[] {
  return readList(as, ["cidr", "not"], path, context);
}

type AsSpec = Pick<IncludedSpec, "cidr" | "not">;
type EntryKey = keyof IncludedSpec;

function readList(list: readonly IncludedSpec[], keys: readonly EntryKey[], path: Path, context: ListContext): Part[] {
  const ofVpc = keys.includes("vpcSubnet");
  const included: { path: Path; cidr: Cidr }[] = [];
  const excluded: { path: Path; cidr: Cidr }[] = [];
  list.forEach((item, index) => {
    const itemPath: Path = [...path, index];
    if (!checkOneOf(item, keys, itemPath, context)) return;
    const { cidr, not, vpcSubnet } = item;
    if (cidr !== undefined) {
      const read = readCidr(cidr, [...itemPath, "cidr"], context);
      if (ofVpc) for (const one of read) checkOfVpc(one, cidr, context);
      included.push(...read);
    }
    if (not !== undefined) excluded.push(...readCidr(not, [...itemPath, "not"], context));
    if (vpcSubnet !== undefined) included.push(...readSubnet(vpcSubnet, [...itemPath, "vpcSubnet"], context));
  });
  if (list.every(({ cidr, vpcSubnet }) => cidr === undefined && vpcSubnet === undefined)) {
    add(context, "FG0604", path, "key", "the list includes nothing; it needs an entry that is not a `not`");
  }
  checkOneFamily([...included, ...excluded], context);

  const holes = union(excluded.map(({ cidr }) => cidr));
  const parts = included.map(({ path: partPath, cidr }) => ({ path: partPath, cidr, rest: exclude(cidr, holes) }));
  if (parts.length > 0 && parts.every(({ rest }) => rest.length === 0)) {
    add(context, "FG0608", path, "value", "the exclusions leave nothing of what is included");
  }
  // 0.0.0.0/0 or ::/0 of an external means what is routable of it.
  const routable = parts.filter(({ cidr }) => !(ofVpc && context.domain.external && isEverything(cidr)));
  for (const part of routable) checkRoutable(part, context);
  return parts;
}

/** Whether the item has exactly one of the keys. */
function checkOneOf(item: object, keys: readonly string[], path: Path, context: ListContext): boolean {
  const present = Object.entries(item).filter(([, value]) => value !== undefined);
  if (present.length === 1) return true;
  const list = `${keys.slice(0, -1).join(", ")} and ${keys.at(-1)}`;
  const found = present.length === 0 ? "has none" : `has ${present.map(([key]) => key).join(" and ")}`;
  add(context, "FG0603", path, "value", `an entry has exactly one of ${list}, this one ${found}`);
  return false;
}

/** The prefix, with a warning if host bits are set. In a list because the text may be no prefix at all. */
export function readCidr(text: string, path: Path, { entry, report }: ListContext): { path: Path; cidr: Cidr }[] {
  const cidr = parseCidr(text);
  if (cidr === undefined) return [];
  if (cidr.hostBits) warnOfHostBits(entry, path, text, report);
  return [{ path, cidr }];
}

function checkOfVpc({ path, cidr }: { path: Path; cidr: Cidr }, text: string, context: ListContext): void {
  const { domain } = context;
  if (domain.external && isEverything(cidr)) {
    const hint = "write default: true: it may overlap what others expose";
    add(context, "FG0610", path, "value", `${text} exposes everything as a prefix`, text, hint);
  }
  if (!domain.external && !domain.broken) checkWithinSubnet(cidr, text, path, context);
}

function checkWithinSubnet(cidr: Cidr, text: string, path: Path, context: ListContext): void {
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

/** The subnet of that name. In a list because there may be none. */
export function readSubnet(subnetName: string, path: Path, context: ListContext): { path: Path; cidr: Cidr }[] {
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

/** Reports the first that is not of the first one's family. */
export function checkOneFamily(
  items: readonly { readonly path: Path; readonly cidr: Cidr }[],
  context: ListContext,
): void {
  const first = items[0];
  const odd = items.find(({ cidr }) => cidr.family !== first?.cidr.family);
  if (first === undefined || odd === undefined) return;
  const text = formatCidr(odd.cidr);
  const message = `${text} is IPv${odd.cidr.family} in a block that begins with IPv${first.cidr.family}`;
  add(context, "FG0611", odd.path, "value", message, text, "give each address family its own expose block");
}

/** Addresses that no host may have are not exposed. */
function checkRoutable({ path, cidr, rest }: Part, context: ListContext): void {
  for (const network of rest) {
    const special = specialRangeIn(network);
    if (special === undefined) continue;
    const text = formatCidr(cidr);
    add(context, "FG0609", path, "value", `${text} includes addresses of ${special.prefix} (${special.meaning})`, text);
    return;
  }
}

/** Reports a finding about a field of the peering. */
export function add(
  { entry, report }: ListContext,
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
