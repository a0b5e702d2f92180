// What translated and filtered packets cost the program, what a flow takes of memory, and what ageing takes of time: as bench.ts, with peerings that keep
// state. Used by scenarios/bench. A run's frames are TCP packets with the ACK flag, from 256 hosts to 256 hosts, and by their source port beyond 64 k flows.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BenchmarkOptions, type BenchmarkRow, benchFrame, benchState, leaf, spread, vtep, word } from "./bench.ts";
import { Dataplane } from "./dataplane.ts";
import type { DataplaneDesired, DataplanePeering } from "./desired.ts";
import { DataplaneError } from "./errors.ts";
import { layoutDigest } from "./generated/layout.ts";
import { BpfMap, BpfObject, type BpfProgram } from "./libbpf.ts";

const capacity = 1 << 20;
const anHourMs = 3_600_000;

export interface FlowBenchmark {
  readonly rows: readonly BenchmarkRow[];
  /** Kernel memory of both entries of a flow, at the table's full capacity. */
  readonly bytesPerFlow: number;
  /** Of a masqueraded inside endpoint, without the tables' own. */
  readonly bytesPerMapping: number;
  /** Over 1 M flows, none of which ends; all of which end. */
  readonly ageingMs: { readonly scan: number; readonly end: number };
}

/** Throws DataplaneError. */
export function benchmarkFlows(options: BenchmarkOptions): FlowBenchmark {
  const dataplane = Dataplane.open(options);
  const object = new BpfObject(join(import.meta.dirname, "generated", "bench.bpf.o"));
  try {
    object.load();
    const vary = object.program("vary");
    const nothing = object.program("nothing");
    const measured = object.map("measured");
    const state = object.map(".data.bench");
    const frame = tcpFrame();
    const packets = options.packets ?? 300_000;
    const run = (program: BpfProgram, count: number) => program.testRun(frame, { repeat: count }).nsPerPacket;
    const call = (fd: number) => measured.update(word(0), word(fd));
    const draw = (pairs: number, sequential: boolean) => state.update(word(0), benchState(frame, pairs, sequential));
    /** ns of the program alone. `count`: packets. */
    const measure = (pairs: number, sequential: boolean, count: number): number => {
      draw(pairs, sequential);
      call(nothing.fd);
      const without = run(vary, count) - run(nothing, count);
      draw(pairs, sequential);
      call(dataplane.programFd);
      return run(vary, count) - without;
    };
    const fill = (flows: number) => {
      draw(flows, true);
      call(dataplane.programFd);
      run(vary, flows);
    };
    const clear = () => {
      const now = Number(process.hrtime.bigint() / 1_000_000n);
      for (const hours of [20, 40, 60]) dataplane.age(now + hours * anHourMs);
    };
    const rows: BenchmarkRow[] = [];
    const sample = (name: string, take: () => number) => {
      const samples = Array.from({ length: options.rounds ?? 5 }, take);
      rows.push({ name, nsPerPacket: spread(samples) });
    };

    for (const [kind, name] of [
      ["static", "static NAT, 1 k address pairs"],
      ["denied", "denied by the ACL, 1 k flows"],
    ] as const) {
      dataplane.apply(desired(kind));
      measure(1024, true, 2048);
      sample(name, () => measure(1024, false, packets));
    }
    dataplane.apply(desired("masquerade"));
    const pins = join(options.pinDir, `maps-${layoutDigest}`);
    const mappingMemory = () => mapMemory(join(pins, "mappings")) + mapMemory(join(pins, "bindings"));
    const withoutMappings = mappingMemory();
    for (const [flows, name] of [
      [1 << 10, "1 k"],
      [1 << 16, "64 k"],
      [1 << 20, "1 M"],
    ] as const) {
      fill(flows);
      expectFlows(dataplane, flows);
      sample(`masquerade, established TCP, ${name} flows`, () => measure(flows, false, packets));
    }
    const bytesPerFlow = mapMemory(join(pins, "flows")) / capacity;
    const bytesPerMapping = (mappingMemory() - withoutMappings) / dataplane.age().mappings;
    const now = Number(process.hrtime.bigint() / 1_000_000n);
    const scan = timed(() => dataplane.age(now + 30_000));
    const end = timed(() => dataplane.age(now + 20 * anHourMs));
    clear();
    const begin = () => {
      const ns = measure(1 << 18, true, 1 << 18);
      clear();
      return ns;
    };
    sample("masquerade, new flow, ACL of 100 rules", begin);
    dataplane.apply(desired("no-acl"));
    sample("masquerade, new flow, no ACL", begin);
    for (const handle of [vary, nothing, measured, state]) handle.close();
    return { rows, bytesPerFlow, bytesPerMapping, ageingMs: { scan, end } };
  } finally {
    object.close();
    dataplane.remove();
  }
}

function timed(work: () => void): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

function expectFlows(dataplane: Dataplane, wanted: number): void {
  const { flows } = dataplane.age();
  if (flows !== wanted)
    throw new DataplaneError("internal", `${flows} of ${wanted} flows: ${JSON.stringify(dataplane.counters())}`);
}

/** What the kernel says that a map takes. */
function mapMemory(pin: string): number {
  const map = BpfMap.pinned("measured", pin);
  if (map === undefined) throw new DataplaneError("internal", `no map at ${pin}`);
  const line = /^memlock:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${map.fd}`, "utf8"));
  map.close();
  return Number(line?.[1]);
}

/** The peering of a and b, one leaf behind `lo`: test runs send nothing. */
function desired(kind: "static" | "denied" | "masquerade" | "no-acl"): DataplaneDesired {
  const prefix = "10.1.0.0/16";
  const nat =
    kind === "static"
      ? ({ kind, public: ["172.16.0.0/16"] } as const)
      : ({ kind: "masquerade", public: ["192.0.2.0/28"] } as const);
  const rule = (port: number, action: "allow" | "deny") => ({
    from: "a",
    action,
    src: [],
    dst: [{ ports: { first: port, last: port } }],
    protocols: [6],
    scope: "flow" as const,
  });
  // 99 rules that do not match, then the one that does.
  const rules = [...Array.from({ length: 99 }, (_, index) => rule(2000 + index, "deny")), rule(1235, "allow")];
  const peering: DataplanePeering = {
    id: "measured",
    sides: [
      {
        vpc: "a",
        default: false,
        ...(kind === "denied" ? { prefixes: [prefix] } : { prefixes: [], translated: [{ prefixes: [prefix], nat }] }),
      },
      { vpc: "b", default: false, prefixes: ["10.2.0.0/16"] },
    ],
    ...(kind === "static" || kind === "no-acl"
      ? {}
      : { acl: { default: "deny", rules: kind === "denied" ? rules.slice(0, -1) : rules } }),
  };
  const route = (vni: number, prefixOf: string) => ({
    vni,
    prefix: prefixOf,
    paths: [{ vtep: leaf, vni, routerMac: "02:01:00:00:00:01" }],
  });
  return {
    vtep,
    uplinks: [],
    flowTableCapacity: capacity,
    policy: {
      vpcs: [
        { name: "a", vni: 100001 },
        { name: "b", vni: 100002 },
      ],
      peerings: [peering],
    },
    routes: [route(100001, prefix), route(100002, "10.2.0.0/16")],
    tunnels: [
      { vtep: leaf, mtu: 9100, paths: [{ uplink: "lo", sourceMac: vtep.mac, nextHopMac: "02:00:00:00:00:01" }] },
    ],
    sourceVteps: [leaf],
  };
}

/** bench.ts's frame as TCP: the checksum is wrong and stays as wrong as it was. */
function tcpFrame(): Buffer {
  const frame = benchFrame();
  frame[73] = 6;
  frame.fill(0, 88);
  frame[96] = 0x50;
  frame[97] = 0x10;
  return frame;
}
