// Runs the sessions: packets from receiver.ts go through table.ts to machine.ts, what comes back goes to the session's sender, its timer,
// the watchers and the state file. The process (daemon.ts) has one; api.ts speaks to it.
//
// Timers: each session has one, armed for its wake-up time. It is only ever moved forward; one that rings early looks and is armed
// again. Node runs due timers before it reads sockets, so after a stall of this process a neighbour looks silent whose packets are
// queued: before a detection time is taken for expired, the queue is read empty.

import { randomInt } from "node:crypto";
import { EventEmitter } from "node:events";
import { isIPv4 } from "node:net";
import type { BgpLog as Log } from "../log.ts";
import type { DiscardReason } from "./discard.ts";
import { BfdError } from "./errors.ts";
import type { Queue } from "./filter.ts";
import { addressNumber } from "./libc.ts";
import { configure, receive, resume, type SessionEvent, type Step, slowDown, tick } from "./machine.ts";
import { decodePacket } from "./packet.ts";
import { POLL_INTERVAL_MS, Receiver, refuseCompany } from "./receiver.ts";
import { Sender } from "./sender.ts";
import {
  configProblem,
  createSession,
  detectionDeadlineMs,
  type Session,
  type SessionConfig,
  SLOW_TX_US,
} from "./session.ts";
import { type SavedSession, StateFile } from "./state-file.ts";
import { keyText, type SessionKey, SessionTable } from "./table.ts";

/** Changes within this time are one write of the state file, in milliseconds. */
const SAVE_DELAY_MS = 20;
/** How long neighbours have to agree to wait longer, in milliseconds: the slowest of those that are not slow yet sends within 500. */
const SLOW_DOWN_WAIT_MS = 500;
/** Rounds of the event loop in which the queue may be read empty: a round reads 32 packets, the queue holds about 1000. */
const DRAIN_ROUNDS = 64;

/** A session as it is reported. */
export interface SessionView {
  readonly key: SessionKey;
  readonly session: Session;
  readonly sourcePort: number;
  /** Milliseconds since the epoch at which the state was entered. */
  readonly sinceMs: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  /** Packets that the kernel did not take, and the last reason. */
  readonly txErrors: number;
  readonly lastTxError: string;
  readonly discards: Readonly<Partial<Record<DiscardReason, number>>>;
  /** Transitions into Up and out of it, restarts of this process included. */
  readonly ups: number;
  readonly downs: number;
}

export type SpeakerEvent = Extract<SessionEvent, { type: "transition" }>;

interface SpeakerEvents {
  /** After the change. `atMs`: milliseconds since the epoch. */
  transition: [view: SessionView, event: SpeakerEvent, atMs: number];
  removed: [view: SessionView];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Entry extends Mutable<SessionView> {
  readonly discriminator: number;
  readonly discards: Partial<Record<DiscardReason, number>>;
  readonly sender: Sender;
  timer: NodeJS.Timeout | undefined;
  armedForMs: number;
  draining: boolean;
  /** Removed, but still telling the neighbour so. */
  leaving: NodeJS.Timeout | undefined;
}

export interface SpeakerOptions {
  readonly log: Log;
  /** Where sessions are kept over a restart; undefined: they are not. */
  readonly stateFile?: string;
}

export class BfdSpeaker extends EventEmitter<SpeakerEvents> {
  readonly #log: Log;
  readonly #stateFile: StateFile | undefined;
  readonly #table = new SessionTable<Entry>();
  /** By local address; "" for any. */
  readonly #receivers = new Map<string, Receiver>();
  readonly #discards: Partial<Record<DiscardReason, number>> = {};
  readonly #pollTimer: NodeJS.Timeout;
  #saveTimer: NodeJS.Timeout | undefined;
  #selectorStale = false;
  #stopped = false;

  private constructor({ log, stateFile }: SpeakerOptions) {
    super();
    this.#log = log;
    this.#stateFile = stateFile === undefined ? undefined : new StateFile(stateFile);
    this.#pollTimer = setInterval(() => {
      for (const receiver of this.#receivers.values()) receiver.poll();
    }, POLL_INTERVAL_MS);
  }

  /** A running speaker with the sessions of the state file, those that were Up sending again. @throws BfdError "port-in-use" */
  static async start(options: SpeakerOptions): Promise<BfdSpeaker> {
    refuseCompany();
    const speaker = new BfdSpeaker(options);
    // Also without sessions: it keeps the port, and counts what nobody asked for.
    await speaker.#openReceiver(undefined);
    await speaker.#restore();
    return speaker;
  }

  /**
   * Resolves when every session taken up from the state file has been confirmed by its neighbour or is Down: until then an Up is only
   * remembered. Takes no longer than the longest detection time.
   */
  async settled(): Promise<void> {
    const unconfirmed = (): boolean =>
      [...this.#table.values()].some(({ session, rxPackets }) => session.state === "Up" && rxPackets === 0);
    while (unconfirmed() && !this.#stopped) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Ends the slow start of sessions that were taken up: the process has time for them now. */
  fullSpeed(): void {
    for (const entry of this.#entries()) {
      this.#take(entry, configure(entry.session, entry.session.config, performance.now(), Math.random));
    }
  }

  /** Has the neighbours wait long enough for the process to be replaced; resolves when they all have agreed, or after 500 ms. */
  async slowDown(): Promise<void> {
    const sessions = this.#entries();
    for (const entry of sessions) this.#take(entry, slowDown(entry.session, performance.now(), Math.random));
    const deadlineMs = performance.now() + SLOW_DOWN_WAIT_MS;
    while (sessions.some(({ session }) => session.state === "Up" && session.poll !== "none")) {
      if (performance.now() > deadlineMs) break;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Adds a session or changes one; the same again changes nothing. @throws BfdError "invalid", "socket" */
  async add(key: SessionKey, config: SessionConfig): Promise<SessionView> {
    const problem = keyProblem(key) ?? configProblem(config);
    if (problem) throw new BfdError("invalid", `${keyText(key)}: ${problem}`);
    await this.#openReceiver(key.localAddress);
    const known = this.#table.get(key);
    if (!known) {
      const entry = this.#create(key, config, this.#newDiscriminator(), undefined);
      this.#log.info({ session: keyText(key), discriminator: entry.discriminator }, "BFD session added");
      this.#save();
      this.#tick(entry);
      return entry;
    }
    clearTimeout(known.leaving);
    known.leaving = undefined;
    if (JSON.stringify(config) !== JSON.stringify(known.session.config)) {
      this.#take(known, configure(known.session, config, performance.now(), Math.random));
      this.#save();
    }
    return known;
  }

  /** Ends a session; the neighbour is told (AdminDown), so it does not take it for a failure. False if there is none. */
  remove(key: SessionKey): boolean {
    const entry = this.#table.get(key);
    if (!entry || entry.leaving) return false;
    const config = { ...entry.session.config, adminDown: true };
    // Set first: nobody is to hear of transitions of a session that is gone.
    entry.leaving = setTimeout(() => this.#forget(entry), (config.detectMult * SLOW_TX_US) / 1000);
    this.#take(entry, configure(entry.session, config, performance.now(), Math.random));
    this.#log.info({ session: keyText(key) }, "BFD session removed");
    this.emit("removed", entry);
    this.#save();
    return true;
  }

  list(): SessionView[] {
    return this.#entries();
  }

  /** Discards that belong to no session, those of the kernel among them. */
  discards(): Readonly<Partial<Record<DiscardReason, number>>> {
    const drops = [...this.#receivers.values()].map((receiver) => receiver.drops());
    return {
      ...this.#discards,
      ttl: drops.reduce((sum, { ttl }) => sum + ttl, 0),
      overflow: drops.reduce((sum, { overflow }) => sum + overflow, 0),
    };
  }

  /** Falls silent and saves its state; neighbours notice nothing if another process takes over within their detection time. */
  async stop(): Promise<void> {
    clearTimeout(this.#saveTimer);
    await this.#stateFile
      ?.saveLast(() => {
        this.#silence();
        return this.#saved();
      })
      .catch((error: unknown) => this.#log.error({ error: reasonOf(error) }, "cannot write the BFD state file"));
    this.#silence();
  }

  #silence(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#pollTimer);
    clearTimeout(this.#saveTimer);
    for (const entry of this.#table.values()) {
      clearTimeout(entry.timer);
      clearTimeout(entry.leaving);
      entry.sender.close();
    }
    for (const receiver of this.#receivers.values()) receiver.close();
  }

  #entries(): Entry[] {
    return [...this.#table.values()].filter(({ leaving }) => !leaving);
  }

  async #restore(): Promise<void> {
    let saved: SavedSession[] = [];
    try {
      saved = this.#stateFile?.load() ?? [];
    } catch (error) {
      this.#log.warn({ error: reasonOf(error) }, "the BFD state file cannot be used, starting without sessions");
    }
    for (const { key, config, discriminator, port, sinceMs, ups, downs, up } of saved) {
      await this.#openReceiver(key.localAddress);
      const entry = this.#create(key, config, discriminator, port);
      Object.assign(entry, { sinceMs, ups, downs });
      if (up) this.#take(entry, resume(entry.session, up, performance.now(), Math.random));
      else this.#tick(entry);
    }
    this.#select();
    if (saved.length > 0) this.#log.info({ sessions: saved.length }, "BFD sessions taken up again");
  }

  async #openReceiver(localAddress: string | undefined): Promise<void> {
    const name = localAddress ?? "";
    if (this.#receivers.has(name)) return;
    const receiver = await Receiver.open(localAddress, (payload, from, queue) => {
      this.#receive(payload, from, localAddress, queue);
    });
    const other = this.#receivers.get(name);
    // Two sessions were added at once; one receiver is enough.
    if (other) receiver.close();
    else this.#receivers.set(name, receiver);
    this.#select();
  }

  #create(key: SessionKey, config: SessionConfig, discriminator: number, port: number | undefined): Entry {
    const sender = new Sender(key, port);
    const entry: Entry = {
      key,
      session: createSession(config, discriminator, Math.random),
      discriminator,
      sourcePort: sender.port,
      sinceMs: Date.now(),
      rxPackets: 0,
      txPackets: 0,
      txErrors: 0,
      lastTxError: "",
      discards: {},
      ups: 0,
      downs: 0,
      sender,
      timer: undefined,
      armedForMs: Number.POSITIVE_INFINITY,
      draining: false,
      leaving: undefined,
    };
    this.#table.add(entry);
    this.#selectSoon();
    return entry;
  }

  #forget(entry: Entry): void {
    clearTimeout(entry.timer);
    this.#table.remove(entry);
    entry.sender.close();
    this.#selectSoon();
  }

  #receive(payload: Buffer, from: string, localAddress: string | undefined, queue: Queue): void {
    if (this.#stopped) return;
    const decoded = decodePacket(payload);
    if (decoded.discard) {
      count(this.#discards, decoded.discard);
      return;
    }
    const entry = this.#table.select(decoded.packet, from, localAddress);
    if (typeof entry === "string") {
      count(this.#discards, entry);
      return;
    }
    // During the handshake a neighbour's packets arrive on two queues: what it sent before it knew our discriminator comes first.
    if (queue === "established" && entry.session.state !== "Up") this.#receivers.get(localAddress ?? "")?.poll();
    const step = receive(entry.session, decoded.packet, decoded.bytes, performance.now(), Math.random);
    if (step.discard) count(entry.discards, step.discard);
    else entry.rxPackets++;
    this.#take(entry, step);
  }

  #take(entry: Entry, step: Step): void {
    entry.session = step.session;
    for (const packet of step.packets) {
      const error = entry.sender.send(packet);
      entry.txPackets++;
      if (error !== undefined) {
        entry.txErrors++;
        entry.lastTxError = error;
      }
    }
    this.#arm(entry, step.wakeUpMs);
    for (const event of step.events) {
      if (event.type === "transition") this.#report(entry, event);
      this.#save();
    }
  }

  #report(entry: Entry, event: SpeakerEvent): void {
    const atMs = Date.now();
    if (event.to !== event.from) entry.sinceMs = atMs;
    if (event.to === "Up") entry.ups++;
    if (event.from === "Up") entry.downs++;
    if (entry.leaving) return;
    const { from, to, reason, localDiagnostic, remoteDiagnostic } = event;
    const fields = { session: keyText(entry.key), from, to, reason, localDiagnostic, remoteDiagnostic };
    this.#log.info(fields, `BFD session ${to}`);
    this.emit("transition", entry, event, atMs);
  }

  #arm(entry: Entry, wakeUpMs: number | undefined): void {
    if (wakeUpMs === undefined || wakeUpMs >= entry.armedForMs || this.#stopped) return;
    clearTimeout(entry.timer);
    entry.armedForMs = wakeUpMs;
    const delayMs = Math.max(0, Math.ceil(wakeUpMs - performance.now()));
    entry.timer = setTimeout(() => {
      entry.armedForMs = Number.POSITIVE_INFINITY;
      this.#ring(entry);
    }, delayMs);
  }

  #ring(entry: Entry): void {
    const nowMs = performance.now();
    const deadlineMs = detectionDeadlineMs(entry.session);
    if (deadlineMs === undefined || deadlineMs > nowMs) this.#tick(entry, nowMs);
    else if (!entry.draining) {
      entry.draining = true;
      this.#tickWhenDrained(entry, DRAIN_ROUNDS);
    }
  }

  /** setImmediate runs after sockets were read. */
  #tickWhenDrained(entry: Entry, rounds: number): void {
    setImmediate(() => {
      if (this.#stopped) return;
      if (rounds > 0 && [...this.#receivers.values()].some((receiver) => receiver.hasQueued())) {
        this.#tickWhenDrained(entry, rounds - 1);
        return;
      }
      entry.draining = false;
      this.#tick(entry);
    });
  }

  #tick(entry: Entry, nowMs = performance.now()): void {
    this.#take(entry, tick(entry.session, nowMs, Math.random));
  }

  /** Adding many sessions sets the selector once. */
  #selectSoon(): void {
    if (this.#selectorStale) return;
    this.#selectorStale = true;
    setImmediate(() => {
      if (this.#selectorStale && !this.#stopped) this.#select();
    });
  }

  #select(): void {
    this.#selectorStale = false;
    for (const [name, receiver] of this.#receivers) {
      const here = [...this.#table.values()].filter(({ key }) => (key.localAddress ?? name) === name);
      receiver.setSessions(here.map(({ key, discriminator }) => ({ discriminator, peer: addressNumber(key.peer) })));
    }
  }

  #newDiscriminator(): number {
    for (;;) {
      const discriminator = randomInt(1, 2 ** 32);
      if (!this.#table.has(discriminator)) return discriminator;
    }
  }

  #save(): void {
    const file = this.#stateFile;
    if (!file || this.#stopped) return;
    this.#saveTimer ??= setTimeout(() => {
      this.#saveTimer = undefined;
      file.save(this.#saved()).catch((error: unknown) => {
        this.#log.error({ error: reasonOf(error) }, "cannot write the BFD state file");
      });
    }, SAVE_DELAY_MS);
  }

  #saved(): SavedSession[] {
    return this.list().map(({ key, session, sourcePort, sinceMs, ups, downs }) => {
      const { config, localDiscriminator: discriminator } = session;
      const { remoteDiscriminator, remoteMinRxUs, remoteDesiredMinTxUs, remoteDetectMult, txSequence, rxSequence } =
        session;
      const up = { remoteDiscriminator, remoteMinRxUs, remoteDesiredMinTxUs, remoteDetectMult, txSequence, rxSequence };
      return {
        key,
        config,
        discriminator,
        port: sourcePort,
        sinceMs,
        ups,
        downs,
        ...(session.state === "Up" ? { up } : {}),
      };
    });
  }
}

function keyProblem({ peer, localAddress }: SessionKey): string | undefined {
  if (!isIPv4(peer)) return "peer must be an IPv4 address";
  if (localAddress !== undefined && !isIPv4(localAddress)) return "local address must be an IPv4 address";
  return undefined;
}

function count(counters: Partial<Record<DiscardReason, number>>, reason: DiscardReason): void {
  counters[reason] = (counters[reason] ?? 0) + 1;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
