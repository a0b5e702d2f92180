// What the neighbours told us: one Adj-RIB-In per neighbour, and what follows from all of them together — the paths into each
// VPC, the underlay's next hops, the fabric's VTEPs. Changes are incremental: an update touches only its own destination, so a
// table of tens of thousands of routes costs nothing while it stands still. No I/O, no clock; speaker.ts feeds it.

import { bestPaths } from "./decision.ts";
import type { OverlayPath, UnderlayRoute } from "./desired.ts";
import { reachability, type UnusableReason } from "./evpn.ts";
import { type LearnedRoute, type Nlri, nlriKey, type PathAttributes } from "./route.ts";

/** What one route contributes, remembered so that it can be taken out again without deriving it anew. */
interface Entry {
  readonly attributes: PathAttributes;
  readonly unusable?: UnusableReason;
  readonly vtep?: string;
  /** One candidate for the underlay, or one per VPC table for the overlay. */
  readonly candidates: readonly Candidate[];
}

interface Candidate {
  readonly attributes: PathAttributes;
  readonly destination: string;
  /** Set for the overlay, unset for the underlay. */
  readonly overlay?: OverlayPath;
}

/** All paths to one destination: `vni|prefix` in the overlay, the prefix in the underlay. */
interface Destination {
  readonly candidates: Set<Candidate>;
  /** The selected ones; undefined since the last change of `candidates`. */
  best: readonly Candidate[] | undefined;
}

export class Rib {
  readonly #peers = new Map<string, Map<string, Entry>>();
  readonly #overlay = new Map<string, Destination>();
  readonly #underlay = new Map<string, Destination>();
  readonly #vteps = new Map<string, number>();
  readonly #unusable = new Map<UnusableReason, number>();
  readonly #asn: number;

  /** @param asn our own AS number, to recognise looped paths. */
  constructor(asn: number) {
    this.#asn = asn;
  }

  /** Takes in one announcement or withdrawal. Returns false if it changes nothing. */
  update({ peer, nlri, attributes }: LearnedRoute): boolean {
    const key = nlriKey(nlri);
    const routes = this.#peers.get(peer);
    const old = routes?.get(key);
    if (old) this.#remove(old);
    if (attributes === undefined) return routes?.delete(key) ?? false;
    const entry = this.#derive(peer, nlri, attributes);
    if (routes) routes.set(key, entry);
    else this.#peers.set(peer, new Map([[key, entry]]));
    this.#add(entry);
    return true;
  }

  /** Forgets everything a neighbour told, because its session is down. Returns false if there was nothing. */
  dropPeer(peer: string): boolean {
    const routes = this.#peers.get(peer);
    if (!routes) return false;
    for (const entry of routes.values()) this.#remove(entry);
    return this.#peers.delete(peer);
  }

  /** The best paths to each inner destination, equal ones side by side. */
  overlay(): OverlayPath[] {
    const paths: OverlayPath[] = [];
    for (const destination of this.#overlay.values()) {
      for (const { overlay } of select(destination)) if (overlay) paths.push(overlay);
    }
    return paths;
  }

  /** The underlay's prefixes with their equal-cost next hops, each once. */
  underlay(): UnderlayRoute[] {
    const routes: UnderlayRoute[] = [];
    for (const [prefix, destination] of this.#underlay) {
      const nextHops = new Set(select(destination).map(({ attributes }) => attributes.nextHop));
      routes.push({ prefix, nextHops: [...nextHops].sort() });
    }
    return routes;
  }

  /** Next hops of the EVPN routes of every type. */
  vteps(): string[] {
    return [...this.#vteps.keys()].sort();
  }

  /** How many routes are held that cannot be used, by reason. */
  unusable(): Partial<Record<UnusableReason, number>> {
    return Object.fromEntries(this.#unusable);
  }

  #derive(peer: string, nlri: Nlri, attributes: PathAttributes): Entry {
    if (attributes.asPath.includes(this.#asn)) return { attributes, unusable: "as-loop", candidates: [] };
    if (nlri.kind === "unicast") {
      if (attributes.nextHop === "") return { attributes, unusable: "no-next-hop", candidates: [] };
      return { attributes, candidates: [{ attributes, destination: nlri.prefix }] };
    }
    const vtep = attributes.nextHop;
    const reach = reachability(nlri, attributes);
    if (reach === "esi-and-gateway-ip" || vtep === "") {
      return { attributes, unusable: reach === "esi-and-gateway-ip" ? reach : "no-next-hop", candidates: [] };
    }
    if (typeof reach === "string") return { attributes, vtep, unusable: reach, candidates: [] };
    if (reach === undefined || nlri.kind === "other-evpn") return { attributes, vtep, candidates: [] };
    const { prefix, routerMac } = reach;
    const candidates = reach.vnis.map((vni) => ({
      attributes,
      destination: `${vni}|${prefix}`,
      overlay: { vni, prefix, vtep, routerMac, rd: nlri.rd, peer },
    }));
    return { attributes, vtep, candidates };
  }

  #add(entry: Entry): void {
    if (entry.unusable) count(this.#unusable, entry.unusable, 1);
    if (entry.vtep) count(this.#vteps, entry.vtep, 1);
    for (const candidate of entry.candidates) {
      const table = candidate.overlay ? this.#overlay : this.#underlay;
      const destination = table.get(candidate.destination);
      if (destination) {
        destination.candidates.add(candidate);
        destination.best = undefined;
      } else {
        table.set(candidate.destination, { candidates: new Set([candidate]), best: undefined });
      }
    }
  }

  #remove(entry: Entry): void {
    if (entry.unusable) count(this.#unusable, entry.unusable, -1);
    if (entry.vtep) count(this.#vteps, entry.vtep, -1);
    for (const candidate of entry.candidates) {
      const table = candidate.overlay ? this.#overlay : this.#underlay;
      const destination = table.get(candidate.destination);
      if (!destination) continue;
      destination.candidates.delete(candidate);
      destination.best = undefined;
      if (destination.candidates.size === 0) table.delete(candidate.destination);
    }
  }
}

function select(destination: Destination): readonly Candidate[] {
  destination.best ??= bestPaths([...destination.candidates]);
  return destination.best;
}

function count<K>(counts: Map<K, number>, key: K, by: number): void {
  const now = (counts.get(key) ?? 0) + by;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}
