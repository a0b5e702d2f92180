// Suite `failover`: for how long packets are lost when the serving gateway fails, by kind of failure. It is the scenario of that name, and
// its steps decide how often each failure is tried.
import { runScenario } from "../../run/runner.ts";
import { findScenario, readScenario } from "../../run/scenario.ts";
import { stepLine } from "../../run/text.ts";
import { BenchError } from "../errors.ts";
import { type Row, rowOf } from "../row.ts";
import type { Suite } from "./suite.ts";

export const failover: Suite = {
  name: "failover",
  async run({ signal, progress }): Promise<Row[]> {
    const result = await runScenario(readScenario(findScenario("failover")), {
      name: "bench-failover",
      signal,
      onStep: (step) => progress(`failover: ${stepLine(step).trim()}`),
    });
    const failed = result.steps.find((step) => !step.ok);
    if (failed !== undefined) {
      throw new BenchError(
        "ERR_BENCH_FAILED",
        `"${failed.text}" did not hold: ${failed.error}; all of it: ${result.diagnosis}`,
      );
    }
    return result.lossWindows.map((row) =>
      rowOf(
        { suite: "failover", name: `loss window: ${row.label}`, unit: "ms", note: NOTE },
        { median: row.medianMs, min: row.minMs, max: row.maxMs, runs: row.samples },
      ),
    );
  },
};

const NOTE =
  "Longest outage of a stream with 1 ms between packets, from the last answered packet before it to the first after it; 0: none was lost.";
