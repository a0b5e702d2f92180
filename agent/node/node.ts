// The gateway node's own network: brings it into the declared state and reports links and neighbours as they change.
// Used by the reconcile loop; the decisions are in changes.ts, the commands in iproute.ts.

import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import type { NodePlan } from "../plan/plan.ts";
import type { KernelRoute, UnderlayView } from "../plan/underlay.ts";
import { addressRemovals, interfaceChanges, type NodeLink, routeChanges } from "./changes.ts";
import { ipBatch, type NeighborTable, readBgpRoutes, readLinks, readNeighbors } from "./iproute.ts";

/** A burst of kernel events is read once, this long after its first. */
const EVENT_DEBOUNCE_MS = 5;
/** Wait before `ip monitor` is started again after it ended. */
const MONITOR_RESTART_MS = 500;

export interface NodeState {
  readonly links: readonly NodeLink[];
  readonly neighbors: NeighborTable;
}

/** Emits "change" when links, addresses or neighbours may have changed. */
export class NodeNetwork extends EventEmitter<{ change: [] }> {
  #monitor: ChildProcess | undefined;
  #stopped = false;
  #pending: NodeJS.Timeout | undefined;
  #configured: NodePlan | undefined;
  #seenLinks = "";
  #routes: string | undefined;

  /** Begins to watch the kernel. */
  start(): void {
    const monitor = spawn("ip", ["-o", "monitor", "link", "address", "neigh"], { stdio: ["ignore", "pipe", "ignore"] });
    this.#monitor = monitor;
    monitor.stdout.on("data", () => {
      this.#pending ??= setTimeout(() => {
        this.#pending = undefined;
        this.emit("change");
      }, EVENT_DEBOUNCE_MS);
    });
    monitor.on("error", () => {});
    monitor.on("close", () => {
      if (!this.#stopped) setTimeout(() => this.#stopped || this.start(), MONITOR_RESTART_MS).unref();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#pending);
    this.#monitor?.kill("SIGKILL");
  }

  async read(): Promise<NodeState> {
    const [links, neighbors] = await Promise.all([readLinks(), readNeighbors()]);
    return { links, neighbors };
  }

  /**
   * Puts addresses, MTUs and sysctls in place: when the plan's part changed, and when an interface came anew. An
   * interface that somebody set down afterwards stays down.
   * @returns what the plan wants and this node cannot give
   */
  async configure(wanted: NodePlan): Promise<readonly string[]> {
    const links = await readLinks();
    const seen = JSON.stringify(links.map((link) => [link.index, link.name]));
    const { commands, problems } = interfaceChanges(wanted, links);
    if (this.#configured !== undefined && seen === this.#seenLinks && samePlan(this.#configured, wanted))
      return problems;
    const removals = this.#configured ? addressRemovals(this.#configured, wanted, links) : [];
    await ipBatch([...commands, ...removals]);
    for (const name of ["all", ...wanted.interfaces.map((uplink) => uplink.name)]) await disableReversePathFilter(name);
    this.#configured = wanted;
    this.#seenLinks = seen;
    return problems;
  }

  /** Installs the underlay's routes in the kernel and keeps the next hops resolved. */
  async install(view: UnderlayView, neighbors: NeighborTable): Promise<void> {
    const commands = view.wantedNeighbors
      .filter(({ ip, link }) => !neighbors.managed.has(`${ip} ${link}`))
      .map(({ ip, link }) => `neigh replace ${ip} dev ${link} managed`);
    const routes = JSON.stringify(view.kernelRoutes);
    if (routes !== this.#routes) commands.push(...routeChanges(await readBgpRoutes(), view.kernelRoutes));
    await ipBatch(commands);
    this.#routes = routes;
  }

  /** Removes the `proto bgp` routes; used by a withdrawal for good. */
  async uninstallRoutes(): Promise<void> {
    const none: KernelRoute[] = [];
    await ipBatch(routeChanges(await readBgpRoutes(), none));
    this.#routes = JSON.stringify(none);
  }
}

function samePlan(one: NodePlan, other: NodePlan): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Traffic may come in by one uplink and leave by another: strict reverse-path filtering would drop it. */
async function disableReversePathFilter(name: string): Promise<void> {
  const path = `/proc/sys/net/ipv4/conf/${name}/rp_filter`;
  const value = await readFile(path, "utf8").catch(() => undefined);
  if (value !== undefined && value.trim() !== "0") await writeFile(path, "0");
}
