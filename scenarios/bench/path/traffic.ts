// Small packets through the gateway as fast as one core carries them. The source and the sink share one core, the gateway's packet-receiving
// thread has the other one for itself.
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { must } from "../../lab/command.ts";
import { BenchError } from "../errors.ts";
import { Child } from "./child.ts";
import type { GeneratorRequest, GeneratorResult } from "./generator-process.ts";
import type { SinkReading } from "./sink-process.ts";
import type { PathNode, World } from "./world.ts";

const TRAFFIC_CORE = 0;
const GATEWAY_CORE = 1;
/** Caches fill and the threads find their rhythm. */
const WARM_UP_MS = 200;
const MEASURED_MS = 1000;
/** Goes before most of what else the machine does. The receiving threads go before everything, the sink before the generator on its core. */
const GENERATOR_NICE = -10;

export interface Throughput {
  /** Frames a second that arrived with the right VNI. */
  readonly deliveredPps: number;
  /** Frames a second that the generator handed to the gateway's link. */
  readonly offeredPps: number;
  /** Share of its core that the gateway's thread used: 1 at full load. */
  readonly gatewayLoad: number;
  /** Time of the gateway's core for one delivered frame. */
  readonly gatewayNs: number;
}

/** Source and sink of one world. While it is there, the path carries nothing else. */
export class Traffic {
  readonly #world: World;
  readonly #generator: Child;
  readonly #sink: Child;

  private constructor(world: World, generator: Child, sink: Child) {
    this.#world = world;
    this.#generator = generator;
    this.#sink = sink;
  }

  /** ERR_BENCH_MISSING on a machine with one core. */
  static async start(world: World): Promise<Traffic> {
    if (availableParallelism() < 2) {
      throw new BenchError("ERR_BENCH_MISSING", "two cores are needed: one for the traffic, one for the gateway");
    }
    // Without GRO or XDP a veth has no thread that could be bound to a core.
    await world.setGatewayGro("on");
    const sink = await Child.start({
      core: TRAFFIC_CORE,
      netns: world.netns("leaf-2"),
      program: "scenarios/bench/path/sink-process",
      args: [world.link("leaf-2", "gateway")],
    });
    try {
      const generator = await Child.start({
        core: TRAFFIC_CORE,
        nice: GENERATOR_NICE,
        netns: world.netns("leaf-1"),
        program: "scenarios/bench/path/generator-process",
        args: [world.link("leaf-1", "gateway")],
      });
      return new Traffic(world, generator, sink);
    } catch (error) {
      await sink.stop();
      throw error;
    }
  }

  /** One measurement with 2^flowBits address pairs. */
  async measure(flowBits: number): Promise<Throughput> {
    const gatewayThread = await this.#bind();
    const request: GeneratorRequest = { durationMs: WARM_UP_MS + MEASURED_MS + 100, flowBits };
    const generating = this.#generator.ask(request);
    // It may fail before it is waited for.
    generating.catch(() => undefined);
    try {
      await sleep(WARM_UP_MS);
      const before = { ...(await this.#read()), runNs: runTimeNs(gatewayThread) };
      await sleep(MEASURED_MS);
      const after = { ...(await this.#read()), runNs: runTimeNs(gatewayThread) };
      const generated = (await generating) as GeneratorResult;
      const frames = after.frames - before.frames;
      if (frames === 0)
        throw new BenchError("ERR_BENCH_FAILED", `nothing came through the ${this.#world.kind} gateway`);
      const durationMs = after.atMs - before.atMs;
      const runNs = after.runNs - before.runNs;
      return {
        deliveredPps: (frames / durationMs) * 1000,
        offeredPps: (generated.frames / generated.durationMs) * 1000,
        gatewayLoad: runNs / durationMs / 1e6,
        gatewayNs: runNs / frames,
      };
    } finally {
      await generating.catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    await this.#generator.stop();
    await this.#sink.stop();
    for (const [node, peer] of RECEIVERS) await this.#setThreaded(node, peer, "0");
  }

  /** Threads come anew whenever GRO or XDP is switched on a link, so they are bound before each measurement. Returns the gateway's. */
  async #bind(): Promise<number> {
    for (const [node, peer] of RECEIVERS) await this.#setThreaded(node, peer, "1");
    const gateway = napiThread(this.#world.link("gateway", "leaf-1"));
    await bind(gateway, GATEWAY_CORE);
    await bind(napiThread(this.#world.link("leaf-2", "gateway")), TRAFFIC_CORE);
    return gateway;
  }

  async #setThreaded(node: PathNode, peer: PathNode, value: "0" | "1"): Promise<void> {
    const file = `/sys/class/net/${this.#world.link(node, peer)}/threaded`;
    // `ip netns exec` mounts the namespace's own /sys.
    await must("ip", ["netns", "exec", this.#world.netns(node), "tee", file], { input: value });
  }

  async #read(): Promise<SinkReading> {
    return (await this.#sink.ask("read")) as SinkReading;
  }
}

const RECEIVERS = [
  ["gateway", "leaf-1"],
  ["leaf-2", "gateway"],
] as const;

/** The kernel thread that receives the packets of an interface. Its name shows no namespace: interface names are unique. */
function napiThread(link: string): number {
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      if (readFileSync(`/proc/${pid}/comm`, "utf8").startsWith(`napi/${link}-`)) return Number(pid);
    } catch {
      // It ended meanwhile.
    }
  }
  throw new BenchError(
    "ERR_BENCH_FAILED",
    `no packet-receiving thread for ${link}: threaded NAPI is not in this kernel`,
  );
}

/** Real-time priority: a thread that has to wait for its turn loses what arrives meanwhile. */
async function bind(thread: number, core: number): Promise<void> {
  await must("taskset", ["-p", "-c", String(core), String(thread)]);
  await must("chrt", ["--fifo", "--pid", "1", String(thread)]);
}

/** Time that a thread has run so far. */
function runTimeNs(thread: number): number {
  return Number(readFileSync(`/proc/${thread}/schedstat`, "utf8").split(" ")[0]);
}
