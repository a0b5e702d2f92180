// Our gateway on the measured path, inside its network namespace. Started by gateway.ts; removes the dataplane when its channel closes.
import { Dataplane } from "../../../dataplane/dataplane.ts";
import type { DataplaneCounters, DataplaneDesired } from "../../../dataplane/desired.ts";
import { BenchError } from "../errors.ts";
import { serve } from "./child.ts";

const [, , pinDir = "", desiredJson = ""] = process.argv;
const quiet = { info: () => undefined, warn: () => undefined };

await serve<"counters">(async () => {
  const dataplane = Dataplane.open({ pinDir, log: quiet, mountBpffs: true });
  const { uplinks } = dataplane.apply(JSON.parse(desiredJson) as DataplaneDesired);
  for (const { name, mode, reason } of uplinks) {
    if (mode === "native") continue;
    dataplane.remove();
    throw new BenchError("ERR_BENCH_FAILED", `XDP on ${name} is ${mode}: ${reason}`);
  }
  return {
    handle: (): DataplaneCounters => dataplane.counters(),
    close: () => dataplane.remove(),
  };
});
