// The agent's side of bfd.proto. It stays connected by itself, holds the wanted sessions and applies them again whenever
// `fabgate bfd` comes back; the sessions themselves live in that process and survive this one.

import { type ClientReadableStream, credentials, type ServiceError, status } from "@grpc/grpc-js";
import type { AuthConfig } from "./auth.ts";
import { BfdError } from "./errors.ts";
import {
  loadBfdService,
  MAX_MESSAGE_BYTES,
  type SessionConfigMessage,
  type SessionKeyMessage,
  type SessionListMessage,
  type SessionReport,
  type TransitionMessage,
  type WatchEventMessage,
} from "./messages.ts";
import { keyText } from "./table.ts";

/** A session that the agent wants. Intervals in milliseconds, 10–60 000. */
export interface DesiredSession {
  readonly peer: string;
  /** Undefined: any address of this node. */
  readonly localAddress?: string;
  readonly desiredMinTxMs: number;
  readonly requiredMinRxMs: number;
  readonly detectMult: number;
  /** Sends nothing until the neighbour is heard. */
  readonly passive?: boolean;
  readonly adminDown?: boolean;
  readonly auth?: AuthConfig;
}

export type BfdEvent =
  /** After every connect, and first: all sessions. */
  | { readonly type: "sessions"; readonly sessions: readonly SessionReport[] }
  | ({ readonly type: "transition" } & TransitionMessage)
  | { readonly type: "removed"; readonly key: SessionKeyMessage }
  /** `fabgate bfd` is gone. This says nothing about the sessions: a restarted process takes them up. */
  | { readonly type: "disconnected"; readonly reason: string };

/** Pauses between attempts to connect, in milliseconds. */
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 500;
/** How long ensure() waits for a connection, in milliseconds. */
const CONNECT_WAIT_MS = 3000;
const CALL_TIMEOUT_MS = 3000;

interface Connection {
  readonly call: <Reply>(method: string, request: object) => Promise<Reply>;
  readonly close: () => void;
}

export class BfdClient {
  readonly #socketPath: string;
  readonly #callbacks = new Set<(event: BfdEvent) => void>();
  /** As last reported; undefined while not connected. */
  #sessions: Map<string, SessionReport> | undefined;
  #desired: ReadonlyMap<string, SessionConfigMessage> | undefined;
  /** What this connection was told, as JSON. */
  readonly #told = new Map<string, string>();
  #connection: Connection | undefined;
  #retryMs = RETRY_FIRST_MS;
  #retryTimer: NodeJS.Timeout | undefined;
  /** One application at a time, in order. */
  #applying: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<() => void>();
  #closed = false;

  constructor({ socketPath }: { readonly socketPath: string }) {
    this.#socketPath = socketPath;
    this.#connect();
  }

  /**
   * Makes these sessions, and no others, exist. Resolves when they do; the wish is kept and applied again after every reconnect.
   *
   * @throws BfdError "not-connected" if `fabgate bfd` does not answer within 3 s, "refused" if it does not take a session (the others
   * are applied), "closed".
   */
  async ensure(sessions: readonly DesiredSession[]): Promise<void> {
    this.#desired = new Map(sessions.map((session) => [keyText(session), configMessage(session)]));
    await this.#connected();
    await this.#apply();
  }

  /** Calls back with all sessions (at once when connected, else when it is) and then with every event; returns how to end that. */
  watch(callback: (event: BfdEvent) => void): () => void {
    this.#callbacks.add(callback);
    if (this.#sessions) callback({ type: "sessions", sessions: [...this.#sessions.values()] });
    return () => this.#callbacks.delete(callback);
  }

  /** All sessions with fresh counters. @throws BfdError "not-connected", "closed" */
  async list(): Promise<SessionListMessage> {
    await this.#connected();
    return await this.#call<SessionListMessage>("listSessions", {});
  }

  /** Ends the connection; the sessions stay. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#connection?.close();
    for (const wake of this.#waiting) wake();
  }

  #connect(): void {
    const connection = open(this.#socketPath, {
      event: (message) => this.#take(connection, message),
      ended: (reason) => this.#ended(connection, reason),
    });
    this.#connection = connection;
  }

  #ended(connection: Connection, reason: string): void {
    if (this.#connection !== connection) return;
    connection.close();
    this.#connection = undefined;
    this.#told.clear();
    const told = this.#sessions !== undefined;
    this.#sessions = undefined;
    if (this.#closed) return;
    if (told) this.#emit({ type: "disconnected", reason });
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }

  #take(connection: Connection, { sessions, transition, removed }: WatchEventMessage): void {
    if (this.#connection !== connection) return;
    if (sessions) {
      this.#sessions = new Map(sessions.sessions.map((session) => [reportKey(session.key), session]));
      this.#retryMs = RETRY_FIRST_MS;
      this.#emit({ type: "sessions", sessions: sessions.sessions });
      for (const wake of this.#waiting) wake();
      // What is refused was reported to the caller of ensure(), which decides what to do about it.
      if (this.#desired) this.#apply().catch(() => {});
    } else if (transition) {
      this.#sessions?.set(reportKey(transition.session.key), transition.session);
      this.#emit({ type: "transition", ...transition });
    } else if (removed) {
      this.#sessions?.delete(reportKey(removed));
      this.#emit({ type: "removed", key: removed });
    }
  }

  #emit(event: BfdEvent): void {
    for (const callback of this.#callbacks) callback(event);
  }

  #apply(): Promise<void> {
    const applied = this.#applying.then(() => this.#applyDifference());
    this.#applying = applied.catch(() => {});
    return applied;
  }

  async #applyDifference(): Promise<void> {
    const desired = this.#desired;
    const sessions = this.#sessions;
    if (!desired || !sessions) return;
    const refused: string[] = [];
    for (const [key, { key: message }] of sessions) {
      if (desired.has(key)) continue;
      await this.#call("removeSession", message).catch((error: unknown) => keepRefusal(error, refused));
      sessions.delete(key);
      this.#told.delete(key);
    }
    for (const [key, config] of desired) {
      const text = JSON.stringify(config);
      if (sessions.has(key) && this.#told.get(key) === text) continue;
      try {
        const report = await this.#call<SessionReport>("addSession", config);
        // An event may have been quicker, and is newer.
        if (!sessions.has(key)) sessions.set(key, report);
        this.#told.set(key, text);
      } catch (error) {
        keepRefusal(error, refused);
      }
    }
    if (refused.length > 0) throw new BfdError("refused", refused.join("; "));
  }

  async #call<Reply>(method: string, request: object): Promise<Reply> {
    if (!this.#connection) throw new BfdError("not-connected", `fabgate bfd does not answer at ${this.#socketPath}`);
    return await this.#connection.call<Reply>(method, request);
  }

  async #connected(): Promise<void> {
    const deadlineMs = performance.now() + CONNECT_WAIT_MS;
    while (!this.#sessions && !this.#closed) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new BfdError("not-connected", `fabgate bfd does not answer at ${this.#socketPath}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, leftMs);
        const waiting = this.#waiting;
        function wake(): void {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        }
        waiting.add(wake);
      });
    }
    if (this.#closed) throw new BfdError("closed", "the BFD client was closed");
  }
}

interface ConnectionHandler {
  event(message: WatchEventMessage): void;
  /** Once, last. */
  ended(reason: string): void;
}

type UnaryMethod = (
  request: object,
  options: { deadline: number },
  callback: (error: ServiceError | null, reply?: unknown) => void,
) => void;
type StreamMethod = (request: object) => ClientReadableStream<WatchEventMessage>;

const Service = loadBfdService();

/** Means that the process is gone or stopped, not that it minds. */
const GONE: readonly status[] = [status.UNAVAILABLE, status.CANCELLED, status.DEADLINE_EXCEEDED];

function open(socketPath: string, handler: ConnectionHandler): Connection {
  // A connection of its own for each attempt; when to try again is decided here, not inside gRPC.
  const client = new Service(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  });
  const stream = (client.watch as unknown as StreamMethod).call(client, {});
  let over = false;
  const end = (reason: string): void => {
    if (over) return;
    over = true;
    handler.ended(reason);
  };
  stream.on("data", (message: WatchEventMessage) => handler.event(message));
  stream.on("error", (error: ServiceError) => end(error.details || error.message));
  stream.on("end", () => end("fabgate bfd ended the stream"));
  return {
    close: () => client.close(),
    call: <Reply>(method: string, request: object) =>
      new Promise<Reply>((resolve, reject) => {
        const unary = client[method] as unknown as UnaryMethod;
        unary.call(client, request, { deadline: Date.now() + CALL_TIMEOUT_MS }, (error, reply) => {
          if (!error) resolve(reply as Reply);
          else
            reject(
              new BfdError(GONE.includes(error.code) ? "not-connected" : "refused", error.details, { cause: error }),
            );
        });
      }),
  };
}

/** Notes what `fabgate bfd` minds; rethrows anything else. */
function keepRefusal(error: unknown, refused: string[]): void {
  if (!(error instanceof BfdError && error.code === "refused")) throw error;
  refused.push(error.message);
}

function reportKey({ peer, localAddress }: SessionKeyMessage): string {
  return keyText(localAddress === "" ? { peer } : { peer, localAddress });
}

function configMessage(session: DesiredSession): SessionConfigMessage {
  const { peer, localAddress = "", desiredMinTxMs, requiredMinRxMs, detectMult, auth } = session;
  return {
    key: { peer, localAddress },
    desiredMinTxMs,
    requiredMinRxMs,
    detectMult,
    passive: session.passive ?? false,
    adminDown: session.adminDown ?? false,
    auth: auth ? { type: auth.type, keyId: auth.keyId, key: auth.key } : null,
  };
}
