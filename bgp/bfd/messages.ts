// The messages of bfd.proto as TypeScript sees them, and the one place where bfd.proto is loaded. Used by api.ts and client.ts.

import { join } from "node:path";
import { loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { AuthType } from "./auth.ts";
import type { SessionState } from "./packet.ts";
import type { TransitionReason } from "./session.ts";

export interface SessionKeyMessage {
  readonly peer: string;
  /** Empty: any. */
  readonly localAddress: string;
}

export interface SessionConfigMessage {
  readonly key: SessionKeyMessage | null;
  readonly desiredMinTxMs: number;
  readonly requiredMinRxMs: number;
  readonly detectMult: number;
  readonly passive: boolean;
  readonly adminDown: boolean;
  readonly auth: { readonly type: string; readonly keyId: number; readonly key: string } | null;
}

/** A session as `fabgate bfd` reports it; fields as commented in bfd.proto. */
export interface SessionReport {
  readonly key: SessionKeyMessage;
  readonly state: SessionState;
  readonly remoteState: SessionState;
  readonly reason: TransitionReason;
  readonly sinceMs: number;
  readonly localDiagnostic: number;
  readonly remoteDiagnostic: number;
  readonly localDiscriminator: number;
  readonly remoteDiscriminator: number;
  readonly sourcePort: number;
  readonly passive: boolean;
  readonly authType: AuthType | "";
  readonly txIntervalMs: number;
  readonly detectionTimeMs: number;
  readonly detectMult: number;
  readonly desiredMinTxMs: number;
  readonly requiredMinRxMs: number;
  readonly remoteDetectMult: number;
  readonly remoteDesiredMinTxMs: number;
  readonly remoteRequiredMinRxMs: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly lastTxError: string;
  readonly discards: Readonly<Record<string, number>>;
  readonly ups: number;
  readonly downs: number;
}

export interface SessionListMessage {
  readonly sessions: readonly SessionReport[];
  /** Packets that belong to no session, by reason. */
  readonly discards: Readonly<Record<string, number>>;
  readonly pid: number;
}

export interface TransitionMessage {
  readonly session: SessionReport;
  readonly from: SessionState;
  readonly to: SessionState;
  readonly reason: TransitionReason;
  readonly localDiagnostic: number;
  readonly remoteDiagnostic: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

export interface WatchEventMessage {
  readonly sessions?: SessionListMessage;
  readonly transition?: TransitionMessage;
  readonly removed?: SessionKeyMessage;
}

/** Largest message in bytes: 10 000 sessions are about 3 MB. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

interface BfdPackage {
  readonly fabgate: { readonly bfd: { readonly Bfd: ServiceClientConstructor } };
}

/** The client class of the service; its `service` is the definition for the server. */
export function loadBfdService(): ServiceClientConstructor {
  const definition = loadSync(join(import.meta.dirname, "bfd.proto"), { longs: Number, defaults: true, oneofs: true });
  return (loadPackageDefinition(definition) as unknown as BfdPackage).fabgate.bfd.Bfd;
}
