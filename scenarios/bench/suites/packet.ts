// Suite `packet`: what one packet costs the XDP program, beside an empty one. The measuring is dataplane/bench.ts.
import { benchmarkProgram } from "../../../dataplane/bench.ts";
import { benchmarkFlows } from "../../../dataplane/bench-flows.ts";
import { BenchError } from "../errors.ts";
import { pinDirectory, removeLeftoverPins } from "../pins.ts";
import { type Goal, type Row, rowOf } from "../row.ts";
import type { Suite } from "./suite.ts";

const ROUNDS = 9;
const EMPTY = "empty program";
const atMost = (than: number): Goal => ({ of: "value", limit: "at most", than });
const GOALS: Readonly<Record<string, Goal>> = {
  "1 k address pairs": atMost(120),
  "static NAT, 1 k address pairs": atMost(140),
  "denied by the ACL, 1 k flows": atMost(100),
  "masquerade, established TCP, 1 k flows": atMost(160),
  "masquerade, established TCP, 64 k flows": atMost(450),
  "masquerade, established TCP, 1 M flows": atMost(700),
  "masquerade, new flow, ACL of 100 rules": atMost(1500),
};
const BYTES_PER_FLOW = 400;
const AGEING_MS = 200;

export const packet: Suite = {
  name: "packet",
  async run({ progress }): Promise<Row[]> {
    progress("packet: bpf_prog_test_run");
    removeLeftoverPins();
    const quiet = { info: () => undefined, warn: () => undefined };
    const options = { pinDir: pinDirectory("packet"), log: quiet, mountBpffs: true, rounds: ROUNDS };
    const stateless = benchmarkProgram(options);
    progress("packet: NAT, ACLs, flows");
    const flows = benchmarkFlows(options);
    const measured = [...stateless, ...flows.rows];
    const empty = measured.find(({ name }) => name === EMPTY)?.nsPerPacket.median;
    if (empty === undefined)
      throw new BenchError("ERR_BENCH_FAILED", "dataplane/bench.ts did not measure an empty program");
    const one = (name: string, unit: string, value: number, goal?: Goal): Row =>
      rowOf(
        { suite: "packet", name, unit, ...(goal === undefined ? {} : { goal }) },
        { min: value, median: value, max: value, runs: 1 },
      );
    const rows = measured
      .filter(({ name }) => name !== EMPTY)
      .map(({ name, nsPerPacket }) => {
        const goal = GOALS[name];
        return rowOf(
          { suite: "packet", name, unit: "ns/packet", ...(goal === undefined ? {} : { goal }) },
          { ...nsPerPacket, runs: ROUNDS },
          { peer: EMPTY, value: empty, ratio: nsPerPacket.median / empty },
        );
      });
    return [
      ...rows,
      one("memory of a flow, both entries", "bytes", flows.bytesPerFlow, atMost(BYTES_PER_FLOW)),
      one("memory of a masqueraded endpoint", "bytes", flows.bytesPerMapping),
      one("ageing 1 M flows, none ends", "ms", flows.ageingMs.scan, atMost(AGEING_MS)),
      one("ageing 1 M flows, all end", "ms", flows.ageingMs.end),
    ];
  },
};
