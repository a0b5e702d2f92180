// TCP throughput from host to host with iperf3.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { BenchError } from "../errors.ts";
import { RIGHT } from "./frame.ts";
import { inNamespace } from "./namespaces.ts";
import type { World } from "./world.ts";

const SECONDS = 2;
/** Slow start is left out. */
const OMITTED_SECONDS = 0.5;

/** Gbit/s of one connection, as the receiver counts them. */
export async function tcpGbps(world: World): Promise<number> {
  const [program, args] = inNamespace(world.netns("host-2"), ["iperf3", "--server", "--one-off", "--forceflush"]);
  const server = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
  try {
    // It prints this when it listens.
    await Promise.race([
      once(server.stdout, "data"),
      once(server, "exit").then(() => {
        throw new BenchError("ERR_BENCH_FAILED", "iperf3 --server ended at once");
      }),
    ]);
    const options = ["--json", "--time", String(SECONDS), "--omit", String(OMITTED_SECONDS)];
    const report = JSON.parse(await world.on("host-1", ["iperf3", "--client", RIGHT.host, ...options])) as {
      readonly end?: { readonly sum_received?: { readonly bits_per_second?: number } };
    };
    const rate = report.end?.sum_received?.bits_per_second;
    if (rate === undefined || rate === 0) {
      throw new BenchError("ERR_BENCH_FAILED", `iperf3 through the ${world.kind} gateway carried nothing`);
    }
    return rate / 1e9;
  } finally {
    server.kill("SIGKILL");
  }
}
