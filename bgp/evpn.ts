// What an EVPN route means for forwarding between IP-VRFs: the usability rules of RFC 9136 (type 5, interface-less) and of RFC
// 9135 (type 2 with an IP and the L3 VNI as second label). Pure; used by rib.ts.

import type { Nlri, PathAttributes } from "./route.ts";

/** Tunnel type VXLAN (RFC 8365 section 11). */
export const ENCAPSULATION_VXLAN = 8;

/** Why a learned route cannot be used; the keys of BgpSnapshot.unusable. */
export type UnusableReason =
  /** Our own AS is in the path (RFC 4271 section 9). */
  | "as-loop"
  /** RFC 9136 section 3.2: treat as withdraw. */
  | "esi-and-gateway-ip"
  /** An overlay index is set; recursive resolution is not what an interface-less gateway does. */
  | "gateway-ip"
  | "esi"
  | "no-router-mac"
  | "no-route-target"
  | "no-next-hop"
  | "encapsulation";

/** The inner destination that an EVPN route adds to each of the VPC tables `vnis`. */
export interface Reachability {
  readonly vnis: readonly number[];
  readonly prefix: string;
  readonly routerMac: string;
}

/**
 * What a type-5 or type-2 route offers. A route target names the table: any AS, the value being the VNI. `undefined`: nothing
 * between VRFs (types 1, 3, 4, and type 2 without an IP or without an L3 VNI), which is no fault.
 */
export function reachability(nlri: Nlri, attributes: PathAttributes): Reachability | UnusableReason | undefined {
  if (nlri.kind === "prefix") {
    if (nlri.esiSet && nlri.gatewaySet) return "esi-and-gateway-ip";
    if (nlri.gatewaySet) return "gateway-ip";
    if (nlri.esiSet) return "esi";
    return usable(nlri.prefix, attributes.routeTargetValues, attributes);
  }
  if (nlri.kind === "mac-ip" && nlri.ip !== "" && nlri.labels.length > 1) {
    // The route target of the bridge domain, whose VNI is the first label, is there as well; no VPC table belongs to it.
    const tables = attributes.routeTargetValues.filter((value) => value !== nlri.labels[0]);
    return usable(`${nlri.ip}/${nlri.ip.includes(":") ? 128 : 32}`, tables, attributes);
  }
  return undefined;
}

function usable(prefix: string, tables: readonly number[], attributes: PathAttributes): Reachability | UnusableReason {
  if (attributes.nextHop === "") return "no-next-hop";
  if ((attributes.encapsulation ?? ENCAPSULATION_VXLAN) !== ENCAPSULATION_VXLAN) return "encapsulation";
  if (attributes.routerMac === undefined) return "no-router-mac";
  if (tables.length === 0) return "no-route-target";
  return { vnis: [...new Set(tables)], prefix, routerMac: attributes.routerMac };
}
