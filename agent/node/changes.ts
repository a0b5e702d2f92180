// What has to be changed on the node, as iproute2 command lines. Pure: the plan and what the kernel reports come in.

import type { NodePlan } from "../plan/plan.ts";
import type { KernelRoute, Link } from "../plan/underlay.ts";

/** A link of the node with what only the node's set-up needs. */
export type NodeLink = Link & { readonly adminUp: boolean };

export interface NodeChanges {
  readonly commands: readonly string[];
  /** What the plan wants and this node cannot give. */
  readonly problems: readonly string[];
}

/** Addresses, MTU and state of the declared interfaces and of `lo`. Only adds: what was not declared is not touched. */
export function interfaceChanges(wanted: NodePlan, links: readonly NodeLink[]): NodeChanges {
  const commands: string[] = [];
  const problems: string[] = [];
  const byName = new Map(links.map((link) => [link.name, link]));
  const declared = [
    ...wanted.interfaces,
    { name: "lo", ips: wanted.loopback } satisfies NodePlan["interfaces"][number],
  ];
  for (const { name, ips, mtu } of declared) {
    const link = byName.get(name);
    if (!link) {
      problems.push(`interface ${name} does not exist`);
      continue;
    }
    if (mtu !== undefined && link.mtu !== mtu) commands.push(`link set dev ${name} mtu ${mtu}`);
    for (const ip of ips) if (!link.addresses.includes(ip)) commands.push(`address add ${ip} dev ${name}`);
    if (!link.adminUp) commands.push(`link set dev ${name} up`);
  }
  return { commands, problems };
}

/** Addresses that the previous plan of this agent declared and the new one does not. */
export function addressRemovals(previous: NodePlan, wanted: NodePlan, links: readonly NodeLink[]): string[] {
  const keep = new Set(addressesOf(wanted));
  const present = new Set(links.flatMap((link) => link.addresses.map((ip) => `${ip} dev ${link.name}`)));
  return addressesOf(previous)
    .filter((address) => !keep.has(address) && present.has(address))
    .map((address) => `address del ${address}`);
}

function addressesOf(plan: NodePlan): string[] {
  return [
    ...plan.interfaces.flatMap(({ name, ips }) => ips.map((ip) => `${ip} dev ${name}`)),
    ...plan.loopback.map((ip) => `${ip} dev lo`),
  ];
}

/** Difference between the kernel's `proto bgp` routes and the wanted ones. */
export function routeChanges(current: readonly KernelRoute[], wanted: readonly KernelRoute[]): string[] {
  const have = new Map(current.map((route) => [route.prefix, hopsText(route)]));
  const commands: string[] = [];
  for (const route of wanted) {
    const hops = hopsText(route);
    if (have.get(route.prefix) !== hops) commands.push(`route replace ${route.prefix} proto bgp ${hops}`);
    have.delete(route.prefix);
  }
  for (const prefix of have.keys()) commands.push(`route del ${prefix} proto bgp`);
  return commands;
}

function hopsText(route: KernelRoute): string {
  const hops = route.nextHops.map((hop) => `via ${hop.via} dev ${hop.link}`).sort();
  return hops.length === 1 ? (hops[0] ?? "") : hops.map((hop) => `nexthop ${hop}`).join(" ");
}
