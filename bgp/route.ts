// Routes as they are learned from a neighbour, freed from how gobgpd encodes them: what rib.ts works on.

/** The path attributes that matter here (RFC 4271, 1997, 4360). */
export interface PathAttributes {
  /** Empty if the update carried none. */
  readonly nextHop: string;
  /** AS numbers in path order, those of sets included. */
  readonly asPath: readonly number[];
  /** Length for route selection: an AS_SET counts as one. */
  readonly asPathLength: number;
  /** 0 IGP, 1 EGP, 2 incomplete. */
  readonly origin: number;
  readonly med?: number;
  readonly localPref?: number;
  /** RFC 1997, as 32-bit numbers. */
  readonly communities: readonly number[];
  /** Local (assigned) part of each route target, without the AS: fabrics put the VNI there. */
  readonly routeTargetValues: readonly number[];
  /** Tunnel type of the Encapsulation extended community; 8 is VXLAN. */
  readonly encapsulation?: number;
  /** Router's MAC extended community (RFC 9135), lower case. */
  readonly routerMac?: string;
}

/** What a route is about. `rd`, `ethernetTag` and the addresses together identify an EVPN route. */
export type Nlri =
  | { readonly kind: "unicast"; readonly prefix: string }
  | {
      /** EVPN type 5. */
      readonly kind: "prefix";
      readonly rd: string;
      readonly ethernetTag: number;
      readonly prefix: string;
      readonly gatewaySet: boolean;
      readonly esiSet: boolean;
      readonly label: number;
    }
  | {
      /** EVPN type 2; `ip` is empty where only the MAC is announced. */
      readonly kind: "mac-ip";
      readonly rd: string;
      readonly ethernetTag: number;
      readonly mac: string;
      readonly ip: string;
      readonly labels: readonly number[];
    }
  | {
      /** EVPN types 1, 3, 4: only their next hop is of interest. */
      readonly kind: "other-evpn";
      readonly key: string;
    };

/** One route of one neighbour; without attributes it is a withdrawal. */
export interface LearnedRoute {
  readonly peer: string;
  readonly nlri: Nlri;
  readonly attributes?: PathAttributes;
}

/** Identity of a route within its neighbour's Adj-RIB-In. */
export function nlriKey(nlri: Nlri): string {
  switch (nlri.kind) {
    case "unicast":
      return `u|${nlri.prefix}`;
    case "prefix":
      return `5|${nlri.rd}|${nlri.ethernetTag}|${nlri.prefix}`;
    case "mac-ip":
      return `2|${nlri.rd}|${nlri.ethernetTag}|${nlri.mac}|${nlri.ip}`;
    case "other-evpn":
      return nlri.key;
  }
}
