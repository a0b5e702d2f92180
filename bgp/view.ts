// The observed side of the speaker: neighbours' sessions, learned routes and what we announce, as one snapshot with a revision.
// Events go in, snapshots come out; the time is an argument. speaker.ts owns the only instance.
//
// When gobgpd is lost, the routes last known stay in the snapshot (with `synced` false) until a new gobgpd has told everything it
// knows: what to do about them meanwhile is the reader's choice, not a side effect of a reconnect.

import type { BgpSnapshot, PeerState } from "./desired.ts";
import { type BgpHeld, NOTHING_HELD } from "./diff.ts";
import { Rib } from "./rib.ts";
import type { LearnedRoute } from "./route.ts";

/** A neighbour's session as gobgpd reports it. */
export type SessionState = Omit<PeerState, "sinceMs">;

type Learned = Pick<BgpSnapshot, "overlay" | "underlay" | "vteps" | "unusable">;

export class View {
  #revision = 0;
  #connected = false;
  /** What gobgpd holds of ours has been read since the connection came up. */
  #heldRead = false;
  #synced = false;
  #peers = new Map<string, PeerState>();
  /** Deleted neighbours, of which gobgpd still reports how their sessions end. */
  readonly #deleted = new Set<string>();
  #held = NOTHING_HELD;
  #rib = new Rib(0);
  /** Derived from the RIB; undefined since its last change. Not touched while a new RIB is being filled. */
  #learned: Learned | undefined;
  #snapshot: BgpSnapshot | undefined;

  /** Grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** gobgpd answers; what it knows will follow. */
  begin(asn: number): void {
    this.#learned = this.#currentLearned();
    this.#rib = new Rib(asn);
    this.#peers = new Map();
    this.#deleted.clear();
    this.#connected = true;
    this.#heldRead = false;
    this.#synced = false;
    this.#touch();
  }

  /** BGP was started anew in the gobgpd that we are connected to. */
  restarted(asn: number): void {
    this.#rib = new Rib(asn);
    this.#peers.clear();
    this.#routesChanged();
  }

  synced(): void {
    this.#synced = true;
    this.#routesChanged();
  }

  /** gobgpd is gone, and with it every session. */
  lost(nowMs: number): void {
    if (!this.#connected) return;
    this.#learned = this.#currentLearned();
    this.#connected = false;
    this.#synced = false;
    for (const peer of this.#peers.values()) this.#setPeer({ ...peer, state: "idle" }, nowMs);
    this.#touch();
  }

  /** A session's state; one that is not established takes the neighbour's routes with it, stale ones too (RFC 4724 is for others). */
  peer(session: SessionState, nowMs: number): void {
    if (this.#deleted.has(session.address) || !this.#setPeer(session, nowMs)) return;
    this.#touch();
    if (session.state !== "established" && this.#rib.dropPeer(session.address)) this.#routesChanged();
  }

  expectPeer(address: string): void {
    this.#deleted.delete(address);
  }

  forgetPeer(address: string): void {
    this.#deleted.add(address);
    if (this.#peers.delete(address)) this.#touch();
    if (this.#rib.dropPeer(address)) this.#routesChanged();
  }

  routes(routes: readonly LearnedRoute[]): void {
    let changed = false;
    for (const route of routes) {
      if (this.#peers.get(route.peer)?.state === "established") changed = this.#rib.update(route) || changed;
    }
    if (changed) this.#routesChanged();
  }

  announced(held: BgpHeld): void {
    const changed = held.underlay !== this.#held.underlay || held.overlay !== this.#held.overlay;
    if (changed || !this.#heldRead) this.#touch();
    this.#heldRead = true;
    this.#held = held;
  }

  /** Built at most once for each revision; what did not change since the last one is the same object. */
  snapshot(): BgpSnapshot {
    this.#snapshot ??= {
      revision: this.#revision,
      // Not before `announced` is true: an agent that takes over would withdraw what it does not know of.
      connected: this.#connected && this.#heldRead,
      synced: this.#synced,
      peers: [...this.#peers.values()].sort((a, b) => (a.address < b.address ? -1 : 1)),
      ...this.#currentLearned(),
      announced: { underlay: this.#held.underlay, overlay: this.#held.overlay },
    };
    return this.#snapshot;
  }

  #currentLearned(): Learned {
    this.#learned ??= {
      overlay: this.#rib.overlay(),
      underlay: this.#rib.underlay(),
      vteps: this.#rib.vteps(),
      unusable: this.#rib.unusable(),
    };
    return this.#learned;
  }

  #setPeer(session: SessionState, nowMs: number): boolean {
    const old = this.#peers.get(session.address);
    const { address, asn, state, adminDown } = session;
    if (old?.state === state && old.adminDown === adminDown && old.asn === asn) return false;
    const sinceMs = old?.state === state ? old.sinceMs : nowMs;
    this.#peers.set(address, { address, asn, state, sinceMs, adminDown });
    return true;
  }

  #routesChanged(): void {
    if (!this.#synced) return;
    this.#learned = undefined;
    this.#touch();
  }

  #touch(): void {
    this.#revision++;
    this.#snapshot = undefined;
  }
}
