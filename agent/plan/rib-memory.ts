// What the gateway believes of the fabric's routes while gobgpd is away. A crash of gobgpd says nothing about where the
// leaves are, so the last view stays until the sessions that fed it are back and have had time to speak. A session that
// goes down while gobgpd lives is news, and counts at once. Pure: time comes in.

import type { BgpSnapshot, OverlayPath, UnderlayRoute } from "../../bgp/desired.ts";

/**
 * After its sessions are back, a restarted gobgpd gets this long to hear the routes again; no longer than it takes until every
 * route that was known is known again. FRR sends its first updates more than a second after the session is up.
 */
export const RELEARN_MS = 5000;
/** Sessions that have not come back this long after gobgpd did are taken as down. */
export const SESSIONS_BACK_MS = 15_000;

export interface RibView {
  readonly overlay: readonly OverlayPath[];
  readonly underlay: readonly UnderlayRoute[];
  readonly vteps: readonly string[];
}

export interface RibMemory {
  /** Undefined until gobgpd's tables have been read for the first time. */
  readonly view?: RibView;
  /** Sessions that were up while the view was current. */
  readonly sessions: readonly string[];
  /** While the view is kept from before: when gobgpd was back, and when its sessions were. */
  readonly recovering?: { readonly connectedAtMs?: number; readonly sessionsAtMs?: number };
}

export interface Remembered {
  readonly memory: RibMemory;
  /** Ask again after this time even if nothing happens. */
  readonly recheckInMs?: number;
}

export const NOTHING_LEARNED: RibMemory = { sessions: [] };

/** Takes a snapshot in. */
export function remember(memory: RibMemory, snapshot: BgpSnapshot, nowMs: number): Remembered {
  const current = snapshot.connected && snapshot.synced;
  if (!current) {
    return memory.view ? { memory: { view: memory.view, sessions: memory.sessions, recovering: {} } } : { memory };
  }
  if (!memory.view || !memory.recovering) return { memory: accept(snapshot) };

  const up = new Set(establishedPeers(snapshot));
  const allBack = memory.sessions.every((session) => up.has(session));
  if (allBack && knowsAll(snapshot, memory.view)) return { memory: accept(snapshot) };
  const connectedAtMs = memory.recovering.connectedAtMs ?? nowMs;
  const sessionsAtMs = allBack ? (memory.recovering.sessionsAtMs ?? nowMs) : undefined;
  const doneAtMs = Math.min(
    connectedAtMs + SESSIONS_BACK_MS,
    sessionsAtMs === undefined ? Number.POSITIVE_INFINITY : sessionsAtMs + RELEARN_MS,
  );
  if (nowMs >= doneAtMs) return { memory: accept(snapshot) };
  const recovering = sessionsAtMs === undefined ? { connectedAtMs } : { connectedAtMs, sessionsAtMs };
  return { memory: { ...memory, recovering }, recheckInMs: doneAtMs - nowMs };
}

/**
 * What of a view traffic may use: nothing that other gateways announce, for that is meant for the leaves; nothing that was learned
 * from, or leads over, a neighbour that BFD has declared dead.
 */
export function usable(view: RibView, gatewayVteps: readonly string[], dead: ReadonlySet<string>): RibView {
  const gateways = new Set(gatewayVteps);
  return {
    overlay: view.overlay.filter((path) => !gateways.has(path.vtep) && !dead.has(path.peer)),
    underlay: view.underlay.flatMap(({ prefix, nextHops }) => {
      const alive = nextHops.filter((hop) => !dead.has(hop));
      return alive.length > 0 ? [{ prefix, nextHops: alive }] : [];
    }),
    vteps: view.vteps.filter((vtep) => !gateways.has(vtep)),
  };
}

function accept(snapshot: BgpSnapshot): RibMemory {
  const { overlay, underlay, vteps } = snapshot;
  return { view: { overlay, underlay, vteps }, sessions: establishedPeers(snapshot) };
}

/** Every overlay path and every underlay next hop of the view is in the snapshot. */
function knowsAll(snapshot: BgpSnapshot, view: RibView): boolean {
  const known = new Set(pathTexts(snapshot));
  return pathTexts(view).every((path) => known.has(path));
}

function pathTexts({ overlay, underlay }: RibView): string[] {
  return [
    ...overlay.map(({ vni, prefix, vtep, routerMac, peer }) => `${vni} ${prefix} ${vtep} ${routerMac} ${peer}`),
    ...underlay.flatMap(({ prefix, nextHops }) => nextHops.map((hop) => `${prefix} ${hop}`)),
  ];
}

/** Addresses of the neighbours whose BGP session is up. */
export function establishedPeers(snapshot: BgpSnapshot): string[] {
  return snapshot.peers.filter((peer) => peer.state === "established").map((peer) => peer.address);
}
