// Runs programs by argument list and collects what they print. Everything the lab does to the machine goes through here.
import { spawn } from "node:child_process";
import { LabError } from "./errors.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** SIGKILL after this long; the result's code is then 124. */
  readonly timeoutMs?: number;
}

const TIMED_OUT = 124;

/** Runs a program to its end. A program that cannot be started gives code 127; it never throws. */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    const env = options.env === undefined ? process.env : { ...process.env, ...options.env };
    const child = spawn(program, [...args], { env, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    let timedOut = false;
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            child.kill("SIGKILL");
            // A grandchild may hold the pipes open; what was printed so far is enough.
            child.stdout.destroy();
            child.stderr.destroy();
          }, options.timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const finish = (code: number) => {
      clearTimeout(timer);
      resolve({ code: timedOut ? TIMED_OUT : code, stdout, stderr });
    };
    child.on("error", (error) => {
      stderr += error.message;
      finish(127);
    });
    child.on("close", (code, signal) => finish(code ?? (signal === null ? 1 : 128)));
    child.stdin.on("error", () => {
      // The program ended without reading its input; its exit code tells.
    });
    child.stdin.end(options.input ?? "");
  });
}

/** Runs a program and returns what it printed; throws ERR_LAB_UNREACHABLE with its last words if it fails. */
export async function must(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(program, args, options);
  if (result.code !== 0) {
    const said = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(-3).join("; ");
    throw new LabError("ERR_LAB_UNREACHABLE", `${program} ${args.join(" ")} failed (${result.code}): ${said}`);
  }
  return result.stdout;
}

/** Runs iproute2 commands in one process, in a named network namespace if given. */
export async function ipBatch(lines: readonly string[], netns?: string): Promise<void> {
  if (lines.length === 0) return;
  const args = netns === undefined ? ["-batch", "-"] : ["-n", netns, "-batch", "-"];
  const result = await run("ip", args, { input: `${lines.join("\n")}\n` });
  if (result.code !== 0) {
    const failed = /Command failed -:(\d+)/.exec(result.stderr)?.[1];
    const line = failed === undefined ? "" : ` at "${lines[Number(failed) - 1]}"`;
    const said = result.stderr.replace(/Command failed -:\d+/, "").trim();
    throw new LabError(
      "ERR_LAB_UNREACHABLE",
      `ip${netns === undefined ? "" : ` in ${netns}`} failed${line}: ${said.split("\n").slice(-2).join("; ")}`,
    );
  }
}
