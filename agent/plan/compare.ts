// compareFabrics(before, after) → what would change for every gateway: its own values, sessions, the peerings it serves, their
// policy, the routes it announces. Values, for `fabgate diff` to print; pure.

import { isDeepStrictEqual } from "node:util";
import type { Fabric, Gateway } from "../../fabric-api/fabric.ts";
import { UnsupportedError } from "../errors.ts";
import type { SignalOptions } from "./announcements.ts";
import { type Plan, plan } from "./plan.ts";
import { policyLines } from "./policy-text.ts";

/** What of a list is new, gone and different. */
export interface Changes<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
  readonly changed: readonly { readonly before: T; readonly after: T }[];
}

export interface GatewayChanges {
  readonly gateway: string;
  readonly state: "added" | "removed" | "changed" | "unchanged";
  /** Addresses, AS and uplinks as "name value". */
  readonly settings: Changes<Setting>;
  readonly sessions: Changes<Session>;
  readonly peerings: Changes<Served>;
  /** The VPCs whose traffic it carries. */
  readonly vpcs: Changes<ServedVpc>;
  readonly policy: Changes<Policy>;
  readonly routes: Changes<Route>;
  /** Why the gateway would refuse the new manifests and keep the plan that it has. */
  readonly refused: readonly string[];
}

export interface Setting {
  readonly name: string;
  readonly value: string;
}

export interface Session {
  readonly address: string;
  readonly asn: number;
  readonly local?: string;
}

export interface Served {
  readonly peering: string;
  readonly group: string;
  readonly rank: number;
}

export interface ServedVpc {
  readonly name: string;
  readonly vni: number;
}

export interface Policy {
  readonly peering: string;
  readonly lines: readonly string[];
}

export interface Route {
  /** VPC that receives it. */
  readonly into: string;
  /** Its VNI: part of the route's label, target and distinguisher. */
  readonly vni: number;
  readonly prefix: string;
  /** VPC that its traffic goes to. */
  readonly destination: string;
  readonly peering: string;
  readonly communities: readonly string[];
  readonly med?: number;
}

/** One entry for each gateway of either fabric, in byte order of the names. */
export function compareFabrics(before: Fabric, after: Fabric, options: SignalOptions = {}): GatewayChanges[] {
  const names = new Set([...before.gateways, ...after.gateways].map(({ name }) => name));
  return [...names]
    .sort()
    .map((name) => compareGateway(name, viewOf(before, name, options), viewOf(after, name, options)));
}

/** Lists by key. Order does not count. */
export function compareLists<T>(before: readonly T[], after: readonly T[], keyOf: (item: T) => string): Changes<T> {
  const old = new Map(before.map((item) => [keyOf(item), item]));
  const added: T[] = [];
  const changed: { before: T; after: T }[] = [];
  for (const item of after) {
    const earlier = old.get(keyOf(item));
    old.delete(keyOf(item));
    if (earlier === undefined) added.push(item);
    else if (!isDeepStrictEqual(earlier, item)) changed.push({ before: earlier, after: item });
  }
  return { added, removed: [...old.values()], changed };
}

export function isEmpty({ added, removed, changed }: Changes<unknown>): boolean {
  return added.length + removed.length + changed.length === 0;
}

interface View {
  readonly there: boolean;
  readonly settings: readonly Setting[];
  readonly sessions: readonly Session[];
  readonly peerings: readonly Served[];
  readonly vpcs: readonly ServedVpc[];
  readonly policy: readonly Policy[];
  readonly routes: readonly Route[];
  readonly refused: readonly string[];
}

const NOTHING: View = {
  there: false,
  settings: [],
  sessions: [],
  peerings: [],
  vpcs: [],
  policy: [],
  routes: [],
  refused: [],
};

function viewOf(fabric: Fabric, name: string, options: SignalOptions): View {
  const gateway = fabric.gateways.find((candidate) => candidate.name === name);
  if (gateway === undefined) return NOTHING;
  const ranks = new Map(
    fabric.groups.map((group) => [group.name, group.members.findIndex((member) => member.gateway === name)]),
  );
  const served = fabric.peerings.filter(({ group }) => (ranks.get(group) ?? -1) >= 0);
  const carried = new Set(served.flatMap(({ sides }) => sides.map(({ vpc }) => vpc)));
  const { routes, refused } = routesOf(fabric, name, options);
  return {
    there: true,
    settings: settingsOf(gateway),
    sessions: gateway.neighbors.map(({ ip, asn, source }) => ({
      address: ip,
      asn,
      ...(source === undefined ? {} : { local: source }),
    })),
    peerings: served.map(({ id, group }) => ({ peering: id, group, rank: ranks.get(group) ?? 0 })),
    vpcs: fabric.vpcs.filter((vpc) => carried.has(vpc.name)).map(({ name: vpc, vni }) => ({ name: vpc, vni })),
    policy: served.map((peering) => ({ peering: peering.id, lines: policyLines(peering) })),
    routes,
    refused,
  };
}

function routesOf(
  fabric: Fabric,
  name: string,
  options: SignalOptions,
): { routes: Route[]; refused: readonly string[] } {
  let planned: Plan;
  try {
    planned = plan(fabric, name, options);
  } catch (error) {
    if (error instanceof UnsupportedError) return { routes: [], refused: error.messages };
    throw error;
  }
  const routes = planned.bgp.announcements.map(({ into, destination, peering, route }) => ({
    into,
    vni: route.vni,
    prefix: route.prefix,
    destination: destination.vpc,
    peering,
    communities: route.communities,
    ...(route.med === undefined ? {} : { med: route.med }),
  }));
  return { routes, refused: [] };
}

function settingsOf(gateway: Gateway): Setting[] {
  const { asn, protocolIp, vtepIp, vtepMac, vtepMtu, interfaces, flowTableCapacity } = gateway;
  const uplinks = interfaces.map(({ name, kernel, ips, mtu }) => ({
    name: `interface ${name}`,
    value: [kernel === name ? "" : kernel, ...ips, mtu === undefined ? "" : `mtu ${mtu}`].filter(Boolean).join(" "),
  }));
  const own = { asn, protocolIP: protocolIp, vtepIP: vtepIp, vtepMAC: vtepMac, vtepMTU: vtepMtu, flowTableCapacity };
  const values = Object.entries(own).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value: String(value) }],
  );
  return [...values, ...uplinks];
}

function compareGateway(gateway: string, before: View, after: View): GatewayChanges {
  const changes = {
    settings: compareLists(before.settings, after.settings, ({ name }) => name),
    sessions: compareLists(before.sessions, after.sessions, ({ address }) => address),
    peerings: compareLists(before.peerings, after.peerings, ({ peering }) => peering),
    vpcs: compareLists(before.vpcs, after.vpcs, (vpc) => vpc.name),
    policy: compareLists(before.policy, after.policy, ({ peering }) => peering),
    routes: compareLists(before.routes, after.routes, ({ into, prefix }) => `${into} ${prefix}`),
  };
  const differs =
    Object.values(changes).some((each) => !isEmpty(each)) || !isDeepStrictEqual(before.refused, after.refused);
  const state = !before.there ? "added" : !after.there ? "removed" : differs ? "changed" : "unchanged";
  return { gateway, state, ...changes, refused: after.refused };
}
