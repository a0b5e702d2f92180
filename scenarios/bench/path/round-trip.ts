// Round-trip time from host to host: the median of many pings, each sent when the answer to the one before has come.
import { BenchError } from "../errors.ts";
import { median } from "../statistics.ts";
import { RIGHT } from "./frame.ts";
import type { World } from "./world.ts";

const PINGS = 1000;
/** The first ones find cold caches. */
const SKIPPED = 20;

/** Microseconds. ERR_BENCH_FAILED if an answer is missing. */
export async function roundTripUs(world: World): Promise<number> {
  const text = await world.on("host-1", ["ping", "-A", "-n", "-c", String(PINGS), "-W", "1", RIGHT.host]);
  const times = [...text.matchAll(/ time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000);
  if (times.length !== PINGS) {
    throw new BenchError(
      "ERR_BENCH_FAILED",
      `${PINGS - times.length} of ${PINGS} pings through the ${world.kind} gateway lost`,
    );
  }
  return median(times.slice(SKIPPED));
}
