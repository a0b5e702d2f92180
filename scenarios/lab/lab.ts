// A running lab: the nodes of a topology as namespaces, the links between them, the programs on them. `Lab.up` makes one,
// `Lab.open` finds one that is there, and both can take it down again. All state that has to outlive this process is in
// state.ts; the rest is in the kernel.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { type CommandOptions, type CommandResult, ipBatch, must, run } from "./command.ts";
import { LabError } from "./errors.ts";
import { GATEWAY_MANIFESTS, GATEWAY_PROGRAMS, type GatewayProgram, startGatewayProgram } from "./gateway-programs.ts";
import { blackhole, createLinks, flushNode, setLinks, tuneLinks } from "./links.ts";
import { applyObjects, type ManifestObject } from "./manifests.ts";
import { enterNode, execOnNode, killInit, startInit } from "./node.ts";
import { identify, isRunning, type ProcessId, signalProcess, waitUntil } from "./process-id.ts";
import {
  conditionOf,
  createLabDirectory,
  type Fault,
  type LabState,
  labDirectory,
  labNames,
  type NodeState,
  readState,
  removeLabDirectory,
  writeState,
} from "./state.ts";
import { readTopology, type Topology, type TopologyNode } from "./topology.ts";

export interface UpOptions {
  readonly topologyFile: string;
  /** Default: the topology's name. */
  readonly name?: string;
  readonly manifests?: readonly ManifestObject[];
  /** Keep it marked as ours; otherwise it stays after this process has ended. */
  readonly owned: boolean;
  /** Aborting stops the making and takes down what is there. */
  readonly signal?: AbortSignal;
}

const EXEC_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

export class Lab {
  readonly name: string;
  readonly topology: Topology;
  readonly #state: LabState;

  private constructor(state: LabState, topology: Topology) {
    this.name = state.name;
    this.topology = topology;
    this.#state = state;
  }

  /** Makes a lab. Removes leftovers of a crashed one of this name; ERR_LAB_USAGE if it is up. */
  static async up(options: UpOptions): Promise<Lab> {
    const topology = readTopology(options.topologyFile);
    const name = options.name ?? topology.name;
    if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) {
      throw new LabError("ERR_LAB_USAGE", `lab name "${name}": lower-case letters, digits and hyphens`);
    }
    if (createLabDirectory(name) === undefined) {
      const condition = conditionOf(readState(name));
      if (condition !== "leftover") {
        throw new LabError("ERR_LAB_USAGE", `lab ${name} is ${condition}; take it down with: fabgate lab down ${name}`);
      }
      await Lab.remove(name);
      createLabDirectory(name);
    }
    const owner = identify(process.pid);
    const state: LabState = {
      version: 1,
      name,
      topologyFile: options.topologyFile,
      ...(owner === undefined ? {} : { owner }),
      nodes: Object.fromEntries(
        topology.nodes.map(({ name: node, gateway }) => [
          node,
          { netns: `fg-${name}-${node}`, programs: {}, ...(gateway === undefined ? {} : { gateway }) },
        ]),
      ),
    };
    const lab = new Lab(state, topology);
    lab.#save();
    try {
      await lab.#make(options);
      if (!options.owned) lab.release();
      return lab;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  /** A lab that is up. ERR_LAB_USAGE if there is none of this name. */
  static open(name: string): Lab {
    const state = readState(name);
    if (state === undefined || conditionOf(state) === "leftover") {
      const up = labNames().filter((other) => conditionOf(readState(other)) !== "leftover");
      throw new LabError("ERR_LAB_USAGE", `no lab ${name} is up${up.length === 0 ? "" : ` (up: ${up.join(", ")})`}`);
    }
    return new Lab(state, readTopology(state.topologyFile));
  }

  /** Removes whatever there is of a lab: processes, namespaces, links, state. Works on what a crash left, too. */
  static async remove(name: string): Promise<void> {
    const state = readState(name);
    for (const node of Object.values(state?.nodes ?? {})) await removeNode(node);
    removeLabDirectory(name);
  }

  get nodes(): readonly TopologyNode[] {
    return this.topology.nodes;
  }

  /** Directory of the manifests that all gateways of this lab watch. */
  get manifestsDirectory(): string {
    return join(labDirectory(this.name), "manifests");
  }

  logFile(node: string, program: string): string {
    return join(labDirectory(this.name), "logs", `${node}.${program}.log`);
  }

  /** Definition of a node; ERR_LAB_USAGE if the topology has none of this name. */
  node(name: string): TopologyNode {
    const node = this.topology.nodes.find((other) => other.name === name);
    if (node === undefined) {
      const names = this.topology.nodes.map((other) => other.name).join(", ");
      throw new LabError("ERR_LAB_USAGE", `lab ${this.name} has no node "${name}" (${names})`);
    }
    return node;
  }

  /** Name of the Gateway object that a node is now; undefined on other nodes. */
  gatewayOf(node: string): string | undefined {
    return this.#node(node).gateway;
  }

  isOn(node: string): boolean {
    const processes = this.#node(node).processes;
    return processes !== undefined && isRunning(processes.init);
  }

  /** Whether a program that the lab started on this node is running. */
  isProgramRunning(node: string, program: string): boolean {
    const id = this.#node(node).programs[program];
    return id !== undefined && isRunning(id);
  }

  /** Name of the network namespace of a node. */
  netns(node: string): string {
    return this.#node(node).netns;
  }

  fault(node: string): Fault | undefined {
    return this.#node(node).fault;
  }

  /** Runs a program on a node to its end. */
  async exec(node: string, argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return execOnNode(this.#init(node), argv, options);
  }

  /** Runs a program on a node with our own terminal. Returns its exit code. */
  execInteractive(node: string, argv: readonly string[]): Promise<number> {
    const [program, args] = this.enter(node, argv);
    return new Promise((resolve, reject) => {
      const child = spawn(program, [...args], { stdio: "inherit" });
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
    });
  }

  /** Program and arguments that run `argv` on a node, for callers that need the process itself. */
  enter(node: string, argv: readonly string[]): readonly [string, readonly string[]] {
    return ["nsenter", enterNode(this.#init(node), argv)];
  }

  async fail(node: string, how: Fault): Promise<void> {
    const definition = this.node(node);
    const state = this.#node(node);
    if (state.fault !== undefined) throw new LabError("ERR_LAB_USAGE", `${node} has failed already (${state.fault})`);
    if (how.startsWith("kill-") && definition.role !== "gateway") {
      throw new LabError("ERR_LAB_USAGE", `${how}: ${node} is not a gateway`);
    }
    if (how === "power-off" && definition.role === "leaf") {
      throw new LabError(
        "ERR_LAB_USAGE",
        `power-off: ${node} is a leaf; its links end in VRFs that would vanish with it`,
      );
    }
    state.fault = how;
    this.#save();
    switch (how) {
      case "power-off": {
        const processes = state.processes;
        delete state.processes;
        state.programs = {};
        await setLinks(node, this.topology, this.#netnsOf, "down");
        if (processes !== undefined) await killInit(processes);
        this.#save();
        return;
      }
      case "link-down":
        return setLinks(node, this.topology, this.#netnsOf, "down");
      case "blackhole":
        return blackhole(node, this.topology, this.#netnsOf, "on");
      case "kill-agent":
        return this.#kill(node, "agent");
      case "kill-gobgpd":
        return this.#kill(node, "gobgpd");
      case "kill-bfd":
        return this.#kill(node, "bfd");
    }
  }

  /**
   * Undoes what `fail` did. Returns as soon as the node is working on it, not when routes are back. A gateway that was
   * off may come back as another Gateway object.
   */
  async restore(node: string, gateway?: string): Promise<void> {
    const state = this.#node(node);
    const fault = state.fault;
    if (gateway !== undefined) {
      if (fault !== "power-off" || state.gateway === undefined) {
        throw new LabError("ERR_LAB_USAGE", `${node} is not a gateway that is off: it cannot become ${gateway}`);
      }
      state.gateway = gateway;
    }
    if (fault === undefined) throw new LabError("ERR_LAB_USAGE", `${node} has not failed`);
    delete state.fault;
    if (fault === "power-off") {
      await flushNode(node, this.topology, this.#netnsOf);
      await this.#startNode(this.node(node));
      await setLinks(node, this.topology, this.#netnsOf, "up");
      await this.#startPrograms(this.node(node));
    } else if (fault === "link-down") {
      await setLinks(node, this.topology, this.#netnsOf, "up");
    } else if (fault === "blackhole") {
      await blackhole(node, this.topology, this.#netnsOf, "off");
    } else {
      await this.#startPrograms(this.node(node));
    }
    this.#save();
  }

  /** Ends the agent with SIGTERM, as an upgrade would, and starts it again. */
  async restartAgent(node: string): Promise<void> {
    const agent = this.#node(node).programs.agent;
    if (agent === undefined) throw new LabError("ERR_LAB_USAGE", `restart-agent: ${node} is not a gateway`);
    signalProcess(agent, "SIGTERM");
    if (!(await waitUntil(() => !isRunning(agent), STOP_TIMEOUT_MS))) {
      throw new LabError("ERR_LAB_UNREACHABLE", `the agent on ${node} does not end on SIGTERM`);
    }
    await this.#startPrograms(this.node(node));
  }

  /** Leaves the lab to the user: it stays when this process ends. */
  release(): void {
    delete this.#state.owner;
    this.#save();
  }

  async down(): Promise<void> {
    await Promise.all(Object.values(this.#state.nodes).map(removeNode));
    removeLabDirectory(this.name);
  }

  async #make(options: UpOptions): Promise<void> {
    const { nodes, topology } = this;
    applyObjects(this.manifestsDirectory, options.manifests ?? []);
    await ipBatch(Object.values(this.#state.nodes).map((node) => `netns add ${node.netns}`));
    await allDone([createLinks(topology.links, this.#netnsOf), ...nodes.map((node) => this.#startNode(node))]);
    options.signal?.throwIfAborted();
    await allDone(nodes.map((node) => setLinks(node.name, topology, this.#netnsOf, "up")));
    await allDone(nodes.map((node) => tuneLinks(node.name, topology, this.#netnsOf)));
    options.signal?.throwIfAborted();
    await allDone(nodes.map((node) => this.#startPrograms(node)));
    options.signal?.throwIfAborted();
  }

  async #startNode(node: TopologyNode): Promise<void> {
    const state = this.#node(node.name);
    // All gateways read the lab's copy of the manifests, which the steps of a scenario change.
    const binds = node.binds.map((bind) =>
      bind.target === GATEWAY_MANIFESTS ? { ...bind, source: this.manifestsDirectory } : bind,
    );
    state.processes = await startInit({
      hostname: node.name,
      netns: state.netns,
      scratch: join(labDirectory(this.name), "nodes", node.name),
      log: this.logFile(node.name, "init"),
      binds,
    });
    this.#save();
    const sysctls = Object.entries(node.sysctls).map(([key, value]) => `${key}=${value}`);
    if (sysctls.length > 0) await this.#execOrFail(node, ["sysctl", "-q", "-w", ...sysctls]);
    await ipBatch(["link set lo up"], state.netns);
  }

  /** The topology's exec lines on a node that was just started; on a gateway, then, whatever is not running of its programs. */
  async #startPrograms(node: TopologyNode): Promise<void> {
    const state = this.#node(node.name);
    const fresh = Object.keys(state.programs).length === 0;
    if (fresh) for (const argv of node.exec) await this.#execOrFail(node, argv);
    if (state.gateway === undefined) return;
    for (const program of GATEWAY_PROGRAMS) {
      if (this.isProgramRunning(node.name, program)) continue;
      const log = this.logFile(node.name, program);
      state.programs[program] = await startGatewayProgram(program, state.gateway, this.#init(node.name), log, node.env);
    }
    this.#save();
  }

  async #execOrFail(node: TopologyNode, argv: readonly string[]): Promise<void> {
    const result = await this.exec(node.name, argv, { env: node.env, timeoutMs: EXEC_TIMEOUT_MS });
    if (result.code !== 0) {
      const said = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(-3).join("; ");
      throw new LabError(
        "ERR_LAB_INVALID",
        `${node.name}: exec "${argv.join(" ")}" ended with ${result.code}: ${said}`,
      );
    }
  }

  async #kill(node: string, program: GatewayProgram): Promise<void> {
    const id = this.#node(node).programs[program];
    if (id === undefined || !signalProcess(id, "SIGKILL")) {
      throw new LabError("ERR_LAB_UNREACHABLE", `${program} is not running on ${node}`);
    }
    await waitUntil(() => !isRunning(id), STOP_TIMEOUT_MS);
  }

  #node(name: string): NodeState {
    this.node(name);
    const state = this.#state.nodes[name];
    if (state === undefined)
      throw new LabError("ERR_LAB_INVALID", `the topology changed since lab ${this.name} came up: ${name} is new`);
    return state;
  }

  #init(name: string): ProcessId {
    const init = this.#node(name).processes?.init;
    if (init === undefined || !isRunning(init)) throw new LabError("ERR_LAB_UNREACHABLE", `node ${name} is off`);
    return init;
  }

  readonly #netnsOf = (node: string): string => this.netns(node);

  #save(): void {
    writeState(this.#state);
  }
}

/** Waits for all to end, then fails if one did: what is still being made must not appear after the clean-up. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === "rejected") throw result.reason;
}

/** Kills everything on a node and removes its namespace with all in it. Fine if parts of it are gone already. */
async function removeNode(node: NodeState): Promise<void> {
  if (node.processes !== undefined) await killInit(node.processes);
  // What a crash left before it was written down: every process in this namespace is on this node.
  const pids = await run("ip", ["netns", "pids", node.netns]);
  for (const pid of pids.stdout.split("\n").filter(Boolean).map(Number)) {
    const id = identify(pid);
    if (id === undefined) continue;
    signalProcess(id, "SIGKILL");
    await waitUntil(() => !isRunning(id), STOP_TIMEOUT_MS);
  }
  if (pids.code === 0) await must("ip", ["netns", "del", node.netns]);
}
