// The traffic sink on the last link: an XDP program that counts what arrives and drops it. Started by traffic.ts; detached when it ends.
import { join } from "node:path";
import { BpfLink, BpfObject, interfaceIndex, xdpFlags } from "../../../dataplane/libbpf.ts";
import { BenchError } from "../errors.ts";
import { serve } from "./child.ts";
import { RIGHT, vniWord } from "./frame.ts";

export interface SinkReading {
  readonly frames: number;
  /** Of this process's monotonic clock. */
  readonly atMs: number;
}

const link = process.argv[2] ?? "";

await serve<"read">(async () => {
  const ifindex = interfaceIndex(link);
  if (ifindex === undefined) throw new BenchError("ERR_BENCH_MISSING", `no interface ${link}`);
  const object = new BpfObject(join(import.meta.dirname, "../generated/sink.bpf.o"));
  object.load();
  const memory = object.map(".data.sink").map();
  // struct sink of bpf/sink.bpf.c.
  new DataView(memory.bytes).setUint32(0, vniWord(RIGHT.vni));
  const received = new BigUint64Array(memory.bytes, 8, 1);
  const attached = BpfLink.attachXdp(object.program("count"), ifindex, xdpFlags.driverMode);
  return {
    handle: (): SinkReading => ({ frames: Number(received[0] ?? 0n), atMs: performance.now() }),
    close: () => attached.close(),
  };
});
