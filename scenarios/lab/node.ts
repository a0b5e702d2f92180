// One lab node: a network namespace that outlives a power-off, and an init process (node-init.sh) in it whose mount, pid
// and UTS namespaces die with it. Used by lab.ts.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type CommandOptions, type CommandResult, run } from "./command.ts";
import { LabError } from "./errors.ts";
import { nodeProgram, packageRoot } from "./paths.ts";
import { childrenOf, identify, isRunning, type ProcessId, signalProcess, waitUntil } from "./process-id.ts";
import type { Bind } from "./topology.ts";

/** A running init: `holder` is the unshare process that waits for it. */
export interface NodeProcesses {
  readonly holder: ProcessId;
  readonly init: ProcessId;
}

const READY_TIMEOUT_MS = 10_000;
const DEATH_TIMEOUT_MS = 5_000;

/** Starts a node's init and returns when its mounts are in place. `scratch` is a directory of the node's own. */
export async function startInit(options: {
  readonly hostname: string;
  readonly netns: string;
  readonly scratch: string;
  readonly log: string;
  readonly binds: readonly Bind[];
}): Promise<NodeProcesses> {
  mkdirSync(options.scratch, { recursive: true });
  const log = openSync(options.log, "a", 0o600);
  const binds = options.binds.flatMap((bind) => [bind.source, bind.target, bind.readOnly ? "ro" : "rw"]);
  const script = join(packageRoot, "scenarios/lab/node-init.sh");
  const child = spawn(
    "nsenter",
    [
      `--net=/run/netns/${options.netns}`,
      ...["unshare", "--mount", "--pid", "--fork", "--uts", "--mount-proc"],
      ...["bash", script, options.hostname, options.scratch, ...binds],
    ],
    { stdio: ["ignore", log, log, "pipe"], detached: true },
  );
  closeSync(log);
  child.unref();
  const ready = child.stdio[3] as Readable;
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) =>
      reject(new LabError("ERR_LAB_UNREACHABLE", `node ${options.hostname} did not start: ${why}; see ${options.log}`));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(`not ready within ${READY_TIMEOUT_MS} ms`);
    }, READY_TIMEOUT_MS);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`init ended with ${code}`));
    ready.once("data", () => {
      clearTimeout(timer);
      resolve();
    });
    ready.once("close", () => clearTimeout(timer));
  });
  ready.destroy();
  const holder = child.pid === undefined ? undefined : identify(child.pid);
  const initPid = holder === undefined ? undefined : childrenOf(holder.pid)[0];
  const init = initPid === undefined ? undefined : identify(initPid);
  if (holder === undefined || init === undefined) {
    throw new LabError("ERR_LAB_UNREACHABLE", `node ${options.hostname} died while starting; see ${options.log}`);
  }
  return { holder, init };
}

/** Kills everything on a node at once and waits until it is gone. */
export async function killInit(processes: NodeProcesses): Promise<void> {
  signalProcess(processes.init, "SIGKILL");
  if (!(await waitUntil(() => !isRunning(processes.init) && !isRunning(processes.holder), DEATH_TIMEOUT_MS))) {
    throw new LabError("ERR_LAB_UNREACHABLE", `process ${processes.init.pid} does not die`);
  }
}

/** Arguments for nsenter that run a program on the node. */
export function enterNode(init: ProcessId, argv: readonly string[]): string[] {
  // This checkout's command is on no node's PATH.
  const [program, ...rest] = argv;
  const words = program === "fabgate" ? [...nodeProgram("agent/cli/main"), ...rest] : argv;
  return ["-t", String(init.pid), "-m", "-u", "-n", "-p", "--", ...words];
}

/** Runs a program on a node to its end. */
export async function execOnNode(
  init: ProcessId,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return run("nsenter", enterNode(init, argv), options);
}

/** Starts a program on a node that goes on when we end; its output goes to `log`. Returns the program itself, not nsenter. */
export async function startOnNode(
  init: ProcessId,
  argv: readonly string[],
  log: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ProcessId> {
  const file = openSync(log, "a", 0o600);
  const child = spawn("nsenter", enterNode(init, argv), {
    stdio: ["ignore", file, file],
    detached: true,
    env: { ...process.env, ...env },
  });
  closeSync(file);
  child.unref();
  let started: ProcessId | undefined;
  await waitUntil(() => {
    const pid = child.pid === undefined ? undefined : childrenOf(child.pid)[0];
    started = pid === undefined ? undefined : identify(pid);
    return started !== undefined || child.exitCode !== null;
  }, 2_000);
  if (started === undefined) throw new LabError("ERR_LAB_UNREACHABLE", `${argv[0]} did not start; see ${log}`);
  return started;
}
