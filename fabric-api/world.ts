// All objects of a stream, indexed for the rules: who is called what, which VPC has which VNI and subnets, and who a
// reference means. Rules read this and report; nothing here reports except broken references.

import type { Path } from "./diagnostic.ts";
import { Memo } from "./memo.ts";
import { DEFAULT_NAMESPACE, NameTable, type Resolution } from "./names.ts";
import { type Cidr, parseCidr } from "./prefix.ts";
import type { Finding, Report } from "./report.ts";
import type { KindName } from "./schema/kinds.ts";
import type { Entry } from "./stream/objects.ts";
import { didYouMean } from "./suggest.ts";

/** The group that needs no manifest. There is one in the whole fabric, whichever namespace declares it. */
export const DEFAULT_GROUP = "default";

/** Prefix of an external's name in peerings. */
export const EXTERNAL_PREFIX = "ext.";

/** A routing domain: a VPCInfo, an External, or an External together with the VPCInfo that describes it. */
export interface Domain {
  /** As the fabric knows it; an external's begins with "ext.". */
  readonly name: string;
  readonly external: boolean;
  /** Undefined if no manifest gives one, or if the one that should is broken. */
  readonly vni: number | undefined;
  /** Where the VNI, or else the domain, is written. */
  readonly entry: Entry<"VPCInfo"> | Entry<"External">;
  readonly subnets: readonly Subnet[];
  /** Its manifest is structurally wrong: rules say nothing further about it. */
  readonly broken: boolean;
}

export interface Subnet {
  readonly name: string;
  readonly cidr: Cidr;
  /** Path of the text in the VPCInfo. */
  readonly path: Path;
}

/** A group; `entry` is absent for the implicit default group. */
export interface GroupRef {
  readonly name: string;
  readonly entry?: Entry<"GatewayGroup">;
}

export interface World {
  readonly gateways: readonly Entry<"Gateway">[];
  readonly groups: readonly GroupRef[];
  readonly vpcInfos: readonly Entry<"VPCInfo">[];
  readonly externals: readonly Entry<"External">[];
  readonly peerings: readonly Entry<"GatewayPeering">[];
  /** In source order of the VPCInfos, then of the Externals that stand alone. */
  readonly domains: readonly Domain[];
  readonly gatewayName: (entry: Entry<"Gateway">) => string;
  readonly group: (name: string, fromNamespace: string) => Resolution<GroupRef>;
  readonly groupNames: () => readonly string[];
  readonly domain: (name: string, fromNamespace: string) => Resolution<Domain>;
  readonly domainNames: () => readonly string[];
}

export function buildWorld(entries: readonly Entry[]): World {
  const ofKind = <K extends KindName>(kind: K) => entries.filter((entry): entry is Entry<K> => entry.kind === kind);
  const gateways = ofKind("Gateway");
  const vpcInfos = ofKind("VPCInfo");
  const externals = ofKind("External");

  const gatewayTable = new NameTable<Entry<"Gateway">>();
  for (const entry of gateways) gatewayTable.add(entry.namespace, entry.name, entry);

  const { groups, groupTable } = indexGroups(ofKind("GatewayGroup"));
  const { domains, domainTable } = indexDomains(vpcInfos, externals);
  return {
    gateways,
    groups,
    vpcInfos,
    externals,
    peerings: ofKind("GatewayPeering"),
    domains,
    gatewayName: (entry) => gatewayTable.fabricName(entry.namespace, entry.name),
    group: (name, from) => groupTable.resolve(name, from),
    groupNames: () => groupTable.names(),
    domain: (name, from) => domainTable.resolve(name, from),
    domainNames: () => domainTable.names(),
  };
}

/** What a reference resolved to, or undefined after reporting why not. */
export function expectFound<T>(
  resolution: Resolution<T>,
  report: Report,
  finding: Omit<Finding, "message"> & { readonly value: string },
  what: string,
  known: () => readonly string[],
): T | undefined {
  if ("found" in resolution) return resolution.found;
  if ("missing" in resolution) {
    const message = `there is no ${what} ${finding.value}`;
    const otherwise = typeof finding.hint === "string" ? finding.hint : undefined;
    report.add({ ...finding, message, hint: () => didYouMean(finding.value, known()) ?? otherwise });
    return undefined;
  }
  const holders = [...resolution.ambiguous].sort().join(", ");
  const message = `${what} ${finding.value} is not one but several: namespaces ${holders} each hold one`;
  report.add({
    ...finding,
    code: "FG0505",
    message,
    hint: "move the referring object into the namespace that is meant",
  });
  return undefined;
}

function indexGroups(entries: readonly Entry<"GatewayGroup">[]) {
  const groupTable = new NameTable<GroupRef>();
  const named = entries.filter(({ name }) => name !== DEFAULT_GROUP);
  for (const entry of named) groupTable.add(entry.namespace, entry.name, { name: entry.name, entry });
  const declaredDefault = entries.find(({ name }) => name === DEFAULT_GROUP);
  const defaultGroup: GroupRef =
    declaredDefault === undefined ? { name: DEFAULT_GROUP } : { name: DEFAULT_GROUP, entry: declaredDefault };
  groupTable.add(DEFAULT_NAMESPACE, DEFAULT_GROUP, defaultGroup);

  const groups: GroupRef[] = [defaultGroup];
  // Second pass: names are known to be alone, or not, only when all are there.
  for (const entry of named) {
    const ref = { name: groupTable.fabricName(entry.namespace, entry.name), entry };
    groupTable.add(entry.namespace, entry.name, ref);
    groups.push(ref);
  }
  return { groups, groupTable };
}

function indexDomains(vpcInfos: readonly Entry<"VPCInfo">[], externals: readonly Entry<"External">[]) {
  const vpcTable = new NameTable<Entry<"VPCInfo">>();
  for (const entry of vpcInfos) vpcTable.add(entry.namespace, entry.name, entry);

  const externalOf = new Map<Entry<"VPCInfo">, Entry<"External">>();
  const alone: Entry<"External">[] = [];
  for (const entry of externals) {
    const described = vpcTable.resolve(EXTERNAL_PREFIX + entry.name, entry.namespace);
    if ("found" in described) externalOf.set(described.found, entry);
    else alone.push(entry);
  }

  const names = new NameTable<true>();
  for (const entry of vpcInfos) names.add(entry.namespace, entry.name, true);
  for (const entry of alone) names.add(entry.namespace, EXTERNAL_PREFIX + entry.name, true);

  const domains: Domain[] = [];
  const domainTable = new NameTable<Domain>();
  for (const entry of vpcInfos) {
    const name = names.fabricName(entry.namespace, entry.name);
    const external = externalOf.get(entry);
    const domain = describedDomains.get(entry, [name, external], () => ({
      name,
      external: entry.name.startsWith(EXTERNAL_PREFIX),
      vni: entry.object?.spec.vni,
      entry,
      subnets: subnetsOf(entry),
      broken: entry.object === undefined || (external !== undefined && external.object === undefined),
    }));
    domains.push(domain);
    domainTable.add(entry.namespace, entry.name, domain);
  }
  for (const entry of alone) {
    const ownName = EXTERNAL_PREFIX + entry.name;
    const name = names.fabricName(entry.namespace, ownName);
    const { object } = entry;
    const domain = externalDomains.get(entry, [name], () => ({
      name,
      external: true,
      vni: object?.spec.vni,
      entry,
      subnets: [],
      broken: object === undefined,
    }));
    domains.push(domain);
    domainTable.add(entry.namespace, ownName, domain);
  }
  return { domains, domainTable };
}

const describedDomains = new Memo<Entry<"VPCInfo">, Domain>();
const externalDomains = new Memo<Entry<"External">, Domain>();

function subnetsOf({ object }: Entry<"VPCInfo">): Subnet[] {
  return Object.entries(object?.spec.subnets ?? {}).flatMap(([name, { cidr: text }]) => {
    const cidr = parseCidr(text);
    return cidr === undefined ? [] : [{ name, cidr, path: ["spec", "subnets", name, "cidr"] }];
  });
}
