// Watches a directory of manifests. inotify tells quickly, a slow comparison of sizes and times heals what it missed; what
// counts is only whether the texts differ from those last handed over, so spurious wake-ups cost nothing.

import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Source } from "./diagnostic.ts";
import { listManifests, readSources, SourceError, walk } from "./sources.ts";

/** Quiet time after the last event before reading, so that a file is not read while it is being written. */
const DEBOUNCE_MS = 15;
/** A directory that never falls quiet is read this long after the first event all the same. */
const DEBOUNCE_MAX_MS = 100;
/** Reads that met a writer are repeated this often before what they found is handed over. */
const UNSETTLED_MAX = 5;
/** Interval of the comparison that needs no events. */
export const RESYNC_MS = 2000;

export interface WatchOptions {
  readonly resyncMs?: number;
  /** Called when the directory cannot be read; watching goes on. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Calls `onChange` with all sources under `directory` at once, and again after each change of their set or content, until
 * the signal aborts. Then, and only then, the promise resolves. A file written in one go is read whole; a writer that pauses
 * should write elsewhere and rename. A directory that is missing or vanishes counts as an error,
 * not as empty: nothing is handed over until it is back.
 */
export async function watchDirectory(
  directory: string,
  onChange: (sources: Source[]) => void,
  signal: AbortSignal,
  { resyncMs = RESYNC_MS, onError = () => {} }: WatchOptions = {},
): Promise<void> {
  const events = new Events(signal);
  const watchers = new DirectoryWatchers(events);
  let handedOver: string | undefined;
  let lastStamp: string | undefined;
  let unsettled = 0;
  try {
    while (!signal.aborted) {
      try {
        // Watch before reading: a change in between makes another round.
        await watchers.cover(directory);
        const stamp = await stampOf(directory);
        const told = events.take();
        if (told || lastStamp === undefined) {
          const sources = await readSources([directory]);
          if ((await stampOf(directory)) !== stamp && unsettled++ < UNSETTLED_MAX) {
            // Somebody was writing meanwhile: what was read may be half of it.
            events.happened();
          } else {
            unsettled = 0;
            lastStamp = stamp;
            const content = JSON.stringify(sources);
            if (content !== handedOver && !signal.aborted) {
              handedOver = content;
              onChange(sources);
            }
          }
        } else if (stamp !== lastStamp) {
          // No event told of it. Take it for one, so that it is read after the same quiet time.
          events.happened();
        }
      } catch (error) {
        lastStamp = undefined;
        // A file that vanished between listing and reading: look again.
        if (error instanceof SourceError && error.code === "SOURCE_NOT_FOUND" && error.path !== directory) {
          events.happened();
        } else if (!signal.aborted) onError(error);
      }
      await events.wait(resyncMs);
    }
  } finally {
    watchers.close();
  }
}

/** Whether something happened, with debounce. */
class Events {
  readonly #signal: AbortSignal;
  #count = 0;
  #wake: () => void = () => {};

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  happened(): void {
    this.#count++;
    this.#wake();
  }

  /** Whether anything happened since the last call. */
  take(): boolean {
    const any = this.#count > 0;
    this.#count = 0;
    return any;
  }

  /** Resolves when events have come and ceased, after `timeoutMs` without any, or on abort. */
  async wait(timeoutMs: number): Promise<void> {
    if (this.#signal.aborted) return;
    if (this.#count === 0) {
      const timer = new AbortController();
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([woken, delay(timeoutMs, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
      this.#wake = () => {};
    }
    const deadline = performance.now() + DEBOUNCE_MAX_MS;
    while (this.#count > 0 && !this.#signal.aborted && performance.now() < deadline) {
      const before = this.#count;
      await delay(DEBOUNCE_MS, undefined, { signal: this.#signal }).catch(() => {});
      if (this.#count === before) break;
    }
  }
}

/** One inotify watch on each directory of the tree. */
class DirectoryWatchers {
  readonly #events: Events;
  readonly #watchers = new Map<string, FSWatcher>();

  constructor(events: Events) {
    this.#events = events;
  }

  /** Adds what is new in the tree and lets go of what is gone. */
  async cover(root: string): Promise<void> {
    let directories: string[];
    try {
      directories = (await walk(root)).map(({ directory }) => directory);
    } catch (error) {
      this.close();
      throw error;
    }
    for (const [directory, watcher] of this.#watchers) {
      if (directories.includes(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const directory of directories) this.#add(directory);
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #add(directory: string): void {
    if (this.#watchers.has(directory)) return;
    const watcher = watch(directory, { persistent: false });
    const forget = () => {
      watcher.close();
      if (this.#watchers.get(directory) === watcher) this.#watchers.delete(directory);
      this.#events.happened();
    };
    // A watch on a directory that is deleted and made anew is dead; "rename" of itself is how inotify says so.
    watcher.on("change", (type, name) => {
      if (type === "rename" && name !== null && directory.endsWith(String(name))) forget();
      else this.#events.happened();
    });
    watcher.on("error", forget);
    this.#watchers.set(directory, watcher);
  }
}

/** Names, sizes and times of all manifests: differs whenever content may. */
export async function stampOf(directory: string): Promise<string> {
  const files = await listManifests(directory);
  const stamps = await Promise.all(
    files.map(async (file) => {
      const found = await stat(file, { bigint: true }).catch(() => undefined);
      return found === undefined
        ? `${file} gone`
        : `${file} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
    }),
  );
  return stamps.join("\n");
}
