// Where the benchmark's dataplanes are pinned. The names carry the pid, so that what a killed run left is recognised.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "./alive.ts";

const ROOT = "/sys/fs/bpf/fabgate";

export function pinDirectory(suite: string): string {
  return join(ROOT, `bench-${process.pid}-${suite}`);
}

/** Removes the pins of benchmarks that no longer run. */
export function removeLeftoverPins(): void {
  if (!existsSync(ROOT)) return;
  for (const name of readdirSync(ROOT)) {
    const pid = /^bench-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(ROOT, name), { recursive: true });
  }
}
