// One BFD session as a plain value: the state variables of RFC 5880 section 6.8.1 and what is derived from them. Changed by machine.ts
// alone. Times are milliseconds of a monotonic clock that the caller chooses; intervals are microseconds, as on the wire.

import { type AuthConfig, authProblem } from "./auth.ts";
import type { SessionState } from "./packet.ts";

/** Least desired transmit interval while a session is not Up, in microseconds (RFC 5880 section 6.8.3). */
export const SLOW_TX_US = 1_000_000;

/** What the operator wants of a session. */
export interface SessionConfig {
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  readonly detectMult: number;
  /** Sends nothing until the neighbour has been heard. */
  readonly passive: boolean;
  /** Held in AdminDown. */
  readonly adminDown: boolean;
  readonly auth?: AuthConfig;
}

/** Why the state last changed. */
export type TransitionReason =
  | "handshake"
  | "detection-time-expired"
  | "neighbor-down"
  /** Not a failure of the path or the neighbour (RFC 5882 section 3.2). */
  | "neighbor-admin-down"
  | "admin-down"
  | "admin-up";

/**
 * Where a Poll Sequence stands. requested: the next packet has the P bit; active: packets have it until a Final comes; gap: one
 * packet goes without it, so that a late Final of the sequence before is not taken for one of the next.
 */
export type PollState = "none" | "requested" | "active" | "gap";

export interface Session {
  readonly config: SessionConfig;
  readonly state: SessionState;
  readonly reason: TransitionReason;
  readonly localDiagnostic: number;
  readonly localDiscriminator: number;

  /** As advertised. */
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  /** As used: follows the advertised value at once or, where section 6.8.3 says so, when the Poll Sequence has ended. */
  readonly usedMinTxUs: number;
  readonly usedMinRxUs: number;
  readonly poll: PollState;
  /** What is advertised has changed since the Poll Sequence began. */
  readonly changedDuringPoll: boolean;

  readonly remoteState: SessionState;
  readonly remoteDiagnostic: number;
  /** 0: unknown. */
  readonly remoteDiscriminator: number;
  readonly remoteMinRxUs: number;
  readonly remoteDesiredMinTxUs: number;
  /** 0: nothing received. */
  readonly remoteDetectMult: number;
  readonly remoteDemand: boolean;

  /** When the last packet was accepted; undefined: none since the detection time expired. */
  readonly lastRxMs: number | undefined;
  readonly lastTxMs: number | undefined;
  /** Part of the interval that passes between the last packet and the next: 0.75–1. */
  readonly jitter: number;
  readonly txSequence: number;
  /** Last accepted sequence number; undefined: unknown. */
  readonly rxSequence: number | undefined;
  /** When rxSequence is forgotten, after the detection time has expired. */
  readonly forgetSequenceMs: number | undefined;
}

/** A value in [0, 1). */
export type Random = () => number;

/** What is wrong with a configuration; undefined if nothing is. */
export function configProblem(config: SessionConfig): string | undefined {
  const { desiredMinTxUs, requiredMinRxUs, detectMult, auth } = config;
  for (const [name, value] of Object.entries({ desiredMinTxUs, requiredMinRxUs })) {
    if (!Number.isInteger(value) || value < 10_000 || value > 60_000_000) return `${name} must be 10 ms to 60 s`;
  }
  if (!Number.isInteger(detectMult) || detectMult < 1 || detectMult > 255) return "detectMult must be 1 to 255";
  return auth && authProblem(auth);
}

/** A new session, Down (or AdminDown) and silent: the first tick() sends its first packet. */
export function createSession(config: SessionConfig, localDiscriminator: number, random: Random): Session {
  const desiredMinTxUs = Math.max(config.desiredMinTxUs, SLOW_TX_US);
  return {
    config,
    state: config.adminDown ? "AdminDown" : "Down",
    reason: config.adminDown ? "admin-down" : "handshake",
    localDiagnostic: config.adminDown ? 7 : 0,
    localDiscriminator,
    desiredMinTxUs,
    requiredMinRxUs: config.requiredMinRxUs,
    usedMinTxUs: desiredMinTxUs,
    usedMinRxUs: config.requiredMinRxUs,
    poll: "none",
    changedDuringPoll: false,
    ...UNKNOWN_REMOTE,
    remoteState: "Down",
    remoteDiagnostic: 0,
    lastRxMs: undefined,
    lastTxMs: undefined,
    jitter: 1,
    txSequence: Math.floor(random() * 2 ** 32),
    rxSequence: undefined,
    forgetSequenceMs: undefined,
  };
}

/** What is known of a neighbour that has not been heard, or not for a detection time. */
export const UNKNOWN_REMOTE = {
  remoteDiscriminator: 0,
  remoteMinRxUs: 1,
  remoteDesiredMinTxUs: 0,
  remoteDetectMult: 0,
  remoteDemand: false,
} as const;

/** Time between packets before jitter, in microseconds. */
export function txIntervalUs(session: Session): number {
  return Math.max(session.usedMinTxUs, session.remoteMinRxUs);
}

/** Detection Time in microseconds (RFC 5880 section 6.8.4); 0 until something was received. */
export function detectionTimeUs(session: Session): number {
  return session.remoteDetectMult * Math.max(session.usedMinRxUs, session.remoteDesiredMinTxUs);
}

/** When the Detection Time expires; undefined while nothing is expected. */
export function detectionDeadlineMs(session: Session): number | undefined {
  return session.lastRxMs === undefined ? undefined : session.lastRxMs + detectionTimeUs(session) / 1000;
}

/** When the next periodic packet is due; undefined while none may be sent (RFC 5880 section 6.8.7). */
export function nextTxMs(session: Session): number | undefined {
  if (session.config.passive && session.remoteDiscriminator === 0) return undefined;
  if (session.remoteMinRxUs === 0) return undefined;
  const demandActive = session.remoteDemand && session.state === "Up" && session.remoteState === "Up";
  if (demandActive && session.poll === "none") return undefined;
  if (session.lastTxMs === undefined) return Number.NEGATIVE_INFINITY;
  return session.lastTxMs + (txIntervalUs(session) * session.jitter) / 1000;
}

/** When tick() must be called next; undefined: not before something else happens. */
export function wakeUpMs(session: Session): number | undefined {
  const times = [nextTxMs(session), detectionDeadlineMs(session), session.forgetSequenceMs];
  const due = times.filter((time) => time !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
}
