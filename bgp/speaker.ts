// Holds the agent's BGP state in gobgpd and tells what gobgpd knows. The agent uses this class and nothing else of this folder.
//
// One loop owns the connection: connect, read what gobgpd holds, then perform differences (diff.ts) as they are asked for, until
// the event stream breaks; then again. A gobgpd that already runs is taken over as it is: only differences are ever sent.
// What is learned goes through view.ts.

import { EventEmitter } from "node:events";
import type { BgpDesired, BgpSnapshot } from "./desired.ts";
import { type BgpAction, type BgpHeld, diff, held, NOTHING_HELD } from "./diff.ts";
import { BgpError, reasonOf } from "./errors.ts";
import { GobgpClient } from "./gobgp/client.ts";
import { encodeOverlay, encodeUnderlay } from "./gobgp/paths.ts";
import type { BgpLog } from "./log.ts";
import { View } from "./view.ts";

export interface BgpSpeakerOptions {
  /** gobgpd's unix socket. */
  readonly socketPath: string;
  readonly log: BgpLog;
}

/** First and longest pause between attempts to connect, in milliseconds. */
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1000;
/** Pause before what gobgpd refused is tried again, in milliseconds. */
const REFUSED_RETRY_MS = 1000;
/** How long apply() waits for a connection, in milliseconds. */
export const CONNECT_WAIT_MS = 3000;
/** Time that a withdrawal is given to take effect at the leaves before its VTEP goes, in milliseconds: they need about 120. */
export const SETTLE_MS = 300;
/** Least time between two "change" events, in milliseconds. */
const CHANGE_INTERVAL_MS = 5;

interface Waiter {
  readonly version: number;
  readonly resolve: () => void;
  readonly reject: (error: BgpError) => void;
}

/** Emits "change" with the new snapshot when its revision has grown; several changes close together are one event. */
export class BgpSpeaker extends EventEmitter<{ change: [BgpSnapshot] }> {
  readonly #socketPath: string;
  readonly #log: BgpLog;
  readonly #view = new View();
  #desired: BgpDesired | undefined;
  /** Counts calls of apply(). */
  #version = 0;
  #held: BgpHeld = NOTHING_HELD;
  readonly #waiters = new Set<Waiter>();
  /** Ends the loop's current pause. */
  #wake: () => void = () => {};
  /** Something has happened that the loop has not looked at. */
  #attention = false;
  #stopped = false;
  #loop: Promise<void> | undefined;
  #emittedRevision = 0;
  #emittedAtMs = 0;
  #emitTimer: NodeJS.Timeout | undefined;

  constructor({ socketPath, log }: BgpSpeakerOptions) {
    super();
    this.#socketPath = socketPath;
    this.#log = log;
  }

  /** Connects, and stays connected until stop(). */
  start(): void {
    this.#loop ??= this.#run();
  }

  /**
   * Makes gobgpd hold `desired`; the newest call wins. Resolves when it, or a newer one, is held. The state is kept and applied
   * again whenever gobgpd comes back, also after a rejection.
   *
   * @throws BgpError "invalid" (nothing is kept), "not-connected" after CONNECT_WAIT_MS, "refused", "stopped".
   */
  async apply(desired: BgpDesired): Promise<void> {
    if (this.#stopped) throw new BgpError("stopped", "the BGP speaker has been stopped");
    validate(desired);
    this.#desired = desired;
    const version = ++this.#version;
    this.#poke();
    await new Promise<void>((resolve, reject) => {
      const timer = setInterval(() => {
        if (!this.#view.connected) settled(() => reject(notConnected(this.#socketPath)));
      }, CONNECT_WAIT_MS);
      const settled = (then: () => void): void => {
        clearInterval(timer);
        this.#waiters.delete(waiter);
        then();
      };
      const waiter: Waiter = {
        version,
        resolve: () => settled(resolve),
        reject: (error) => settled(() => reject(error)),
      };
      this.#waiters.add(waiter);
    });
  }

  /** What is known now; the same object until the revision grows. */
  snapshot(): BgpSnapshot {
    return this.#view.snapshot();
  }

  /**
   * Withdraws all routes, overlay first and, when that has taken effect, the underlay. Sessions stay. The withdrawn state is what
   * holds from then on. Rejects as apply() does.
   */
  async withdrawAll(): Promise<void> {
    const { global, peers } = this.#held;
    const base = this.#desired ?? (global && { ...global, peers });
    if (base) await this.apply({ ...base, underlay: [], overlay: [] });
    else if (!this.#view.connected) throw notConnected(this.#socketPath);
  }

  /** Closes the connection. Sessions and routes in gobgpd stay as they are. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#poke();
    for (const { reject } of this.#waiters) reject(new BgpError("stopped", "the BGP speaker has been stopped"));
    await this.#loop;
    clearTimeout(this.#emitTimer);
  }

  async #run(): Promise<void> {
    let pauseMs = RETRY_FIRST_MS;
    while (!this.#stopped) {
      const client = new GobgpClient(this.#socketPath);
      try {
        const global = await client.getGlobal();
        pauseMs = RETRY_FIRST_MS;
        await this.#session(client, global?.asn ?? 0);
      } catch (error) {
        this.#log.debug({ reason: reasonOf(error), retryMs: pauseMs }, "no connection to gobgpd");
      } finally {
        client.close();
      }
      this.#view.lost(Date.now());
      this.#changed();
      if (this.#stopped) break;
      await this.#pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
    }
  }

  /** One connection, from the first answer to its end. */
  async #session(client: GobgpClient, asn: number): Promise<void> {
    let closed: string | undefined;
    this.#view.begin(asn);
    await client.watch({
      peer: (event) => this.#observe(() => this.#view.peer(event, Date.now())),
      routes: (routes) => this.#observe(() => this.#view.routes(routes)),
      synced: () => this.#observe(() => this.#view.synced()),
      closed: (reason) => {
        closed = reason;
        this.#poke();
      },
    });
    this.#log.info({ socket: this.#socketPath, asn }, "connected to gobgpd");
    await this.#readHeld(client);
    while (!this.#stopped && closed === undefined) {
      const version = this.#version;
      this.#attention = false;
      try {
        await this.#reconcile(client, version);
      } catch (error) {
        if (error instanceof BgpError && error.code === "not-connected") closed ??= error.message;
        if (closed !== undefined) break;
        this.#refused(error, version);
        await this.#pause(REFUSED_RETRY_MS);
        await this.#readHeld(client);
        continue;
      }
      if (!this.#attention) await this.#pause();
    }
    if (!this.#stopped) this.#log.warn({ reason: closed }, "connection to gobgpd lost");
  }

  async #readHeld(client: GobgpClient): Promise<void> {
    const global = await client.getGlobal();
    if (!global) return this.#setHeld(NOTHING_HELD);
    await client.ensureExportPolicy();
    const [peers, routes] = await Promise.all([client.listPeers(), client.listAnnounced(global.asn)]);
    this.#setHeld({ global, peers, ...routes });
    const { underlay, overlay } = routes;
    this.#log.info({ ...global, peers: peers.length, underlay, overlay: overlay.length }, "read gobgpd's state");
  }

  /** Performs what is missing for the desired state; stops early when a newer one has been asked for. */
  async #reconcile(client: GobgpClient, version: number): Promise<void> {
    if (!this.#desired) return;
    for (const action of diff(this.#held, this.#desired)) {
      await this.#perform(client, action, this.#desired.asn);
      this.#setHeld(held(this.#held, action));
      if (this.#stopped || this.#version !== version) return;
    }
    for (const waiter of this.#waiters) if (waiter.version <= version) waiter.resolve();
  }

  async #perform(client: GobgpClient, action: BgpAction, asn: number): Promise<void> {
    this.#log.debug(describe(action), "BGP action");
    switch (action.kind) {
      case "stop":
        this.#log.warn({ held: this.#held.global, wanted: asn }, "restarting BGP: AS number or router id has changed");
        return await client.stopBgp();
      case "start":
        await client.startBgp(action.asn, action.routerId);
        this.#observe(() => this.#view.restarted(action.asn));
        return await client.ensureExportPolicy();
      case "announce-underlay":
        return await client.sendUnderlay(action.prefixes, false);
      case "announce-overlay":
        return await client.sendOverlay(action.routes, asn, false);
      case "add-peer":
        this.#view.expectPeer(action.peer.address);
        return await client.addPeer(action.peer, action.restarting);
      case "delete-peer":
        await client.deletePeer(action.peer);
        return this.#observe(() => this.#view.forgetPeer(action.peer.address));
      case "withdraw-overlay":
        return await client.sendOverlay(action.routes, asn, true);
      case "settle":
        return await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      case "withdraw-underlay":
        return await client.sendUnderlay(action.prefixes, true);
    }
  }

  #refused(error: unknown, version: number): void {
    this.#log.error({ reason: reasonOf(error) }, "gobgpd refused a change");
    const refusal = error instanceof BgpError ? error : new BgpError("refused", reasonOf(error), { cause: error });
    for (const waiter of this.#waiters) if (waiter.version <= version) waiter.reject(refusal);
  }

  #setHeld(now: BgpHeld): void {
    this.#held = now;
    this.#observe(() => this.#view.announced(now));
  }

  #observe(change: () => void): void {
    change();
    this.#changed();
  }

  /** Emits at once if the last event is long enough ago, else when it is. */
  #changed(): void {
    if (this.#emitTimer || this.#view.revision === this.#emittedRevision) return;
    const waitMs = this.#emittedAtMs + CHANGE_INTERVAL_MS - Date.now();
    this.#emitTimer = setTimeout(
      () => {
        this.#emitTimer = undefined;
        this.#emittedAtMs = Date.now();
        this.#emittedRevision = this.#view.revision;
        this.emit("change", this.#view.snapshot());
      },
      Math.max(0, waitMs),
    );
  }

  #poke(): void {
    this.#attention = true;
    this.#wake();
  }

  /** Waits for #poke, at most for so long. */
  async #pause(maxMs?: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = maxMs === undefined ? undefined : setTimeout(resolve, maxMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Encodes everything once, so that a wrong value is refused before anything has changed. */
function validate({ asn, underlay, overlay }: BgpDesired): void {
  if (!Number.isInteger(asn) || asn < 1 || asn > 0xffffffff) throw new BgpError("invalid", `not an AS number: ${asn}`);
  for (const prefix of underlay) encodeUnderlay(prefix, false);
  for (const route of overlay) encodeOverlay(route, asn, false);
}

function notConnected(socketPath: string): BgpError {
  return new BgpError("not-connected", `gobgpd does not answer on ${socketPath}; is it running?`);
}

/** An action as a log line's fields: lists by their length. */
function describe(action: BgpAction): object {
  return Object.fromEntries(
    Object.entries(action).map(([name, value]) => [name, Array.isArray(value) ? value.length : value]),
  );
}
