// Serves bfd.proto on a unix socket that belongs to its owner alone. daemon.ts starts it when the sessions are settled.

import { chmod, rm } from "node:fs/promises";
import { type handleUnaryCall, Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";
import type { AuthConfig } from "./auth.ts";
import { BfdError } from "./errors.ts";
import {
  loadBfdService,
  MAX_MESSAGE_BYTES,
  type SessionConfigMessage,
  type SessionKeyMessage,
  type SessionListMessage,
  type SessionReport,
  type WatchEventMessage,
} from "./messages.ts";
import { detectionTimeUs, type SessionConfig, txIntervalUs } from "./session.ts";
import type { BfdSpeaker, SessionView, SpeakerEvent } from "./speaker.ts";
import type { SessionKey } from "./table.ts";

/** Events that a slow watcher may be behind; then its stream ends, and it starts anew with all sessions. */
const MAX_BEHIND = 1000;

type WatchStream = ServerWritableStream<unknown, WatchEventMessage>;

export class BfdServer {
  readonly #server = new Server({ "grpc.max_send_message_length": MAX_MESSAGE_BYTES });
  readonly #speaker: BfdSpeaker;

  constructor(speaker: BfdSpeaker) {
    this.#speaker = speaker;
    this.#server.addService(loadBfdService().service, {
      addSession: answer<SessionConfigMessage, SessionReport>(async (request) => {
        return report(await speaker.add(sessionKey(request.key), sessionConfig(request)));
      }),
      removeSession: answer<SessionKeyMessage, { existed: boolean }>(async (request) => {
        return { existed: speaker.remove(sessionKey(request)) };
      }),
      listSessions: answer<unknown, SessionListMessage>(async () => this.#list()),
      watch: (stream: WatchStream) => this.#watch(stream),
    });
  }

  /** Listens; a socket left by an earlier process is replaced. */
  async start(socketPath: string): Promise<void> {
    await rm(socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    await chmod(socketPath, 0o600);
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #list(): SessionListMessage {
    return { sessions: this.#speaker.list().map(report), discards: this.#speaker.discards(), pid: process.pid };
  }

  #watch(stream: WatchStream): void {
    let behind = 0;
    const send = (event: WatchEventMessage): void => {
      if (behind >= MAX_BEHIND) return;
      behind++;
      if (behind < MAX_BEHIND) stream.write(event, () => behind--);
      else stream.destroy(Object.assign(new Error("watcher too slow"), { code: status.RESOURCE_EXHAUSTED }));
    };
    const onTransition = (view: SessionView, event: SpeakerEvent, atMs: number): void => {
      const { from, to, reason, localDiagnostic, remoteDiagnostic } = event;
      send({ transition: { session: report(view), from, to, reason, localDiagnostic, remoteDiagnostic, atMs } });
    };
    const onRemoved = ({ key }: SessionView): void => send({ removed: keyMessage(key) });
    const end = (): void => {
      this.#speaker.off("transition", onTransition);
      this.#speaker.off("removed", onRemoved);
    };
    this.#speaker.on("transition", onTransition);
    this.#speaker.on("removed", onRemoved);
    stream.on("cancelled", end);
    stream.on("close", end);
    stream.on("error", end);
    send({ sessions: this.#list() });
  }
}

function answer<Request, Reply>(make: (request: Request) => Promise<Reply>): handleUnaryCall<Request, Reply> {
  return (call, callback) => {
    make(call.request).then(
      (reply) => callback(null, reply),
      (error: unknown) => {
        const details = error instanceof Error ? error.message : String(error);
        callback({ code: codeOf(error), details });
      },
    );
  };
}

function codeOf(error: unknown): status {
  if (error instanceof BfdError && error.code === "invalid") return status.INVALID_ARGUMENT;
  return status.INTERNAL;
}

function sessionKey(message: SessionKeyMessage | null): SessionKey {
  const { peer = "", localAddress = "" } = message ?? {};
  return localAddress === "" ? { peer } : { peer, localAddress };
}

function keyMessage({ peer, localAddress = "" }: SessionKey): SessionKeyMessage {
  return { peer, localAddress };
}

function sessionConfig(message: SessionConfigMessage): SessionConfig {
  const { desiredMinTxMs, requiredMinRxMs, detectMult, passive, adminDown, auth } = message;
  return {
    desiredMinTxUs: desiredMinTxMs * 1000,
    requiredMinRxUs: requiredMinRxMs * 1000,
    detectMult,
    passive,
    adminDown,
    // The type is checked with the rest of the configuration.
    ...(auth ? { auth: { type: auth.type as AuthConfig["type"], keyId: auth.keyId, key: auth.key } } : {}),
  };
}

function report(view: SessionView): SessionReport {
  const { session } = view;
  return {
    key: keyMessage(view.key),
    state: session.state,
    remoteState: session.remoteState,
    reason: session.reason,
    sinceMs: view.sinceMs,
    localDiagnostic: session.localDiagnostic,
    remoteDiagnostic: session.remoteDiagnostic,
    localDiscriminator: session.localDiscriminator,
    remoteDiscriminator: session.remoteDiscriminator,
    sourcePort: view.sourcePort,
    passive: session.config.passive,
    authType: session.config.auth?.type ?? "",
    txIntervalMs: txIntervalUs(session) / 1000,
    detectionTimeMs: detectionTimeUs(session) / 1000,
    detectMult: session.config.detectMult,
    desiredMinTxMs: session.desiredMinTxUs / 1000,
    requiredMinRxMs: session.requiredMinRxUs / 1000,
    remoteDetectMult: session.remoteDetectMult,
    remoteDesiredMinTxMs: session.remoteDesiredMinTxUs / 1000,
    remoteRequiredMinRxMs: session.remoteMinRxUs / 1000,
    rxPackets: view.rxPackets,
    txPackets: view.txPackets,
    txErrors: view.txErrors,
    lastTxError: view.lastTxError,
    discards: { ...view.discards },
    ups: view.ups,
    downs: view.downs,
  };
}
