// From the underlay's routes to wires: which uplink and neighbour carry packets to a remote VTEP, and which routes the
// kernel gets for the gateway's own traffic. Pure: links, neighbours and routes come in as values.

import type { UnderlayRoute } from "../../bgp/desired.ts";
import type { DataplaneTunnel } from "../../dataplane/desired.ts";
import type { Cidr } from "../../fabric-api/prefix.ts";
import { cidr, contains } from "./prefix.ts";

/** An uplink as the kernel reports it. */
export interface Link {
  readonly name: string;
  /** Administratively up and with carrier. */
  readonly up: boolean;
  readonly mac: string;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  /** Addresses with prefix length. */
  readonly addresses: readonly string[];
}

/** A resolved entry of the kernel's neighbour table. */
export interface Neighbor {
  readonly ip: string;
  readonly link: string;
  readonly mac: string;
}

export interface KernelRoute {
  readonly prefix: string;
  readonly nextHops: readonly { readonly via: string; readonly link: string }[];
}

export interface UnderlayView {
  readonly tunnels: readonly DataplaneTunnel[];
  readonly kernelRoutes: readonly KernelRoute[];
  /** Next hops that the kernel must keep resolved. */
  readonly wantedNeighbors: readonly { readonly ip: string; readonly link: string }[];
}

/**
 * Resolves remote VTEPs over the learned underlay routes. A next hop counts while its uplink is up and its MAC known; a
 * VTEP without any is left out, which makes it unreachable for the dataplane.
 */
export function resolveUnderlay(
  vteps: readonly string[],
  routes: readonly UnderlayRoute[],
  directNeighbors: readonly string[],
  links: readonly Link[],
  neighbors: readonly Neighbor[],
): UnderlayView {
  const connected = links.flatMap((link) => link.addresses.map((address) => ({ link, interval: cidr(address) })));
  const linkOf = (ip: string): Link | undefined => connected.find(({ interval }) => contains(interval, cidr(ip)))?.link;
  const macOf = new Map(neighbors.map((neighbor) => [`${neighbor.link} ${neighbor.ip}`, neighbor.mac]));

  const hops = new Map<string, Link | undefined>();
  const hopLink = (ip: string): Link | undefined => {
    if (!hops.has(ip)) hops.set(ip, linkOf(ip));
    return hops.get(ip);
  };
  for (const ip of directNeighbors) hopLink(ip);
  const table = routes.map((route) => ({ route, interval: cidr(route.prefix) }));
  for (const { route } of table) route.nextHops.forEach(hopLink);

  const tunnels: DataplaneTunnel[] = [];
  for (const vtep of [...new Set(vteps)].sort()) {
    const target = cidr(vtep);
    const route = table
      .filter(({ interval }) => contains(interval, target))
      .reduce<(typeof table)[number] | undefined>(longer, undefined)?.route;
    const paths = (route?.nextHops ?? []).flatMap((ip) => {
      const link = hopLink(ip);
      const mac = link && macOf.get(`${link.name} ${ip}`);
      return link?.up && mac ? [{ link, path: { uplink: link.name, sourceMac: link.mac, nextHopMac: mac } }] : [];
    });
    if (paths.length > 0) {
      tunnels.push({
        vtep,
        mtu: Math.min(...paths.map(({ link }) => link.mtu)),
        paths: paths.map(({ path }) => path),
      });
    }
  }

  return {
    tunnels,
    kernelRoutes: routes.flatMap((route) => {
      const nextHops = route.nextHops.flatMap((via) => {
        const link = hopLink(via);
        return link?.up ? [{ via, link: link.name }] : [];
      });
      return nextHops.length > 0 ? [{ prefix: route.prefix, nextHops }] : [];
    }),
    wantedNeighbors: [...hops].flatMap(([ip, link]) => (link?.up ? [{ ip, link: link.name }] : [])),
  };
}

/** Links that are up and not cut off: of the BGP neighbours behind them, if any, at least one is not declared dead by BFD. */
export function liveUplinks(links: readonly Link[], neighbors: readonly string[], dead: ReadonlySet<string>): string[] {
  return links.flatMap((link) => {
    const behind = neighbors.filter((ip) => link.addresses.some((address) => contains(cidr(address), cidr(ip))));
    const cutOff = behind.length > 0 && behind.every((ip) => dead.has(ip));
    return link.up && !cutOff ? [link.name] : [];
  });
}

function longer<T extends { interval: Cidr }>(best: T | undefined, candidate: T): T {
  return best && best.interval.length >= candidate.interval.length ? best : candidate;
}
