// Suite `manifests`: what a large fabric costs the agent, from the files to the plan of its busiest gateway, cold and after a change.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { nodeProgram } from "../../lab/paths.ts";
import { BenchError } from "../errors.ts";
import { type FabricSize, generateFabric } from "../manifests/generate.ts";
import type { LoadResult } from "../manifests/load-process.ts";
import { type Row, rowOf } from "../row.ts";
import { summarise } from "../statistics.ts";
import type { Suite } from "./suite.ts";

const SIZE: FabricSize = { vpcs: 1000, peerings: 10_000, gateways: 32, groups: 200 };
const RUNS = 3;

const run = promisify(execFile);

export const manifests: Suite = {
  name: "manifests",
  async run({ signal, progress }): Promise<Row[]> {
    const directory = await mkdtemp(join(tmpdir(), "fabgate-bench-"));
    try {
      progress("manifests: writing files");
      await write(directory);
      const results: LoadResult[] = [];
      for (let n = 0; n < RUNS; n++) {
        signal.throwIfAborted();
        progress(`manifests: run ${n + 1} of ${RUNS}`);
        results.push(await measure(directory, signal));
      }
      return rowsOf(results);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

/** The fabric, a file for each object, as a store keeps it. */
async function write(directory: string): Promise<void> {
  for (const { file, text } of generateFabric(SIZE)) {
    const path = join(directory, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}

/** One run in a process of its own. */
async function measure(directory: string, signal: AbortSignal): Promise<LoadResult> {
  const [program = "", ...args] = nodeProgram("scenarios/bench/manifests/load-process");
  try {
    const { stdout } = await run(program, [...args, directory], { signal });
    return JSON.parse(stdout) as LoadResult;
  } catch (error) {
    throw new BenchError("ERR_BENCH_FAILED", "a large fabric could not be loaded", error);
  }
}

function rowsOf(results: readonly LoadResult[]): Row[] {
  const { vpcs, peerings, gateways, groups } = SIZE;
  const [first] = results;
  const note = `${vpcs} VPCs, ${peerings} peerings, ${gateways} gateways, ${groups} groups in ${first?.files} files; ${first?.announcements} routes`;
  const row = (name: string, unit: string, values: readonly number[], than?: number) => {
    const goal = than === undefined ? {} : { goal: { of: "value", limit: "at most", than } as const };
    return rowOf({ suite: "manifests", name, unit, note, ...goal }, summarise(values));
  };
  const of = (pick: (result: LoadResult) => number) => results.map(pick);
  const changes = results.flatMap((result) => result.changes);
  return [
    row(
      "read the files",
      "ms",
      of(({ readMs }) => readMs),
    ),
    row(
      "validate and plan, cold",
      "ms",
      of(({ coldMs }) => coldMs),
      2500,
    ),
    row(
      "memory for that",
      "MiB",
      of(({ coldMiB }) => coldMiB),
      400,
    ),
    row(
      "validate and plan after one change",
      "ms",
      changes.map(({ loadAndPlanMs }) => loadAndPlanMs),
    ),
    row(
      "plan alone after one change",
      "ms",
      changes.map(({ planMs }) => planMs),
      50,
    ),
  ];
}
