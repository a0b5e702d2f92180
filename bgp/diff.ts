// From what gobgpd holds to what it shall hold: an ordered list of actions. Pure; speaker.ts performs them.
//
// The order is what keeps packets flowing. Our VTEP must be in the underlay before any overlay route points to it and must
// stay until the last one has gone. Additions come before withdrawals (make before break). Neighbours are added when the routes
// are in place, so that their first table is already complete. Identical routes are never touched: a route that is sent again,
// or changes needlessly, can cost a leaf its router-MAC entry.

import type { BgpDesired, BgpPeer, EvpnPrefixRoute } from "./desired.ts";

/** What gobgpd holds of ours. */
export interface BgpHeld {
  /** Undefined: gobgpd runs, but BGP has not been started in it. */
  readonly global?: { readonly asn: number; readonly routerId: string };
  readonly peers: readonly HeldPeer[];
  readonly underlay: readonly string[];
  readonly overlay: readonly EvpnPrefixRoute[];
}

export interface HeldPeer extends BgpPeer {
  /** Timers, families and graceful restart are those that we configure. */
  readonly standard: boolean;
  /** Of an established session also where none was configured: the one that the kernel chose. */
  readonly localAddress?: string;
}

export type BgpAction =
  /** Ends every session and forgets every route: only for another AS number or router id. */
  | { readonly kind: "stop" }
  | { readonly kind: "start"; readonly asn: number; readonly routerId: string }
  | { readonly kind: "announce-underlay"; readonly prefixes: readonly string[] }
  | { readonly kind: "announce-overlay"; readonly routes: readonly EvpnPrefixRoute[] }
  | { readonly kind: "delete-peer"; readonly peer: BgpPeer }
  /** `restarting`: gobgpd has just been started; a neighbour that kept our underlay routes shall keep them until they come again. */
  | { readonly kind: "add-peer"; readonly peer: BgpPeer; readonly restarting: boolean }
  | { readonly kind: "withdraw-overlay"; readonly routes: readonly EvpnPrefixRoute[] }
  /** Waits until the withdrawals before it have taken effect in the fabric. */
  | { readonly kind: "settle" }
  | { readonly kind: "withdraw-underlay"; readonly prefixes: readonly string[] };

export const NOTHING_HELD: BgpHeld = { peers: [], underlay: [], overlay: [] };

/** What must be done, in this order, to get from `held` to `desired`. Nothing to do: an empty list. */
export function diff(held: BgpHeld, desired: BgpDesired): BgpAction[] {
  const { asn, routerId } = desired;
  const actions: BgpAction[] = [];
  let from = held;
  if (!held.global || held.global.asn !== asn || held.global.routerId !== routerId) {
    if (held.global) actions.push({ kind: "stop" });
    actions.push({ kind: "start", asn, routerId });
    from = NOTHING_HELD;
  }

  const wanted = new Map(effectiveOverlay(desired).map((route) => [routeKey(route), route]));
  const present = new Map(from.overlay.map((route) => [routeKey(route), route]));
  const newRoutes = [...wanted].filter(([key, route]) => !sameRoute(present.get(key), route)).map(([, route]) => route);
  const oldRoutes = from.overlay.filter((route) => !wanted.has(routeKey(route)));
  const newUnderlay = without(desired.underlay, from.underlay);
  const oldUnderlay = without(from.underlay, desired.underlay);

  if (newUnderlay.length > 0) actions.push({ kind: "announce-underlay", prefixes: newUnderlay });
  if (newRoutes.length > 0) actions.push({ kind: "announce-overlay", routes: newRoutes });
  actions.push(...peerActions(from.peers, desired.peers, from.global === undefined));
  if (oldRoutes.length > 0) actions.push({ kind: "withdraw-overlay", routes: oldRoutes });
  if (oldUnderlay.length > 0) {
    if (oldRoutes.length > 0) actions.push({ kind: "settle" });
    actions.push({ kind: "withdraw-underlay", prefixes: oldUnderlay });
  }
  return actions;
}

/** What gobgpd holds after an action on `held` succeeded. */
export function held(before: BgpHeld, action: BgpAction): BgpHeld {
  switch (action.kind) {
    case "stop":
      return NOTHING_HELD;
    case "start":
      return { ...before, global: { asn: action.asn, routerId: action.routerId } };
    case "announce-underlay":
      return { ...before, underlay: [...new Set([...before.underlay, ...action.prefixes])] };
    case "withdraw-underlay":
      return { ...before, underlay: without(before.underlay, action.prefixes) };
    case "announce-overlay": {
      const routes = new Map([...before.overlay, ...action.routes].map((route) => [routeKey(route), route]));
      return { ...before, overlay: [...routes.values()] };
    }
    case "withdraw-overlay": {
      const gone = new Set(action.routes.map(routeKey));
      return { ...before, overlay: before.overlay.filter((route) => !gone.has(routeKey(route))) };
    }
    case "add-peer":
      return { ...before, peers: [...before.peers, { ...action.peer, standard: true }] };
    case "delete-peer":
      return { ...before, peers: before.peers.filter(({ address }) => address !== action.peer.address) };
    case "settle":
      return before;
  }
}

/** Identity of a route of ours: a second one with the same key replaces the first. */
export function routeKey({ rd, prefix }: EvpnPrefixRoute): string {
  return `${rd}|${prefix}`;
}

/**
 * The routes as they are handed to gobgpd. Prepending puts our AS into the path before gobgpd's own; an iBGP neighbour would
 * take that for a loop and ignore the route, so where there is one nothing is prepended (LOCAL_PREF serves there).
 */
function effectiveOverlay({ asn, peers, overlay }: BgpDesired): readonly EvpnPrefixRoute[] {
  if (!peers.some((peer) => peer.asn === asn)) return overlay;
  return overlay.map(({ prepend, ...route }) => route);
}

function peerActions(present: readonly HeldPeer[], wanted: readonly BgpPeer[], restarting: boolean): BgpAction[] {
  const actions: BgpAction[] = [];
  const before = new Map(present.map((peer) => [peer.address, peer]));
  for (const peer of wanted) {
    const old = before.get(peer.address);
    if (old?.standard && old.asn === peer.asn && (peer.localAddress ?? old.localAddress) === old.localAddress) continue;
    if (old) actions.push({ kind: "delete-peer", peer: old });
    actions.push({ kind: "add-peer", peer, restarting });
  }
  const kept = new Set(wanted.map(({ address }) => address));
  for (const peer of present) if (!kept.has(peer.address)) actions.push({ kind: "delete-peer", peer });
  return actions;
}

function sameRoute(a: EvpnPrefixRoute | undefined, b: EvpnPrefixRoute): boolean {
  return (
    a !== undefined &&
    a.vni === b.vni &&
    a.nextHop === b.nextHop &&
    a.routerMac === b.routerMac &&
    a.med === b.med &&
    a.localPref === b.localPref &&
    (a.prepend ?? 0) === (b.prepend ?? 0) &&
    sameSet(a.routeTargets, b.routeTargets) &&
    sameSet(a.communities, b.communities)
  );
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const left = new Set(a);
  return left.size === new Set(b).size && b.every((value) => left.has(value));
}

function without(list: readonly string[], gone: readonly string[]): string[] {
  const removed = new Set(gone);
  return [...new Set(list)].filter((value) => !removed.has(value));
}
