// The agent process of one gateway: watches the manifests, keeps the plan, wires the actuators to the reconcile loop and
// answers on its socket. Stopping it leaves routes and forwarding as they are, unless told to withdraw.

import { mkdir } from "node:fs/promises";
import { BgpSpeaker } from "../bgp/speaker.ts";
import { Dataplane } from "../dataplane/dataplane.ts";
import { type Diagnostic, FabricLoader, formatDiagnostic, type Source, watchDirectory } from "../fabric-api/index.ts";
import type { AgentCounters, AgentStatus, Condition } from "./api/messages.ts";
import { AgentServer } from "./api/server.ts";
import { type BfdTimers, BfdWatch } from "./bfd.ts";
import { UnknownGatewayError, UnsupportedError } from "./errors.ts";
import type { Log } from "./log.ts";
import { NodeNetwork } from "./node/node.ts";
import { gatewayPaths } from "./paths.ts";
import type { SignalOptions } from "./plan/announcements.ts";
import { plan } from "./plan/plan.ts";
import { Reconciler } from "./reconcile.ts";
import { buildStatus } from "./status.ts";

/** What becomes of routes and forwarding when the agent is told to stop. */
export type OnStop = "hand-over" | "withdraw";

export interface AgentOptions {
  readonly gateway: string;
  readonly manifests: string;
  readonly version: string;
  readonly signals: SignalOptions;
  readonly bfd: BfdTimers;
  readonly log: Log;
}

export class Agent {
  readonly #options: AgentOptions;
  readonly #bgp: BgpSpeaker;
  readonly #bfd: BfdWatch;
  readonly #loader = new FabricLoader();
  readonly #node = new NodeNetwork();
  readonly #reconciler: Reconciler;
  readonly #server: AgentServer;
  readonly #watch = new AbortController();
  readonly #startedAtMs = Date.now();
  #manifests: AgentStatus["manifests"];
  #conditions: readonly Condition[] = [];

  constructor(options: AgentOptions) {
    this.#options = options;
    const { gateway, log } = options;
    const paths = gatewayPaths(gateway);
    this.#manifests = {
      directory: options.manifests,
      generation: 0,
      valid: false,
      errors: ["not read yet"],
      warnings: [],
    };
    this.#bgp = new BgpSpeaker({ socketPath: paths.gobgpSocket, log: log.child({ component: "bgp" }) });
    this.#bfd = new BfdWatch(paths.bfdSocket, options.bfd, log.child({ component: "bfd" }));
    this.#reconciler = new Reconciler({
      bgp: this.#bgp,
      bfd: this.#bfd,
      node: this.#node,
      openDataplane: () =>
        Dataplane.open({ pinDir: paths.pinDirectory, log: log.child({ component: "dataplane" }), mountBpffs: true }),
      log,
    });
    this.#server = new AgentServer(paths.agentSocket, {
      status: () => this.#status(),
      counters: () => this.#counters(),
    });
  }

  /** Starts everything; returns when the socket answers and the manifests have been read once. */
  async start(): Promise<void> {
    const { gateway, manifests, log } = this.#options;
    await mkdir(gatewayPaths(gateway).runDirectory, { recursive: true, mode: 0o700 });
    await this.#server.start();
    this.#bgp.on("change", () => this.#reconciler.trigger());
    this.#bfd.on("change", () => this.#reconciler.trigger());
    this.#node.on("change", () => this.#reconciler.trigger());
    this.#node.start();
    this.#bgp.start();
    await new Promise<void>((resolve, reject) => {
      const onChange = (sources: Source[]) => {
        this.#take(sources);
        resolve();
      };
      // At the start an unreadable directory ends the agent; later the last good plan stays.
      const onError = (error: unknown) => {
        this.#reject([error instanceof Error ? error.message : String(error)], []);
        reject(error);
      };
      void watchDirectory(manifests, onChange, this.#watch.signal, { onError });
    });
    log.info({ manifests }, "agent started");
  }

  /** Stops the agent. `withdraw` takes the routes back first and then the dataplane; `hand-over` leaves both. */
  async stop(how: OnStop): Promise<void> {
    const { log } = this.#options;
    log.info({ how }, "agent stopping");
    this.#watch.abort();
    this.#node.stop();
    this.#bfd.stop();
    await this.#reconciler.stop();
    if (how === "withdraw") {
      await this.#bgp.withdrawAll();
      this.#reconciler.dataplane?.remove();
      await this.#node.uninstallRoutes();
    } else this.#reconciler.dataplane?.close();
    await this.#bgp.stop();
    this.#server.stop();
    log.info({ how }, "agent stopped");
  }

  /** Takes manifests over if they are valid and this gateway can serve them; otherwise the last good plan stays in force. */
  #take(sources: Source[]): void {
    const { gateway, log, signals } = this.#options;
    const { fabric, errors, warnings } = this.#loader.load(sources);
    const warned = warnings.map((warning) => oneLine(warning, sources));
    if (!fabric) {
      const told = errors.map((error) => oneLine(error, sources));
      this.#reject(told, warned);
      return;
    }
    try {
      const next = plan(fabric, gateway, signals);
      const generation = this.#manifests.generation + 1;
      this.#manifests = { ...this.#manifests, generation, valid: true, errors: [], warnings: warned };
      log.info(
        { generation, peerings: next.served.length, routes: next.bgp.announcements.length },
        "manifests taken over",
      );
      this.#reconciler.setPlan(next, generation);
    } catch (error) {
      if (error instanceof UnsupportedError) this.#reject([...error.messages], warned);
      else if (error instanceof UnknownGatewayError) this.#reject([error.message], warned);
      else throw error;
    }
  }

  #reject(errors: string[], warnings: string[]): void {
    this.#manifests = { ...this.#manifests, valid: false, errors, warnings };
    this.#options.log.error(
      { errors: errors.slice(0, 10), count: errors.length },
      "manifests rejected; the last good plan stays",
    );
  }

  #status(): AgentStatus {
    const { gateway, version } = this.#options;
    const status = buildStatus(
      {
        gateway,
        version,
        pid: process.pid,
        startedAtMs: this.#startedAtMs,
        manifests: this.#manifests,
        bgp: this.#bgp.snapshot(),
        bfdState: (neighbor) => this.#bfd.stateOf(neighbor),
        ...this.#reconciler.knowledge,
      },
      this.#conditions,
      Date.now(),
    );
    this.#conditions = status.conditions;
    return status;
  }

  #counters(): AgentCounters {
    const counters = this.#reconciler.dataplane?.counters() ?? { directions: [], unattributedDrops: {}, passed: 0 };
    return { gateway: this.#options.gateway, ...counters };
  }
}

function oneLine(diagnostic: Diagnostic, sources: readonly Source[]): string {
  return formatDiagnostic(diagnostic, sources).split("\n", 1)[0] ?? diagnostic.message;
}
