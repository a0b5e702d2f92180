// The traffic source: sends frames out of an interface of its network namespace for as long as it is asked to. Started by traffic.ts, bound
// to one core.
import { join } from "node:path";
import { BpfLink, BpfObject, interfaceIndex, xdpFlags } from "../../../dataplane/libbpf.ts";
import { BenchError } from "../errors.ts";
import { serve } from "./child.ts";
import { generatorFrame, HEADER_BYTES } from "./frame.ts";

export interface GeneratorRequest {
  readonly durationMs: number;
  /** 2^n address pairs. */
  readonly flowBits: number;
}

/** Frames handed to the link and how long that took. */
export interface GeneratorResult {
  readonly frames: number;
  readonly durationMs: number;
}

/** Frames of one system call: less than 100 ms. */
const CHUNK = 262_144;
/** As many as the kernel takes: pages go round in a pool of this size. */
const BATCH = 256;

const link = process.argv[2] ?? "";

await serve<GeneratorRequest>(async () => {
  const ifindex = interfaceIndex(link);
  if (ifindex === undefined) throw new BenchError("ERR_BENCH_MISSING", `no interface ${link}`);
  const object = new BpfObject(join(import.meta.dirname, "../generated/generator.bpf.o"));
  object.load();
  const program = object.program("generate");
  // Each test run puts its program into the kernel's XDP dispatcher and takes it out again, which costs two RCU grace periods of some 20 ms in
  // which nothing is sent, unless it is there already because it is attached somewhere.
  const attached = BpfLink.attachXdp(program, interfaceIndex("lo") ?? 0, xdpFlags.skbMode);
  const { bytes } = object.map(".data.generator").map();
  const frame = generatorFrame();
  // struct generator of bpf/generator.bpf.c.
  new Uint8Array(bytes, 0, HEADER_BYTES).set(frame.subarray(0, HEADER_BYTES));
  const words = new Uint32Array(bytes, HEADER_BYTES, 2);
  const generated = new BigUint64Array(bytes, HEADER_BYTES + 8, 1);
  words[0] = ifindex;
  return {
    handle: ({ durationMs, flowBits }): GeneratorResult => {
      words[1] = flowBits;
      const before = generated[0] ?? 0n;
      const start = performance.now();
      let now = start;
      while (now - start < durationMs) {
        program.runLive(frame, { repeat: CHUNK, batchSize: BATCH });
        now = performance.now();
      }
      return { frames: Number((generated[0] ?? 0n) - before), durationMs: now - start };
    },
    close: () => attached.close(),
  };
});
