// What a restart of the process must not lose: which sessions there are, their discriminators and source ports, and what was agreed
// with neighbours that are Up. JSON, readable by its owner alone because it has the keys. speaker.ts writes it on every change. Not synced
// to the disk: it is for a restart of the process, not of the machine.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import type { Remembered } from "./machine.ts";
import { configProblem, type SessionConfig } from "./session.ts";
import type { SessionKey } from "./table.ts";

const FORMAT = 1;
const OWNER_ONLY = 0o600;

export interface SavedSession {
  readonly key: SessionKey;
  readonly config: SessionConfig;
  readonly discriminator: number;
  readonly port: number;
  /** Milliseconds since the epoch at which the state was entered. */
  readonly sinceMs: number;
  readonly ups: number;
  readonly downs: number;
  /** Set while Up. */
  readonly up?: Remembered;
}

export class StateFile {
  readonly #path: string;
  #writing: Promise<void> | undefined;
  #next: readonly SavedSession[] | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The sessions of the process before; none if there is no file. @throws Error if it cannot be read or used. */
  load(): SavedSession[] {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
    const saved = JSON.parse(text) as { readonly format?: unknown; readonly sessions?: unknown };
    if (saved.format !== FORMAT || !Array.isArray(saved.sessions))
      throw new Error(`not a state file of format ${FORMAT}`);
    return saved.sessions.map(checkSession);
  }

  /** Replaces the file; of several calls during a write only the last is written. Rejects if it cannot be written. */
  save(sessions: readonly SavedSession[]): Promise<void> {
    this.#next = sessions;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Replaces the file, after any write under way, before it resolves; `sessions` is asked when that is over. */
  async saveLast(sessions: () => readonly SavedSession[]): Promise<void> {
    await this.#writing?.catch(() => {});
    const temporary = `${this.#path}.new`;
    writeFileSync(temporary, text(sessions()), { mode: OWNER_ONLY });
    renameSync(temporary, this.#path);
  }

  async #writeAll(): Promise<void> {
    const temporary = `${this.#path}.new`;
    for (let sessions = this.#next; sessions; sessions = this.#next) {
      this.#next = undefined;
      await writeFile(temporary, text(sessions), { mode: OWNER_ONLY });
      await rename(temporary, this.#path);
    }
  }
}

function text(sessions: readonly SavedSession[]): string {
  return JSON.stringify({ format: FORMAT, sessions });
}

function checkSession(value: unknown): SavedSession {
  const saved = value as SavedSession;
  const numbers = [
    saved.discriminator,
    saved.port,
    saved.sinceMs,
    saved.ups,
    saved.downs,
    ...(saved.up ? Object.values(saved.up) : []),
  ];
  const whole = numbers.every((number) => number === undefined || (Number.isInteger(number) && number >= 0));
  const problem = typeof saved.key?.peer === "string" && whole ? configProblem(saved.config) : "a session is damaged";
  if (problem) throw new Error(problem);
  return saved;
}
