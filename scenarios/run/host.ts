// The runner's end of a host's probe program (scenarios/probe/main.ts).
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { LabError } from "../lab/errors.ts";
import type { Lab } from "../lab/lab.ts";
import { nodeProgram } from "../lab/paths.ts";
import type { AnswerLine, Answers, Request } from "../probe/main.ts";

export class Host {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(line: AnswerLine): void; reject(error: Error): void }>();
  #next = 0;
  #errors = "";
  #gone = false;

  constructor(lab: Lab, name: string) {
    this.name = name;
    const [program, args] = lab.enter(name, nodeProgram("scenarios/probe/main"));
    this.#child = spawn(program, [...args], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2000);
    });
    this.#child.stdin?.on("error", () => {
      // "close" follows and tells everybody who waits.
    });
    this.#child.once("error", (error) => this.#end(error.message));
    this.#child.once("close", () => this.#end(this.#errors.trim()));
    if (this.#child.stdout === null)
      throw new LabError("ERR_LAB_UNREACHABLE", `no output from the probe program on ${name}`);
    createInterface({ input: this.#child.stdout }).on("line", (text) => {
      const line = JSON.parse(text) as AnswerLine;
      this.#waiting.get(line.id)?.resolve(line);
      this.#waiting.delete(line.id);
    });
  }

  /** Sends a request and waits for its answer. Throws ERR_LAB_UNREACHABLE if the program refuses or is gone. */
  async ask<R extends Request>(request: R): Promise<Answers[R["op"]]> {
    const id = this.#next++;
    const line = await new Promise<AnswerLine>((resolve, reject) => {
      if (this.#gone) return reject(new LabError("ERR_LAB_UNREACHABLE", `the probe program on ${this.name} has ended`));
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, request })}\n`);
    });
    if (line.answer === undefined) throw new LabError("ERR_LAB_UNREACHABLE", `${this.name}: ${line.error}`);
    return line.answer as Answers[R["op"]];
  }

  /** Ends the program and waits for its end. */
  async close(): Promise<void> {
    if (this.#gone) return;
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin?.end();
    await ended;
  }

  #end(why: string): void {
    this.#gone = true;
    for (const { reject } of this.#waiting.values()) {
      reject(new LabError("ERR_LAB_UNREACHABLE", `the probe program on ${this.name} ended: ${why}`));
    }
    this.#waiting.clear();
  }
}
