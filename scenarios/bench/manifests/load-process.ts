// Reads a directory of manifests, loads it and plans for its busiest gateway, once cold and then after one peering changed
// each time. Prints what that took as JSON. A process of its own: cold means that nothing has run before.

import { plan } from "../../../agent/plan/plan.ts";
import { FabricLoader, readSources, type Source } from "../../../fabric-api/index.ts";
import { BenchError } from "../errors.ts";
import { BUSIEST_GATEWAY, changePeering } from "./generate.ts";

export interface LoadResult {
  readonly files: number;
  readonly readMs: number;
  /** From the texts to the plan. */
  readonly coldMs: number;
  /** Largest resident set when the cold plan was made, in MiB. */
  readonly coldMiB: number;
  /** From the texts to the plan, and the plan's part of it, for each change. */
  readonly changes: readonly { readonly loadAndPlanMs: number; readonly planMs: number }[];
  readonly announcements: number;
}

const CHANGES = 10;

const [directory = ""] = process.argv.slice(2);
const loader = new FabricLoader();

const start = performance.now();
const sources = await readSources([directory]);
const readMs = performance.now() - start;
const cold = loadAndPlan(sources);
const coldMiB = process.resourceUsage().maxRSS / 1024;

// Those that the gateway serves are all but the translating ones, which have an ACL.
const served = sources.filter(({ text }) => text.includes("kind: GatewayPeering") && !text.includes("acl:"));
const changes = Array.from({ length: CHANGES }, (_, n) => {
  const chosen = served[Math.floor(((n + 0.5) * served.length) / CHANGES)];
  return loadAndPlan(sources.map((source) => (source === chosen ? changePeering(source) : source)));
});

const { loadAndPlanMs: coldMs, announcements } = cold;
const result: LoadResult = { files: sources.length, readMs, coldMs, coldMiB, changes, announcements };
process.stdout.write(JSON.stringify(result));

function loadAndPlan(texts: readonly Source[]): { loadAndPlanMs: number; planMs: number; announcements: number } {
  const beforeLoad = performance.now();
  const { fabric, errors, warnings } = loader.load(texts);
  const [wrong] = [...errors, ...warnings];
  if (fabric === undefined || wrong !== undefined) {
    throw new BenchError("ERR_BENCH_FAILED", `${wrong?.file}: ${wrong?.message}`);
  }
  const beforePlan = performance.now();
  const { bgp } = plan(fabric, BUSIEST_GATEWAY);
  const end = performance.now();
  return { loadAndPlanMs: end - beforeLoad, planMs: end - beforePlan, announcements: bgp.announcements.length };
}
