// What each kind of step does. A step that holds returns what it measured; one that does not throws StepFailed with what was
// seen instead. Everything that has to be waited for is polled until the step's `within` is over.
import { isIPv6 } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { LabError } from "../lab/errors.ts";
import type { Lab } from "../lab/lab.ts";
import { applyObjects, deleteObject } from "../lab/manifests.ts";
import { IN_FLIGHT_MS, type StreamReport } from "../probe/stream.ts";
import { countDifference, judgeServed, linkCounters, peeringCounters } from "./counters.ts";
import { Host } from "./host.ts";
import { objectsOf, type Scenario, type StepKind, type StepOf } from "./scenario.ts";

/** An expectation that did not hold. */
export class StepFailed extends Error {}

export type Measured = Readonly<Record<string, unknown>>;

const PROBE_PACKETS = 3;
const PROBE_TIMEOUT_MS = 1000;
const SERVED_PACKETS = 20;
const STREAM_START_MS = 5000;
/** A stream that was started runs well when it has run this long without loss. */
const STARTED_MS = 200;
const RETRY_MS = 50;
const IPERF_PORT = "7004";
/** What the sender counts: the receiver stops counting when the sender says that it is done, with megabytes in flight. */
const iperfReport = z.object({
  end: z.object({ sum_sent: z.object({ bytes: z.number(), bits_per_second: z.number() }) }),
});

export class Steps {
  readonly #lab: Lab;
  readonly #scenario: Scenario;
  readonly #signal: AbortSignal;
  readonly #hosts = new Map<string, Host>();
  readonly #streams = new Map<string, { readonly host: Host; readonly intervalMs: number }>();

  constructor(lab: Lab, scenario: Scenario, signal: AbortSignal) {
    this.#lab = lab;
    this.#scenario = scenario;
    this.#signal = signal;
  }

  /** Starts the probe programs of all hosts, so that the first step does not wait for them. */
  startHosts(): void {
    for (const node of this.#lab.nodes) if (node.role === "host") this.#host(node.name);
  }

  /** By kind of step. */
  readonly actions: { readonly [K in StepKind]: (step: StepOf<K>) => Promise<Measured> } = {
    apply: async (step) => {
      applyObjects(this.#lab.manifestsDirectory, objectsOf(step, this.#scenario.directory));
      return {};
    },
    delete: async ({ kind, name }) => {
      deleteObject(this.#lab.manifestsDirectory, kind, name);
      return {};
    },
    exec: async ({ node, command, within }) => {
      const { code, stdout, stderr } = await this.#lab.exec(node, command, { timeoutMs: within });
      if (code !== 0) throw new StepFailed(`ended with ${code}: ${(stderr || stdout).trim()}`);
      return {};
    },
    probe: (step) => this.#probe(step),
    transfer: (step) => this.#transfer(step),
    traffic: (step) => this.#traffic(step),
    expect: (step) => this.#expect(step),
    fail: async ({ node, how }) => {
      await this.#lab.fail(node, how);
      return {};
    },
    restore: async ({ node, gateway }) => {
      await this.#lab.restore(node, gateway);
      return {};
    },
    "restart-agent": async ({ node }) => {
      await this.#lab.restartAgent(node);
      return {};
    },
    servedBy: (step) => this.#servedBy(step),
    spread: (step) => this.#spread(step),
    show: async () => ({}),
  };

  /** Ends the probe programs, and with them all streams. */
  async close(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.close()));
  }

  async #probe(step: StepOf<"probe">): Promise<Measured> {
    const address = step.address ?? (await this.#addressOf(step.to));
    return this.#until(step.within, async () => {
      const { answered, arrived, misled, seenAs } = await (step.proto === "icmp"
        ? this.#ping(step.from, address, step.size)
        : this.#ask(step, step.proto, address));
      const got = `${answered} of ${PROBE_PACKETS} answered${arrived === undefined ? "" : `, ${arrived} arrived`}`;
      if (step.expect === "allowed" && answered < PROBE_PACKETS) throw new StepFailed(`expected allowed: ${got}`);
      if (step.expect === "denied" && (answered > 0 || (arrived ?? 0) > 0))
        throw new StepFailed(`expected denied: ${got}`);
      if (misled > 0) throw new StepFailed(`${misled} arrived at ${step.notAt}`);
      if (step.seenAs !== undefined && seenAs.join() !== step.seenAs) {
        throw new StepFailed(`expected to be seen as ${step.seenAs}: seen as ${seenAs.join() || "nothing"}`);
      }
      return seenAs.length === 0 ? {} : { seenAs };
    });
  }

  async #ask(step: StepOf<"probe">, proto: "udp" | "tcp", address: string) {
    const { port, size } = step;
    const arrivedAt = async (host: string) => (await this.#host(host).ask({ op: "listen", proto, port })).arrived;
    const arrived = async () => ({ to: await arrivedAt(step.to), notAt: step.notAt && (await arrivedAt(step.notAt)) });
    const probe = { op: "probe", proto, address, port, size, count: PROBE_PACKETS, flows: 1 } as const;
    const before = await arrived();
    const answer = await this.#host(step.from).ask({ ...probe, timeoutMs: PROBE_TIMEOUT_MS });
    const after = await arrived();
    return {
      answered: answer.answered,
      arrived: after.to - before.to,
      misled: Number(after.notAt ?? 0) - Number(before.notAt ?? 0),
      seenAs: answer.seenAs,
    };
  }

  async #ping(from: string, address: string, size: number) {
    const argv = [
      "ping",
      "-n",
      "-q",
      "-i",
      "0.02",
      "-W",
      "1",
      "-c",
      String(PROBE_PACKETS),
      "-s",
      String(size),
      address,
    ];
    const { stdout } = await this.#lab.exec(from, argv, { timeoutMs: 10_000 });
    return { answered: Number(/(\d+) received/.exec(stdout)?.[1] ?? 0), arrived: undefined, misled: 0, seenAs: [] };
  }

  async #transfer(step: StepOf<"transfer">): Promise<Measured> {
    const address = step.address ?? (await this.#addressOf(step.to));
    const bytes = step.megabytes * 1_000_000;
    const server = this.#lab.exec(step.to, ["iperf3", "-s", "-1", "-p", IPERF_PORT], { timeoutMs: step.within });
    const result = await this.#until(step.within, async () => {
      const argv = ["iperf3", "-c", address, "-p", IPERF_PORT, "-n", String(bytes), "-J"];
      const { code, stdout } = await this.#lab.exec(step.from, argv, { timeoutMs: step.within });
      const report = iperfReport.safeParse(code === 0 ? JSON.parse(stdout) : undefined);
      if (!report.success) throw new StepFailed(`iperf3: ${/"error":\s*"(.*)"/.exec(stdout)?.[1] ?? "no report"}`);
      return report.data.end;
    });
    await server;
    if (result.sum_sent.bytes < bytes) throw new StepFailed(`${result.sum_sent.bytes} of ${bytes} bytes sent`);
    return { bytes, bitsPerSecond: result.sum_sent.bits_per_second };
  }

  async #traffic(step: StepOf<"traffic">): Promise<Measured> {
    const address = step.address ?? (await this.#addressOf(step.to));
    const host = this.#host(step.from);
    await this.#host(step.to).ask({ op: "listen", proto: step.proto, port: step.port });
    await host.ask({
      op: "start",
      name: step.name,
      proto: step.proto,
      address,
      port: step.port,
      intervalMs: step.interval,
    });
    this.#streams.set(step.name, { host, intervalMs: step.interval });
    const report = await this.#settled(step.name, STARTED_MS, STREAM_START_MS);
    if (report.cleanForMs < STARTED_MS) throw new StepFailed(`the stream does not run: ${lossText(report)}`);
    await host.ask({ op: "report", name: step.name, take: true });
    return { medianRttMs: report.medianRttMs };
  }

  async #expect(step: StepOf<"expect">): Promise<Measured> {
    const stream = this.#stream(step.traffic);
    const settled = await this.#settled(step.traffic, step.settle, step.within);
    const report = await stream.host.ask({ op: "report", name: step.traffic, take: true });
    const failures: string[] = [];
    if (step.connection === "survives" && !report.alive) failures.push(`the connection broke: ${report.ended}`);
    if (step.connection === "breaks" && report.alive) failures.push("the connection survived");
    if (step.connection !== "breaks" && settled.cleanForMs < step.settle) {
      failures.push(`not running again after ${step.within} ms`);
    }
    if (step.maxLossWindow !== undefined && report.lossWindowMs > step.maxLossWindow) {
      failures.push(`longer than ${step.maxLossWindow} ms`);
    }
    if (step.maxLost !== undefined && report.lost > step.maxLost) failures.push(`more than ${step.maxLost} lost`);
    if (failures.length > 0) throw new StepFailed(`${lossText(report)}: ${failures.join(", ")}`);
    return { ...report };
  }

  async #servedBy(step: StepOf<"servedBy">): Promise<Measured> {
    const address = step.address ?? (await this.#addressOf(step.to));
    const port = 7002;
    await this.#host(step.to).ask({ op: "listen", proto: "udp", port });
    return this.#until(step.within, async () => {
      const before = await peeringCounters(this.#lab, step.peering);
      const probe = { op: "probe", proto: "udp", address, port, size: 56, count: SERVED_PACKETS, flows: 1 } as const;
      const answer = await this.#host(step.from).ask({ ...probe, timeoutMs: PROBE_TIMEOUT_MS });
      const after = await peeringCounters(this.#lab, step.peering);
      if (answer.answered < SERVED_PACKETS) {
        throw new StepFailed(`${answer.answered} of ${SERVED_PACKETS} packets answered`);
      }
      const carried = new Map([...after].map(([name, counts]) => [name, countDifference(before.get(name), counts)]));
      const verdict = judgeServed(carried, step.gateway, SERVED_PACKETS);
      if (!verdict.ok) throw new StepFailed(verdict.why);
      return { carried: Object.fromEntries(carried) };
    });
  }

  async #spread(step: StepOf<"spread">): Promise<Measured> {
    const address = await this.#addressOf(step.to);
    const port = 7003;
    await this.#host(step.to).ask({ op: "listen", proto: "udp", port });
    return this.#until(step.within, async () => {
      const before = await linkCounters(this.#lab, step.node);
      const probe = { op: "probe", proto: "udp", address, port, size: 56, count: 4, flows: step.flows } as const;
      const answer = await this.#host(step.from).ask({ ...probe, timeoutMs: PROBE_TIMEOUT_MS });
      const after = await linkCounters(this.#lab, step.node);
      if (answer.answered < answer.sent) throw new StepFailed(`${answer.answered} of ${answer.sent} packets answered`);
      // Each probe passes the node twice, there and back.
      const least = step.minShare * 2 * answer.sent;
      const carried = after.map((now, index) => ({
        link: now.link,
        toNode: now.toNode - (before[index]?.toNode ?? 0),
        fromNode: now.fromNode - (before[index]?.fromNode ?? 0),
      }));
      const poor = carried.filter((link) => link.fromNode < least);
      const text = carried.map((link) => `${link.link}: ${link.toNode} to it, ${link.fromNode} from it`).join("; ");
      if (poor.length > 0)
        throw new StepFailed(`less than ${least} packets on ${poor.map((link) => link.link).join(", ")} (${text})`);
      return { carried };
    });
  }

  /** Polls a stream until it has run without loss for `settleMs` from now on, or the time is over. Returns the last report. */
  async #settled(name: string, settleMs: number, withinMs: number): Promise<StreamReport> {
    const { host } = this.#stream(name);
    const startMs = performance.now();
    for (;;) {
      this.#signal.throwIfAborted();
      const report = await host.ask({ op: "report", name, take: false });
      const waitedMs = performance.now() - startMs;
      const settled = report.cleanForMs >= settleMs && waitedMs >= settleMs + IN_FLIGHT_MS;
      if (settled || !report.alive || waitedMs >= withinMs) return report;
      await sleep(RETRY_MS);
    }
  }

  /** Tries until it does not fail any more, or the time is over. */
  async #until<T extends Measured>(withinMs: number, attempt: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof StepFailed || error instanceof LabError) || performance.now() >= deadline) throw error;
      }
      await sleep(RETRY_MS);
    }
  }

  #stream(name: string) {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new LabError("ERR_LAB_INVALID", `no traffic ${name} is running`);
    return stream;
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name) ?? new Host(this.#lab, name);
    this.#hosts.set(name, host);
    return host;
  }

  /** First global address of a host's interfaces. */
  async #addressOf(host: string): Promise<string> {
    const { stdout } = await this.#lab.exec(host, ["ip", "-j", "addr", "show", "scope", "global"]);
    const links = z.array(z.object({ addr_info: z.array(z.object({ local: z.string().optional() })).optional() }));
    const addresses = links
      .parse(JSON.parse(stdout))
      .flatMap((link) => (link.addr_info ?? []).flatMap((info) => info.local ?? []));
    const address = addresses.find((candidate) => !isIPv6(candidate)) ?? addresses[0];
    if (address === undefined) throw new LabError("ERR_LAB_INVALID", `${host} has no address`);
    return address;
  }
}

function lossText(report: StreamReport): string {
  const window = Math.round(report.lossWindowMs * 10) / 10;
  return `${report.lost} of ${report.sent} lost, loss window ${window} ms`;
}
