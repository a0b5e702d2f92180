// What one packet costs the program, by bpf_prog_test_run: 1, 1 k and 64 k address pairs in random order. Used by scenarios/bench.
// bpf/bench.bpf.c lays a fresh frame over the old one before each run; its own cost is measured with an empty program in the gateway's place and
// taken off, so a row is what the gateway costs when run directly. The machine changes speed for minutes at a time: the runs alternate.
import { join } from "node:path";
import type { DataplaneLog } from "./dataplane.ts";
import { Dataplane } from "./dataplane.ts";
import type { DataplaneDesired, DataplanePeering } from "./desired.ts";
import { DataplaneError } from "./errors.ts";
import { BpfObject, type BpfProgram } from "./libbpf.ts";

export interface BenchmarkRow {
  readonly name: string;
  readonly nsPerPacket: { readonly min: number; readonly median: number; readonly max: number };
}

export interface BenchmarkOptions {
  /** On a BPF file system; made and removed again. */
  readonly pinDir: string;
  readonly log: DataplaneLog;
  readonly mountBpffs?: boolean;
  /** Rounds over all rows. */
  readonly rounds?: number;
  /** Packets a run. */
  readonly packets?: number;
}

export const vtep = { ip: "10.255.2.1", mac: "02:02:00:00:00:01" };
export const leaf = "10.255.1.1";
const headersBytes = 104;
const frameBytes = 114;

/** Throws DataplaneError. */
export function benchmarkProgram(options: BenchmarkOptions): BenchmarkRow[] {
  const dataplane = Dataplane.open(options);
  const object = new BpfObject(join(import.meta.dirname, "generated", "bench.bpf.o"));
  try {
    dataplane.apply(desired());
    object.load();
    const vary = object.program("vary");
    const nothing = object.program("nothing");
    const measured = object.map("measured");
    const state = object.map(".data.bench");
    const frame = benchFrame();
    const packets = options.packets ?? 500_000;

    const call = (fd: number) => measured.update(word(0), word(fd));
    const run = (program: BpfProgram) => program.testRun(frame, { repeat: packets }).nsPerPacket;
    const rows = [1, 1024, 65536].map((pairs) => ({ pairs, samples: [] as number[] }));
    const empty: number[] = [];
    for (let round = 0; round < (options.rounds ?? 5); round++) {
      for (const { pairs, samples } of rows) {
        state.update(word(0), benchState(frame, pairs, false));
        call(dataplane.programFd);
        run(vary);
        const alone = run(nothing);
        const whole = run(vary);
        call(nothing.fd);
        samples.push(whole - run(vary) + alone);
        empty.push(alone);
      }
    }
    const { directions, unattributedDrops } = dataplane.counters();
    const lost =
      directions.some(({ drops }) => Object.keys(drops).length > 0) || Object.keys(unattributedDrops).length > 0;
    if (lost || vary.testRun(frame).action === 0) {
      throw new DataplaneError("internal", `not every packet was forwarded: ${JSON.stringify(unattributedDrops)}`);
    }
    for (const handle of [vary, nothing, measured, state]) handle.close();
    return [
      { name: "empty program", nsPerPacket: spread(empty) },
      ...rows.map(({ pairs, samples }) => ({
        name: `${pairs === 1 ? "1 address pair" : `${pairs / 1024} k address pairs`}`,
        nsPerPacket: spread(samples),
      })),
    ];
  } finally {
    object.close();
    dataplane.remove();
  }
}

/** What `vary` works from: struct bench of bench.bpf.c. */
export function benchState(frame: Buffer, pairs: number, sequential: boolean): Buffer {
  const settings = [pairs, sequential ? 0 : 0x9e3779b9, sequential ? 1 : 0, 0];
  return Buffer.concat([frame.subarray(0, headersBytes), ...settings.map(word)]);
}

export function spread(samples: readonly number[]): { min: number; median: number; max: number } {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
}

export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** One measured peering among a hundred, one leaf behind one uplink. The uplink is `lo`: test runs send nothing. */
function desired(): DataplaneDesired {
  const others = Array.from({ length: 100 }, (_, index): DataplanePeering => {
    const side = (vpc: string, net: number) => ({
      vpc,
      default: false,
      prefixes: [0, 1, 2, 3].map((part) => `10.${net}.${index}.${part * 64}/26`),
    });
    return { id: `other-${index}`, sides: [side("vpc-a", 100), side(`vpc-${index}`, 101)] };
  });
  const peering = (prefixA: string, prefixB: string): DataplanePeering => ({
    id: "measured",
    sides: [
      { vpc: "vpc-a", default: false, prefixes: [prefixA] },
      { vpc: "vpc-b", default: false, prefixes: [prefixB] },
    ],
  });
  const vpcs = ["vpc-a", "vpc-b", ...others.map((_, index) => `vpc-${index}`)].map((name, index) => ({
    name,
    vni: 100001 + index,
  }));
  const route = (vni: number, prefix: string) => ({
    vni,
    prefix,
    paths: [{ vtep: leaf, vni, routerMac: "02:01:00:00:00:01" }],
  });
  return {
    vtep,
    uplinks: [],
    policy: { vpcs, peerings: [...others, peering("10.1.0.0/16", "10.2.0.0/16")] },
    routes: [
      ...Array.from({ length: 256 }, (_, index) => route(100001, `10.1.${index}.0/24`)),
      ...Array.from({ length: 256 }, (_, index) => route(100002, `10.2.${index}.0/24`)),
    ],
    tunnels: [
      { vtep: leaf, mtu: 9100, paths: [{ uplink: "lo", sourceMac: vtep.mac, nextHopMac: "02:00:00:00:00:01" }] },
    ],
    sourceVteps: [leaf],
  };
}

/** VXLAN over UDP, inside UDP from 10.1.0.0 to 10.2.0.0; `vary` fills in the pair and the inner checksum. */
export function benchFrame(): Buffer {
  const frame = Buffer.alloc(frameBytes);
  const outer = "02000000000202000000000108004500000000004000401100000aff01010aff0201";
  const udp = "c80012b500000000";
  const vxlan = "080000000186a100";
  const inner = "02020000000102010000000108004500000000000000401100000a0100000a020000" + "04d204d3";
  frame.write(outer + udp + vxlan + inner, "hex");
  frame.writeUInt16BE(frameBytes - 14, 16);
  frame.writeUInt16BE(frameBytes - 34, 38);
  frame.writeUInt16BE(frameBytes - 64, 66);
  frame.writeUInt16BE(frameBytes - 84, 88);
  let sum = 0;
  for (let offset = 14; offset < 34; offset += 2) sum += frame.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  frame.writeUInt16BE(~sum & 0xffff, 24);
  return frame;
}
