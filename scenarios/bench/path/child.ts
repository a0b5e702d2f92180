// A process of the benchmark in a network namespace of the path, asked over its IPC channel: one request at a time, one answer each.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { nodeProgram } from "../../lab/paths.ts";
import { BenchError } from "../errors.ts";
import { inNamespace } from "./namespaces.ts";

export interface ChildOptions {
  readonly netns: string;
  /** Core it is bound to; default: any. */
  readonly core?: number;
  /** Scheduling priority; default: ours. */
  readonly nice?: number;
  /** What to run, below the project's root and without extension. */
  readonly program: string;
  readonly args: readonly string[];
}

type Answer = { readonly value: unknown } | { readonly error: string };

export class Child {
  readonly #process: ChildProcess;
  readonly #name: string;
  #said = "";

  private constructor(process: ChildProcess, name: string) {
    this.#process = process;
    this.#name = name;
    process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
  }

  /** Starts it and waits for its first answer, which says that it is ready. */
  static async start(options: ChildOptions): Promise<Child> {
    const [program, args] = inNamespace(options.netns, [
      ...(options.core === undefined ? [] : ["taskset", "-c", String(options.core)]),
      ...(options.nice === undefined ? [] : ["nice", "-n", String(options.nice)]),
      ...nodeProgram(options.program),
      ...options.args,
    ]);
    // A group of its own: Ctrl-C reaches only us, and we end it in order.
    const process = spawn(program, args, { stdio: ["ignore", "inherit", "pipe", "ipc"], detached: true });
    if (options.nice !== undefined) setSessionNice(process.pid, options.nice);
    const child = new Child(process, options.program);
    await child.#answer();
    return child;
  }

  /** Sends a request and waits for its answer. ERR_BENCH_FAILED with what the child says. */
  ask(request: unknown): Promise<unknown> {
    const answer = this.#answer();
    this.#process.send({ request });
    return answer;
  }

  /** Closes the channel, which ends the child, and waits for that. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    if (this.#process.connected) this.#process.disconnect();
    await ended;
    clearTimeout(timer);
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#process.off("message", onMessage).off("exit", onExit).off("error", onError);
        act();
      };
      const fail = (why: string) =>
        settle(() => reject(new BenchError("ERR_BENCH_FAILED", `${this.#name}: ${why}${this.#lastWords()}`)));
      const onMessage = (answer: Answer) => {
        if ("error" in answer) fail(answer.error);
        else settle(() => resolve(answer.value));
      };
      const onExit = (code: number | null) => fail(`ended with ${code ?? "a signal"}`);
      const onError = (error: Error) => fail(error.message);
      this.#process.on("message", onMessage).on("exit", onExit).on("error", onError);
    });
  }

  #lastWords(): string {
    const lines = this.#said.trim().split("\n").slice(-3).join("; ");
    return lines === "" ? "" : `: ${lines}`;
  }
}

/** Where the kernel schedules by session, a priority counts only within it, and the session's own counts beside others. */
function setSessionNice(pid: number | undefined, nice: number): void {
  const file = `/proc/${pid}/autogroup`;
  if (existsSync(file)) writeFileSync(file, String(nice));
}

/**
 * The child's side: makes itself ready, answers requests until the channel closes, cleans up and exits. Errors become answers.
 */
export async function serve<Request>(
  prepare: () => Promise<{ handle: (request: Request) => unknown; close: () => void | Promise<void> }>,
): Promise<void> {
  const send = (answer: Answer) => {
    if (process.connected) process.send?.(answer);
  };
  // The benchmark's Ctrl-C is for its main process; the channel closes when that has gone.
  process.on("SIGINT", () => undefined);
  try {
    const { handle, close } = await prepare();
    process.on("message", (message: { request: Request }) => {
      try {
        send({ value: handle(message.request) ?? null });
      } catch (error) {
        send({ error: (error as Error).message });
      }
    });
    process.once("disconnect", async () => {
      await close();
      process.exit();
    });
    send({ value: null });
  } catch (error) {
    send({ error: (error as Error).message });
    process.disconnect();
  }
}
