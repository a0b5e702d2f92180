// Watches the kernel's routes in a VRF of a leaf as they change (`ip monitor`), without polling.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Lab } from "../../lab/lab.ts";
import { BenchError } from "../errors.ts";

export class RouteMonitor {
  readonly #process: ChildProcess;
  readonly #listeners = new Set<(line: string) => void>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(lab: Lab, leaf: string, vrf: string) {
    const [program, args] = lab.enter(leaf, ["ip", "-n", vrf, "monitor", "route"]);
    const child = spawn(program, [...args], { stdio: ["ignore", "pipe", "inherit"] });
    createInterface({ input: child.stdout }).on("line", (line) => {
      for (const listener of this.#listeners) listener(line);
    });
    this.#process = child;
  }

  /** When (performance.now) a route to the prefix via this gateway is put in. ERR_BENCH_FAILED if it is not in time. */
  appeared(prefix: string, via: string, timeoutMs: number): Promise<number> {
    return this.#seen(`a route to ${prefix} via ${via}`, timeoutMs, (line) => {
      return line.startsWith(`${prefix} `) && line.includes(` via ${via} `);
    });
  }

  /** When the route to the prefix is removed. ERR_BENCH_FAILED if it is not in time. */
  gone(prefix: string, timeoutMs: number): Promise<number> {
    return this.#seen(`the end of the route to ${prefix}`, timeoutMs, (line) => line.startsWith(`Deleted ${prefix} `));
  }

  /** What is still waited for is never seen. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    await ended;
  }

  #seen(what: string, timeoutMs: number, matches: (line: string) => boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      const listener = (line: string) => {
        if (!matches(line)) return;
        settle();
        resolve(performance.now());
      };
      const timer = setTimeout(() => {
        settle();
        reject(new BenchError("ERR_BENCH_FAILED", `${what} was not seen within ${timeoutMs} ms`));
      }, timeoutMs);
      const settle = () => {
        clearTimeout(timer);
        this.#timers.delete(timer);
        this.#listeners.delete(listener);
      };
      this.#timers.add(timer);
      this.#listeners.add(listener);
    });
  }
}
