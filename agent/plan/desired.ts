// From the plan and what is learned to the actuators' desired states. Pure.

import type { BgpDesired, EvpnPrefixRoute, OverlayPath } from "../../bgp/desired.ts";
import type { DataplaneRoute } from "../../dataplane/desired.ts";
import type { Plan } from "./plan.ts";

/** What gobgpd shall hold when these overlay routes are to be announced. */
export function bgpDesired(plan: Plan, overlay: readonly EvpnPrefixRoute[]): BgpDesired {
  const { asn, routerId, peers, underlay } = plan.bgp;
  return { asn, routerId, peers, underlay, overlay };
}

/** What makes a type-5 route of ours the same route: RD and prefix. */
export function overlayKey(route: EvpnPrefixRoute): string {
  return `${route.rd} ${route.prefix}`;
}

/** Learned paths grouped into the dataplane's routes, paths in canonical order and each once. */
export function dataplaneRoutes(paths: readonly OverlayPath[]): DataplaneRoute[] {
  const routes = new Map<
    string,
    { vni: number; prefix: string; paths: Map<string, DataplaneRoute["paths"][number]> }
  >();
  for (const { vni, prefix, vtep, routerMac } of paths) {
    const key = `${vni} ${prefix}`;
    let route = routes.get(key);
    if (!route) {
      route = { vni, prefix, paths: new Map() };
      routes.set(key, route);
    }
    route.paths.set(`${vtep} ${routerMac}`, { vtep, vni, routerMac });
  }
  return [...routes.values()].map((route) => ({
    vni: route.vni,
    prefix: route.prefix,
    paths: [...route.paths].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path),
  }));
}
