// The reconcile loop: holds the plan against BGP, the node and the dataplane and applies the difference, in the order
// make before break. Everything it decides comes from pure functions in plan/; this file sequences the actuators.
// It runs when something happened, never twice at once, and again with back-off after a failure.

import type { BgpSpeaker } from "../bgp/speaker.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { AgeReport, DataplanePolicy, UplinkStatus } from "../dataplane/desired.ts";
import type { LastApply } from "./api/messages.ts";
import type { BfdWatch } from "./bfd.ts";
import type { Log } from "./log.ts";
import type { NodeNetwork, NodeState } from "./node/node.ts";
import { type Deliverable, Destinations, deliverable } from "./plan/deliverable.ts";
import { bgpDesired, dataplaneRoutes, overlayKey } from "./plan/desired.ts";
import type { Plan } from "./plan/plan.ts";
import { retiring, SETTLE_MS, withRetiring } from "./plan/retain.ts";
import { establishedPeers, NOTHING_LEARNED, type RibMemory, remember, usable } from "./plan/rib-memory.ts";
import { liveUplinks, resolveUnderlay } from "./plan/underlay.ts";

/** Waits between tries after a failure: doubled from the first to the last. */
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 5000;

/** Between two runs of the dataplane's ageing, which alone ends idle flows: they live up to this much longer than their timeout. */
const AGE_INTERVAL_MS = 10_000;

const NO_POLICY: DataplanePolicy = { vpcs: [], peerings: [] };

export interface ReconcilerOptions {
  readonly bgp: BgpSpeaker;
  readonly bfd: BfdWatch;
  readonly node: NodeNetwork;
  /** Opened on first use, so that a node where it cannot be loaded still has sessions and a status. */
  readonly openDataplane: () => Dataplane;
  readonly log: Log;
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  #plan: { readonly plan: Plan; readonly generation: number } | undefined;
  #dataplane: Dataplane | undefined;
  #rib: RibMemory = NOTHING_LEARNED;
  #nodeState: NodeState | undefined;
  #nodeProblems: readonly string[] = [];
  #live: readonly string[] = [];
  #deliverable: Deliverable | undefined;
  #inForce: DataplanePolicy = NO_POLICY;
  #retiring: DataplanePolicy = NO_POLICY;
  #settleTimer: NodeJS.Timeout | undefined;
  readonly #ageTimer = setInterval(() => this.#age(), AGE_INTERVAL_MS);
  #flows: AgeReport | undefined;
  #lastApply: LastApply = { atMs: 0, durationMs: 0, ok: false, error: "nothing applied yet", generation: 0 };
  #dirty = false;
  #running: Promise<void> | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryMs = RETRY_FIRST_MS;
  #stopped = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** A new plan is in force from now on. */
  setPlan(plan: Plan, generation: number): void {
    this.#plan = { plan, generation };
    this.trigger();
  }

  /** Something may have changed: reconcile soon. */
  trigger(): void {
    this.#dirty = true;
    if (this.#stopped || !this.#plan) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#dirty) this.trigger();
    });
  }

  /** Ends after the round under way; leaves everything as it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#settleTimer);
    clearInterval(this.#ageTimer);
    await this.#running;
  }

  /** The dataplane, once it could be opened. */
  get dataplane(): Dataplane | undefined {
    return this.#dataplane;
  }

  get knowledge() {
    return {
      plan: this.#plan?.plan,
      lastApply: this.#lastApply,
      deliverable: this.#deliverable,
      ribStale: this.#rib.recovering !== undefined,
      links: this.#nodeState?.links ?? [],
      live: this.#live,
      nodeProblems: this.#nodeProblems,
      uplinks: this.#uplinks(),
      flows: this.#flows,
    };
  }

  async #run(): Promise<void> {
    while (this.#dirty && !this.#stopped && this.#plan) {
      this.#dirty = false;
      const { plan, generation } = this.#plan;
      const startedAtMs = Date.now();
      const started = performance.now();
      const failure = await this.#reconcile(plan).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      );
      this.#lastApply = {
        atMs: startedAtMs,
        durationMs: performance.now() - started,
        ok: failure === undefined,
        error: failure?.message ?? "",
        generation,
      };
      if (failure) this.#retryLater(failure);
      else this.#retryMs = RETRY_FIRST_MS;
    }
  }

  #retryLater(failure: Error): void {
    this.#options.log.error({ err: failure, retryInMs: this.#retryMs }, "reconcile failed; the last good state stays");
    this.#wakeIn(this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
  }

  #wakeIn(delayMs: number): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.trigger(), delayMs);
  }

  /** One round: node, then what is learned, then the dataplane, and only then what is announced. */
  async #reconcile(plan: Plan): Promise<void> {
    const { bgp, bfd, node } = this.#options;
    this.#nodeProblems = await node.configure(plan.node);
    const snapshot = bgp.snapshot();
    bfd.ensure(plan.bgp.peers, new Set(establishedPeers(snapshot)));
    const { memory, recheckInMs } = remember(this.#rib, snapshot, Date.now());
    this.#rib = memory;
    if (recheckInMs !== undefined) this.#wakeIn(recheckInMs);
    if (!memory.view) {
      // Nothing learned yet. Bring the sessions up; of what an earlier agent announced, keep what the plan still has.
      const wanted = new Set(
        [...plan.bgp.anchors, ...plan.bgp.announcements.map(({ route }) => route)].map(overlayKey),
      );
      const kept = snapshot.announced.overlay.filter((route) => wanted.has(overlayKey(route)));
      if (snapshot.connected) this.#announce(bgpDesired(plan, kept));
      else throw new Error("gobgpd does not answer yet");
      return;
    }

    const state = await node.read();
    this.#nodeState = state;
    const learned = usable(memory.view, plan.gatewayVteps, bfd.failed);
    const vteps = learned.overlay.map((path) => path.vtep);
    const underlay = resolveUnderlay(
      vteps,
      learned.underlay,
      plan.node.neighbors,
      state.links.filter((link) => plan.dataplane.uplinks.includes(link.name)),
      state.neighbors.resolved,
    );
    await node.install(underlay, state.neighbors);

    this.#retire(plan);
    this.#dataplane ??= this.#options.openDataplane();
    const reachable = new Set(underlay.tunnels.map((tunnel) => tunnel.vtep));
    this.#dataplane.apply({
      vtep: plan.dataplane.vtep,
      uplinks: plan.dataplane.uplinks,
      policy: withRetiring(plan.dataplane.policy, this.#retiring),
      routes: dataplaneRoutes(learned.overlay),
      tunnels: underlay.tunnels,
      sourceVteps: learned.vteps,
      flowTableCapacity: plan.dataplane.flowTableCapacity,
    });
    this.#inForce = plan.dataplane.policy;

    this.#live = liveUplinks(state.links, plan.node.neighbors, bfd.failed);
    const attached = this.#uplinks().flatMap((uplink) => (uplink.mode === "detached" ? [] : [uplink.name]));
    this.#deliverable = deliverable(plan.bgp.announcements, {
      dataplaneAttached: attached.length > 0,
      uplinkUp: this.#live.some((name) => attached.includes(name)),
      destinations: new Destinations(learned.overlay.filter((path) => reachable.has(path.vtep))),
    });
    const routes = this.#deliverable.announce.map(({ route }) => route);
    this.#announce(bgpDesired(plan, this.#deliverable.closed ? [] : [...plan.bgp.anchors, ...routes]));
  }

  /** Peerings that this plan no longer serves are carried until their withdrawal has settled. */
  #retire(plan: Plan): void {
    const leaving = retiring(this.#inForce, plan.dataplane.policy);
    if (leaving.peerings.length === 0) return;
    this.#retiring = withRetiring(leaving, this.#retiring);
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => {
      this.#retiring = NO_POLICY;
      this.trigger();
    }, SETTLE_MS);
  }

  /** Hands the routes to gobgpd without waiting: the dataplane must not stand still while gobgpd is slow or away. */
  #announce(desired: ReturnType<typeof bgpDesired>): void {
    this.#options.bgp.apply(desired).catch((error: unknown) => {
      this.#options.log.warn({ err: error }, "gobgpd has not taken the routes; they follow when it does");
    });
  }

  #age(): void {
    try {
      this.#flows = this.#dataplane?.age();
    } catch (error) {
      this.#options.log.error({ err: error }, "the dataplane could not age its flows");
    }
  }

  #uplinks(): readonly UplinkStatus[] {
    const planned = this.#plan?.plan.dataplane.uplinks ?? [];
    if (this.#dataplane) return this.#dataplane.uplinks();
    return planned.map((name) => ({ name, mode: "detached" as const, reason: "the dataplane is not loaded yet" }));
  }
}
