// Suite `converge`: how fast a fabric with two gateways comes up, and how fast a changed peering reaches a leaf. The fabric is that of the
// scenario `active-backup`.
import { setTimeout as sleep } from "node:timers/promises";
import { Lab } from "../../lab/lab.ts";
import { applyObjects, type ManifestObject, splitObjects } from "../../lab/manifests.ts";
import { findScenario, readScenario, type Scenario } from "../../run/scenario.ts";
import { RouteMonitor } from "../converge/route-monitor.ts";
import { BenchError } from "../errors.ts";
import { type Row, rowOf } from "../row.ts";
import { summarise } from "../statistics.ts";
import type { Suite, SuiteContext } from "./suite.ts";

const SCENARIO = "active-backup";
const LAB = "bench-converge";
const STARTS = 3;
const CHANGES = 10;
const TIMEOUT_MS = 30_000;

/** What the tests rely on in the scenario's fabric. */
const FROM = "host-1";
const TO_ADDRESS = "10.2.1.10";
const LEAF = "leaf-1";
const LEAF_VRF = "vpc-1";
const SERVING_VTEP = "10.255.3.1";
const KEPT_PREFIX = "10.2.1.0/25";
const CHANGED_PREFIX = "10.2.1.128/25";

export const converge: Suite = {
  name: "converge",
  async run(context): Promise<Row[]> {
    const scenario = readScenario(findScenario(SCENARIO));
    const starts: number[] = [];
    let changes: number[] = [];
    for (let run = 1; run <= STARTS; run++) {
      const startMs = performance.now();
      const lab = await Lab.up({ ...labOptions(scenario), signal: context.signal });
      try {
        await firstPacket(lab, context.signal);
        const durationMs = performance.now() - startMs;
        context.progress(`converge: first packet ${Math.round(durationMs)} ms after the start`);
        starts.push(durationMs / 1000);
        if (run === STARTS) changes = await changedPeering(lab, context);
      } finally {
        await lab.down();
      }
    }
    const suite = converge.name;
    return [
      rowOf(
        {
          suite,
          name: "one peering changed → route in the leaf",
          unit: "ms",
          goal: { of: "value", limit: "at most", than: 300 },
        },
        summarise(changes),
      ),
      rowOf(
        {
          suite,
          name: "start of a fabric → first packet",
          unit: "s",
          goal: { of: "value", limit: "at most", than: 15 },
        },
        summarise(starts),
      ),
    ];
  },
};

function labOptions(scenario: Scenario) {
  return { topologyFile: scenario.topologyFile, name: LAB, manifests: scenario.manifests, owned: true } as const;
}

/** Returns when a ping from VPC to VPC has been answered: only a gateway can have carried it. */
async function firstPacket(lab: Lab, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    signal.throwIfAborted();
    const { code } = await lab.exec(FROM, ["ping", "-n", "-q", "-c", "1", "-W", "0.1", TO_ADDRESS]);
    if (code === 0) return;
    if (performance.now() >= deadline) {
      throw new BenchError("ERR_BENCH_FAILED", `${FROM} does not reach ${TO_ADDRESS} within ${TIMEOUT_MS} ms`);
    }
    await sleep(5);
  }
}

/** Milliseconds from a written manifest to the route of its new prefix in the leaf's kernel, to the gateway that serves it. */
async function changedPeering(lab: Lab, { signal, progress }: SuiteContext): Promise<number[]> {
  const monitor = new RouteMonitor(lab, LEAF, LEAF_VRF);
  try {
    const durations: number[] = [];
    // The first change finds out that the monitor listens; it is not counted.
    for (let change = 0; change <= CHANGES; change++) {
      signal.throwIfAborted();
      const startMs = performance.now();
      const appeared = monitor.appeared(CHANGED_PREFIX, SERVING_VTEP, TIMEOUT_MS);
      applyObjects(lab.manifestsDirectory, peering([KEPT_PREFIX, CHANGED_PREFIX]));
      const durationMs = (await appeared) - startMs;
      progress(`converge: route ${Math.round(durationMs)} ms after the change`);
      if (change > 0) durations.push(durationMs);
      const gone = monitor.gone(CHANGED_PREFIX, TIMEOUT_MS);
      applyObjects(lab.manifestsDirectory, peering([KEPT_PREFIX]));
      await gone;
    }
    return durations;
  } finally {
    await monitor.close();
  }
}

/** The scenario's peering with these prefixes of vpc-2. */
function peering(prefixes: readonly string[]): ManifestObject[] {
  const expose = (cidrs: readonly string[]) => ({ expose: [{ ips: cidrs.map((cidr) => ({ cidr })) }] });
  return splitObjects(
    JSON.stringify({
      apiVersion: "gateway.githedgehog.com/v1alpha1",
      kind: "GatewayPeering",
      metadata: { name: "vpc-1--vpc-2" },
      spec: { peering: { "vpc-1": expose(["10.1.1.0/24"]), "vpc-2": expose(prefixes) } },
    }),
    "the benchmark's peering",
  );
}
