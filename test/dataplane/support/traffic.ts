// Packets through the program on another thread, while the test goes on changing maps.
import { join } from "node:path";
import koffi from "koffi";
import { BpfObject } from "../../../dataplane/libbpf.ts";

const testRun = koffi.load("libbpf.so.1").func("bpf_prog_test_run_opts", "int", ["int", "void *"]);

/**
 * Runs `count` copies of one frame. The program gets each as it was, through the benchmark's `vary`. `pairs`: not copies, but one address pair after the other
 * (source x.y.z.0–255, destination x.y.0–255.z), a power of two.
 */
export function sendInBackground(
  programFd: number,
  frame: Buffer,
  count: number,
  pairs = 1,
): { finished: Promise<void>; done: () => boolean } {
  const object = new BpfObject(join(import.meta.dirname, "../../../dataplane/generated/bench.bpf.o"));
  object.load();
  const handles = { vary: object.program("vary"), measured: object.map("measured"), state: object.map(".data.bench") };
  const word = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const headers = Buffer.alloc(104);
  frame.copy(headers);
  // `vary` sums up the inner header.
  headers.writeUInt16BE(0, 74);
  handles.state.update(
    word(0),
    Buffer.concat([headers, word(pairs), word(pairs > 1 ? 0 : 1), word(pairs > 1 ? 1 : 0), word(0)]),
  );
  handles.measured.update(word(0), word(programFd));

  const input = Buffer.concat([frame, Buffer.alloc(64)]);
  const run = Buffer.alloc(80);
  run.writeBigUInt64LE(80n, 0);
  run.writeBigUInt64LE(koffi.address(input), 8);
  run.writeUInt32LE(input.byteLength, 24);
  run.writeInt32LE(count, 60);
  let done = false;
  const finished = new Promise<void>((resolve, reject) => {
    testRun.async(handles.vary.fd, run, (error: Error | null, result: number) => {
      done = true;
      for (const handle of Object.values(handles)) handle.close();
      object.close();
      if (error !== null || result < 0 || input.byteLength === 0) reject(error ?? new Error(`test run: ${result}`));
      else resolve();
    });
  });
  return { finished, done: () => done };
}
