// Suite `packet`: what one packet costs the XDP program, beside an empty one. The measuring is dataplane/bench.ts.
import { benchmarkProgram } from "../../../dataplane/bench.ts";
import { BenchError } from "../errors.ts";
import { pinDirectory, removeLeftoverPins } from "../pins.ts";
import { type Goal, type Row, rowOf } from "../row.ts";
import type { Suite } from "./suite.ts";

const ROUNDS = 9;
const EMPTY = "empty program";
const GOALS: Readonly<Record<string, Goal>> = { "1 k address pairs": { of: "value", limit: "at most", than: 120 } };

export const packet: Suite = {
  name: "packet",
  async run({ progress }): Promise<Row[]> {
    progress("packet: bpf_prog_test_run");
    removeLeftoverPins();
    const quiet = { info: () => undefined, warn: () => undefined };
    const measured = benchmarkProgram({ pinDir: pinDirectory("packet"), log: quiet, mountBpffs: true, rounds: ROUNDS });
    const empty = measured.find(({ name }) => name === EMPTY)?.nsPerPacket.median;
    if (empty === undefined)
      throw new BenchError("ERR_BENCH_FAILED", "dataplane/bench.ts did not measure an empty program");
    return measured
      .filter(({ name }) => name !== EMPTY)
      .map(({ name, nsPerPacket }) => {
        const goal = GOALS[name];
        return rowOf(
          { suite: "packet", name, unit: "ns/packet", ...(goal === undefined ? {} : { goal }) },
          { ...nsPerPacket, runs: ROUNDS },
          { peer: EMPTY, value: empty, ratio: nsPerPacket.median / empty },
        );
      });
  },
};
