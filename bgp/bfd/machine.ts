// The session state machine (RFC 5880 sections 6.2, 6.5, 6.8): a packet, a tick or a command goes in with the time, the changed session,
// packets to send, events and the next wake-up come out. No clock, no socket; randomness is an argument. speaker.ts runs it.
//
// A Turn holds the session while one input is worked on. It collects what is to be sent: at most one packet a turn, because all a
// neighbour needs to know fits one packet.

import { authLength, sign, verify } from "./auth.ts";
import type { DiscardReason } from "./discard.ts";
import { type ControlPacket, diagnostic, encodePacket, type SessionState } from "./packet.ts";
import {
  detectionDeadlineMs,
  detectionTimeUs,
  nextTxMs,
  type Random,
  type Session,
  type SessionConfig,
  SLOW_TX_US,
  type TransitionReason,
  txIntervalUs,
  UNKNOWN_REMOTE,
  wakeUpMs,
} from "./session.ts";

export type SessionEvent =
  | {
      readonly type: "transition";
      readonly from: SessionState;
      readonly to: SessionState;
      readonly reason: TransitionReason;
      readonly localDiagnostic: number;
      readonly remoteDiagnostic: number;
    }
  /** What was negotiated has changed. Microseconds. */
  | { readonly type: "timers"; readonly txIntervalUs: number; readonly detectionTimeUs: number };

export interface Step {
  readonly session: Session;
  /** Encoded and signed, in order. */
  readonly packets: readonly Buffer[];
  readonly events: readonly SessionEvent[];
  /** When tick() must be called at the latest; undefined: not before another input. */
  readonly wakeUpMs: number | undefined;
  /** Set if the packet that came in was not used. */
  readonly discard?: DiscardReason;
}

/** A packet that has passed decodePacket() and belongs to this session. `bytes` as decodePacket() gave it. */
export function receive(session: Session, packet: ControlPacket, bytes: Buffer, nowMs: number, random: Random): Step {
  const turn = new Turn(session, nowMs, random);
  const discard = turn.authenticate(packet, bytes) ?? turn.receive(packet);
  return discard ? { ...turn.step(), discard } : turn.step();
}

/** Time has passed: sends what is due and notices a silent neighbour. */
export function tick(session: Session, nowMs: number, random: Random): Step {
  const turn = new Turn(session, nowMs, random);
  turn.tick();
  return turn.step();
}

/** Changes the configuration, of a running session as well: timers are renegotiated, nothing is interrupted. */
export function configure(session: Session, config: SessionConfig, nowMs: number, random: Random): Step {
  const turn = new Turn(session, nowMs, random);
  turn.configure(config);
  return turn.step();
}

/**
 * Before the process is away for a moment: has the neighbour of an Up session wait as long as for a slow one. In force when the session's
 * `poll` is "none" again; configure() undoes it.
 */
export function slowDown(session: Session, nowMs: number, random: Random): Step {
  const turn = new Turn(session, nowMs, random);
  turn.slowDown();
  return turn.step();
}

/** What a restarted speaker knows of a session that was Up. */
export interface Remembered {
  readonly remoteDiscriminator: number;
  readonly remoteMinRxUs: number;
  readonly remoteDesiredMinTxUs: number;
  readonly remoteDetectMult: number;
  readonly txSequence: number;
  readonly rxSequence: number | undefined;
}

/**
 * Takes up a session where an earlier process left it Up. It polls, so a neighbour that still holds the session confirms it at
 * once; one that does not is noticed by its next packet or by silence. What it advertises is slow until configure(): a process that
 * has just started has other things to do.
 */
export function resume(session: Session, remembered: Remembered, nowMs: number, random: Random): Step {
  const turn = new Turn({ ...session, ...remembered, state: "Up", remoteState: "Up" }, nowMs, random);
  turn.resume();
  return turn.step();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class Turn {
  readonly #session: Mutable<Session>;
  readonly #nowMs: number;
  readonly #random: Random;
  readonly #packets: Buffer[] = [];
  readonly #events: SessionEvent[] = [];
  readonly #txIntervalBeforeUs: number;
  readonly #detectionTimeBeforeUs: number;

  constructor(session: Session, nowMs: number, random: Random) {
    this.#session = { ...session };
    this.#nowMs = nowMs;
    this.#random = random;
    this.#txIntervalBeforeUs = txIntervalUs(session);
    this.#detectionTimeBeforeUs = detectionTimeUs(session);
  }

  /** Section 6.7: reason to discard, or undefined with the sequence number remembered. */
  authenticate(packet: ControlPacket, bytes: Buffer): DiscardReason | undefined {
    const { auth } = this.#session.config;
    if (!auth) return packet.authenticated ? "auth-unexpected" : undefined;
    if (!packet.authenticated) return "auth-missing";
    const verified = verify(bytes, auth, packet.detectMult, this.#session.rxSequence);
    if (verified.discard) return verified.discard;
    this.#session.rxSequence = verified.sequence;
    return undefined;
  }

  /** Section 6.8.6, from the point at which the packet has been authenticated. */
  receive(packet: ControlPacket): DiscardReason | undefined {
    const session = this.#session;
    session.remoteDiscriminator = packet.myDiscriminator;
    session.remoteState = packet.state;
    session.remoteDiagnostic = packet.diagnostic;
    session.remoteDemand = packet.demand;
    session.remoteMinRxUs = packet.requiredMinRxUs;
    session.remoteDesiredMinTxUs = packet.desiredMinTxUs;
    session.remoteDetectMult = packet.detectMult;
    session.lastRxMs = this.#nowMs;
    session.forgetSequenceMs = undefined;
    if (packet.final) this.#pollAnswered();
    if (session.state === "AdminDown") return "admin-down";
    const changed = this.#follow(packet.state);
    if (packet.poll) this.#send(true);
    else if (changed) this.#announce();
    this.#sendIfDue();
    return undefined;
  }

  tick(): void {
    const session = this.#session;
    const deadline = detectionDeadlineMs(session);
    if (deadline !== undefined && deadline <= this.#nowMs) this.#lost();
    if (session.forgetSequenceMs !== undefined && session.forgetSequenceMs <= this.#nowMs) {
      session.rxSequence = undefined;
      session.forgetSequenceMs = undefined;
    }
    this.#sendIfDue();
  }

  configure(config: SessionConfig): void {
    const session = this.#session;
    const before = session.config;
    session.config = config;
    if (before.auth?.type !== config.auth?.type || before.auth?.key !== config.auth?.key)
      session.rxSequence = undefined;
    this.#setMinTx(session.state === "Up" ? config.desiredMinTxUs : Math.max(config.desiredMinTxUs, SLOW_TX_US));
    this.#setMinRx(config.requiredMinRxUs);
    if (config.adminDown && session.state !== "AdminDown") {
      this.#transition("AdminDown", diagnostic.administrativelyDown, "admin-down");
      this.#announce();
    } else if (!config.adminDown && session.state === "AdminDown") {
      this.#transition("Down", diagnostic.none, "admin-up");
      this.#announce();
    }
    this.#sendIfDue();
  }

  slowDown(): void {
    const session = this.#session;
    if (session.state === "Up") this.#setMinTx(Math.max(session.config.desiredMinTxUs, SLOW_TX_US));
    this.#sendIfDue();
  }

  resume(): void {
    const session = this.#session;
    session.lastRxMs = this.#nowMs;
    session.usedMinTxUs = session.config.desiredMinTxUs;
    session.poll = "requested";
    this.#sendIfDue();
  }

  step(): Step {
    const session = this.#session;
    const txUs = txIntervalUs(session);
    const detectionUs = detectionTimeUs(session);
    if (txUs !== this.#txIntervalBeforeUs || detectionUs !== this.#detectionTimeBeforeUs) {
      this.#events.push({ type: "timers", txIntervalUs: txUs, detectionTimeUs: detectionUs });
    }
    return { session, packets: this.#packets, events: this.#events, wakeUpMs: wakeUpMs(session) };
  }

  /** Section 6.8.6, the state changes; says whether there was one. */
  #follow(remote: SessionState): boolean {
    const { state } = this.#session;
    if (remote === "AdminDown") {
      // A change of the reason alone is a transition from Down to Down: a neighbour that was switched off has not failed.
      if (state === "Down" && this.#session.reason === "neighbor-admin-down") return false;
      return this.#transition("Down", diagnostic.neighborSignaledDown, "neighbor-admin-down");
    }
    if (state === "Down" && remote === "Down") return this.#transition("Init", diagnostic.none, "handshake");
    if (state === "Down" && remote === "Init") return this.#transition("Up", diagnostic.none, "handshake");
    if (state === "Init" && remote !== "Down") return this.#transition("Up", diagnostic.none, "handshake");
    if (state === "Up" && remote === "Down") {
      return this.#transition("Down", diagnostic.neighborSignaledDown, "neighbor-down");
    }
    return false;
  }

  /** Section 6.8.4: the Detection Time has expired. */
  #lost(): void {
    const session = this.#session;
    const { lastRxMs, state } = session;
    if (session.rxSequence !== undefined && lastRxMs !== undefined) {
      session.forgetSequenceMs = lastRxMs + (2 * detectionTimeUs(session)) / 1000;
    }
    Object.assign(session, UNKNOWN_REMOTE);
    session.lastRxMs = undefined;
    if (state !== "Init" && state !== "Up") return;
    this.#transition("Down", diagnostic.detectionTimeExpired, "detection-time-expired");
    this.#announce();
  }

  #transition(to: SessionState, localDiagnostic: number, reason: TransitionReason): true {
    const session = this.#session;
    const from = session.state;
    session.state = to;
    session.localDiagnostic = localDiagnostic;
    session.reason = reason;
    if (session.config.auth?.type === "keyed-sha1") session.txSequence = (session.txSequence + 1) >>> 0;
    if (to === "Up") this.#setMinTx(session.config.desiredMinTxUs);
    if (from === "Up") {
      this.#setMinTx(Math.max(session.config.desiredMinTxUs, SLOW_TX_US));
      session.usedMinRxUs = session.requiredMinRxUs;
    }
    const { remoteDiagnostic } = session;
    this.#events.push({ type: "transition", from, to, reason, localDiagnostic, remoteDiagnostic });
    return true;
  }

  /** Section 6.8.3: a slower rate while Up waits for the Final, all else is used at once. */
  #setMinTx(us: number): void {
    const session = this.#session;
    if (session.desiredMinTxUs !== us) this.#requestPoll();
    session.desiredMinTxUs = us;
    if (session.state !== "Up" || us < session.usedMinTxUs) session.usedMinTxUs = us;
  }

  /** Section 6.8.3: a shorter Detection Time while Up waits for the Final. */
  #setMinRx(us: number): void {
    const session = this.#session;
    if (session.requiredMinRxUs !== us) this.#requestPoll();
    session.requiredMinRxUs = us;
    if (session.state !== "Up" || us > session.usedMinRxUs) session.usedMinRxUs = us;
  }

  #requestPoll(): void {
    if (this.#session.poll === "none") this.#session.poll = "requested";
    else if (this.#session.poll === "active") this.#session.changedDuringPoll = true;
  }

  #pollAnswered(): void {
    const session = this.#session;
    if (session.poll !== "active") return;
    session.poll = session.changedDuringPoll ? "gap" : "none";
    if (!session.changedDuringPoll) {
      session.usedMinTxUs = session.desiredMinTxUs;
      session.usedMinRxUs = session.requiredMinRxUs;
    }
    session.changedDuringPoll = false;
  }

  /** Section 6.8.7: news is sent at once, unless nothing may be sent. */
  #announce(): void {
    if (nextTxMs(this.#session) !== undefined) this.#send(false);
  }

  #sendIfDue(): void {
    if (this.#packets.length > 0) return;
    const due = nextTxMs(this.#session);
    if (due !== undefined && due <= this.#nowMs) this.#send(false);
  }

  #send(final: boolean): void {
    const session = this.#session;
    const { auth } = session.config;
    if (!final) {
      if (session.poll === "requested") session.poll = "active";
      else if (session.poll === "gap") session.poll = "requested";
    }
    const bytes = encodePacket(
      {
        diagnostic: session.localDiagnostic,
        state: session.state,
        poll: !final && session.poll === "active",
        final,
        // Set: forwarding on a gateway goes on without its control plane.
        controlPlaneIndependent: true,
        demand: false,
        detectMult: session.config.detectMult,
        myDiscriminator: session.localDiscriminator,
        yourDiscriminator: session.remoteDiscriminator,
        desiredMinTxUs: session.desiredMinTxUs,
        requiredMinRxUs: session.requiredMinRxUs,
        requiredMinEchoRxUs: 0,
        authenticated: auth !== undefined,
      },
      authLength(auth),
    );
    if (auth) {
      if (auth.type === "meticulous-keyed-sha1") session.txSequence = (session.txSequence + 1) >>> 0;
      sign(bytes, auth, session.txSequence);
    }
    this.#packets.push(bytes);
    // A Final is an extra packet: it does not put off the next periodic one.
    if (!final) {
      session.lastTxMs = this.#nowMs;
      session.jitter = jitter(session.config.detectMult, this.#random);
    }
  }
}

/** Section 6.8.7: up to a quarter is taken off each interval, and at least a tenth if the neighbour forgives no lost packet. */
function jitter(detectMult: number, random: Random): number {
  return detectMult === 1 ? 0.75 + 0.15 * random() : 0.75 + 0.25 * random();
}
