// The agent's view of `fabgate bfd`: asks for a session with every BGP neighbour and says which of them have failed. The
// sessions live in that process and outlive this one; without it everything works, only slower to notice a silent failure.

import { EventEmitter } from "node:events";
import { BfdClient, type BfdEvent } from "../bgp/bfd/client.ts";
import type { SessionReport } from "../bgp/bfd/messages.ts";
import type { Log } from "./log.ts";
import { bfdFailures } from "./plan/bfd-failures.ts";
import type { Plan } from "./plan/plan.ts";

/** What both ends of a session are asked for; the slower wish of the two counts. */
export interface BfdTimers {
  /** Between packets, milliseconds. */
  readonly intervalMs: number;
  /** Packets in a row that may be missing. */
  readonly multiplier: number;
}

/** Emits "change" when a neighbour failed or came back, or when a session's state is another. */
export class BfdWatch extends EventEmitter<{ change: [] }> {
  readonly #client: BfdClient;
  readonly #timers: BfdTimers;
  readonly #log: Log;
  readonly #states = new Map<string, SessionReport["state"]>();
  #failed: ReadonlySet<string> = new Set();
  #wanted = "";
  /** `fabgate bfd` has told its sessions. */
  #told = false;

  constructor(socketPath: string, timers: BfdTimers, log: Log) {
    super();
    this.#timers = timers;
    this.#log = log;
    this.#client = new BfdClient({ socketPath });
    this.#client.watch((event) => this.#take(event));
  }

  /** Addresses of neighbours whose session was Up and failed. */
  get failed(): ReadonlySet<string> {
    return this.#failed;
  }

  /** State of a neighbour's session; undefined while there is none. */
  stateOf(neighbor: string): SessionReport["state"] | undefined {
    return this.#states.get(neighbor);
  }

  /**
   * Asks for a session with each of the plan's neighbours whose BGP session is up, or was when its BFD session began, and for no
   * others. Not before: FRR 8.4 registers its BFD session anew when BGP comes up, and one that was Up by then takes BGP down with it.
   * Does not wait.
   */
  ensure(planned: Plan["bgp"]["peers"], established: ReadonlySet<string>): void {
    // Which sessions there are is not known yet, and what is not asked for is removed.
    if (!this.#told) return;
    const peers = planned.filter(({ address }) => established.has(address) || this.#states.has(address));
    const { intervalMs, multiplier } = this.#timers;
    const sessions = peers.map(({ address, localAddress }) => ({
      peer: address,
      ...(localAddress === undefined ? {} : { localAddress }),
      desiredMinTxMs: intervalMs,
      requiredMinRxMs: intervalMs,
      detectMult: multiplier,
    }));
    const wanted = JSON.stringify(sessions);
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#client.ensure(sessions).then(
      () => {
        // A session that begins is Down, and tells only when that changes.
        for (const { peer } of sessions) if (!this.#states.has(peer)) this.#states.set(peer, "Down");
      },
      (error: unknown) => {
        this.#log.warn({ err: error }, "BFD sessions are not set up yet; they follow when fabgate bfd answers");
      },
    );
  }

  /** Ends the connection; the sessions stay. */
  stop(): void {
    this.#client.close();
  }

  #take(event: BfdEvent): void {
    if (event.type === "disconnected") {
      this.#log.warn({ reason: event.reason }, "fabgate bfd is gone; its sessions count as they were");
      return;
    }
    if (event.type === "removed") {
      this.#states.delete(event.key.peer);
      this.#failed = new Set([...this.#failed].filter((peer) => peer !== event.key.peer));
    } else {
      if (event.type === "sessions") {
        this.#told = true;
        this.#states.clear();
      }
      const reports = event.type === "sessions" ? event.sessions : [event.session];
      for (const report of reports) this.#states.set(report.key.peer, report.state);
      this.#failed = bfdFailures(this.#failed, reports);
      if (event.type === "transition") {
        const { session, from, to, reason } = event;
        this.#log.info({ neighbor: session.key.peer, from, to, reason }, "BFD transition");
      }
    }
    this.emit("change");
  }
}
