// The process `fabgate bfd`: a speaker and its API, nothing else, so that nothing else delays a packet. Runs in the network namespace
// it was started in.

import { readdirSync } from "node:fs";
import { setPriority } from "node:os";
import type { BgpLog as Log } from "../log.ts";
import { scheduleRealTime } from "./libc.ts";
import { BfdSpeaker } from "./speaker.ts";

export interface BfdOptions {
  /** Unix socket of the API; made anew. */
  readonly socketPath: string;
  /** Where sessions are kept over a restart of the process; undefined: they are not. */
  readonly stateFile?: string;
  /** Ends the process's work: it has the neighbours wait longer, saves its state and falls silent. Sessions are not taken down. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

const HIGHEST_PRIORITY = -20;

/**
 * Runs until the signal. Sessions of the state file go on first; the API opens when each of them is confirmed or Down, so nobody is
 * told of an Up that is only remembered.
 *
 * @throws BfdError "port-in-use" if there is another BFD speaker in this network namespace; "socket".
 */
export async function runBfd({ socketPath, stateFile, signal, log }: BfdOptions): Promise<void> {
  raisePriority(log);
  const speaker = await BfdSpeaker.start({ log, ...(stateFile === undefined ? {} : { stateFile }) });
  try {
    // Loaded after the first packets are out: gRPC takes longer to load than a neighbour may be willing to wait.
    const { BfdServer } = await import("./api.ts");
    await speaker.settled();
    const server = new BfdServer(speaker);
    await server.start(socketPath);
    speaker.fullSpeed();
    log.info({ socketPath, sessions: speaker.list().length }, "BFD speaker ready");
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await speaker.slowDown();
    server.stop();
  } finally {
    await speaker.stop();
  }
}

/**
 * Real-time scheduling, because with it nothing of normal priority can hold a packet up. The nice value alone does not do that: where
 * the kernel groups tasks by login session or service (autogroup), it counts only within the group. Every thread gets it: the
 * collector's helpers must not wait for a core while the main thread waits for them.
 */
function raisePriority(log: Log): void {
  const threads = readdirSync("/proc/self/task").map(Number);
  const refused = threads.map((thread) => scheduleRealTime(thread)).find((reason) => reason !== undefined);
  if (refused === undefined) return;
  log.warn({ reason: refused }, "no real-time scheduling: under load sessions may go down without cause");
  try {
    for (const thread of threads) setPriority(thread, HIGHEST_PRIORITY);
  } catch (error) {
    log.warn({ reason: error instanceof Error ? error.message : String(error) }, "cannot raise the nice value either");
  }
}
