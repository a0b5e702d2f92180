// The lock against two writers of one directory: flock(2) on a file, held by a child (util-linux's flock) for as long as its
// standard input is open. The kernel lets go of it whenever and however the holder ends, so there is never a stale lock to
// break, and it works between network and process namespaces.

import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "./store.ts";

export const LOCK_FILE = ".fabgate.lock";

/** Exit status that tells a lock that is held from everything else. */
const EXIT_HELD = 75;

/**
 * Runs `work` while nobody else who asks can.
 * @throws StoreError STORE_LOCKED after `timeoutMs`, STORE_NOT_WRITABLE if the directory takes no lock file
 */
export async function withLock<T>(directory: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const file = join(directory, LOCK_FILE);
  const timeout = ["--timeout", String(timeoutMs / 1000), "--conflict-exit-code", String(EXIT_HELD)];
  const child = spawn("flock", ["--exclusive", ...timeout, file, "cat"], { stdio: "pipe" });
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint += String(chunk);
  });
  // A child that ends early closes the pipe; its exit says why.
  child.stdin.on("error", () => {});
  const ended = new Promise<number | Error>((resolve) => {
    child.once("error", resolve);
    child.once("close", (status) => resolve(status ?? -1));
  });
  // What cat echoes is the sign that the lock is ours.
  const held = new Promise<"held">((resolve) => child.stdout.once("data", () => resolve("held")));
  child.stdin.write("?\n");
  const result = await Promise.race([held, ended]);
  if (result !== "held") throw await refusal(directory, file, timeoutMs, result, complaint);
  try {
    // Only for the message that others get; the lock does not depend on it.
    await writeFile(file, `${process.pid}\n`).catch(() => {});
    return await work();
  } finally {
    child.stdin.end();
    await ended;
  }
}

async function refusal(directory: string, file: string, timeoutMs: number, result: number | Error, complaint: string) {
  if (result instanceof Error) {
    const message = `flock cannot be run (${result.message}); install util-linux`;
    return new StoreError("STORE_FAILED", message, { cause: result });
  }
  if (result === EXIT_HELD) {
    const holder = (await readFile(file, "utf8").catch(() => "")).trim();
    const who = holder === "" ? "another process" : `process ${holder}`;
    const message = `${directory}: ${who} has been writing for more than ${timeoutMs} ms; try again when it has ended`;
    return new StoreError("STORE_LOCKED", message);
  }
  const reason = complaint.trim().split("\n").join(" ") || `flock ended with status ${result}`;
  return new StoreError("STORE_NOT_WRITABLE", `${directory}: cannot be locked for writing: ${reason}`);
}
