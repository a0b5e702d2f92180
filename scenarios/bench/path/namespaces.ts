// Network namespaces of the benchmark. Their names carry the pid of the process that made them, so that what a killed run left behind is
// recognised and removed by the next one.
import { readdirSync } from "node:fs";
import { ipBatch, run } from "../../lab/command.ts";
import { isAlive } from "../alive.ts";

const PREFIX = "fgbench";

/** Name of a namespace of this process. */
export function namespaceName(world: string, node: string): string {
  return `${PREFIX}-${process.pid}-${world}-${node}`;
}

export async function addNamespaces(names: readonly string[]): Promise<void> {
  await ipBatch(names.map((name) => `netns add ${name}`));
}

/** Removes those of the names that are there, with the links in them. Never throws: it runs on the way out. */
export async function removeNamespaces(names: readonly string[]): Promise<void> {
  const present = new Set(listNamespaces());
  for (const name of names) if (present.has(name)) await run("ip", ["netns", "del", name]);
}

/** Removes the namespaces of benchmarks that no longer run. */
export async function removeLeftovers(): Promise<void> {
  await removeNamespaces(
    listNamespaces().filter((name) => {
      const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
      return pid !== undefined && !isAlive(Number(pid));
    }),
  );
}

/** Arguments that run a program in a network namespace and keep the mount namespace, in which the pinned programs are visible. */
export function inNamespace(name: string, argv: readonly string[]): [string, string[]] {
  return ["nsenter", [`--net=/run/netns/${name}`, "--", ...argv]];
}

function listNamespaces(): string[] {
  try {
    return readdirSync("/run/netns");
  } catch {
    return [];
  }
}
