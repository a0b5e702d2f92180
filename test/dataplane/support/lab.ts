// Network namespaces and BPF file systems for the dataplane's tests. Names carry the process id, so that runs do not meet; `Lab.close` takes down what
// was made, also after a failure.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";

const setns = koffi.load("libc.so.6").func("setns", "int", ["int", "int"]);
const cloneNewnet = 0x40000000;
let labs = 0;

export class Lab {
  readonly #prefix = `fgdp${process.pid}x${labs++}`;
  readonly #namespaces: string[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #home = openSync("/proc/thread-self/ns/net", "r");
  #current = "";
  readonly #directory = mkdtempSync(join(tmpdir(), "fabgate-dataplane-"));
  /** A BPF file system of this lab alone. */
  readonly bpffs = join(this.#directory, "bpf");

  constructor() {
    mkdirSync(this.bpffs);
    execFileSync("mount", ["-t", "bpf", "bpf", this.bpffs]);
  }

  /** Makes a namespace with loopback up; returns its full name. */
  namespace(name: string): string {
    const full = `${this.#prefix}${name}`;
    execFileSync("ip", ["netns", "add", full]);
    this.#namespaces.push(full);
    this.ip(full, "link set lo up");
    return full;
  }

  /** `ip -n <namespace> …`; arguments separated by blanks. */
  ip(namespace: string, command: string): void {
    execFileSync("ip", ["-n", namespace, ...command.split(" ")]);
  }

  /** Runs a command in a namespace (the network's alone) and returns what it prints. */
  run(namespace: string, command: string): string {
    const args = [`--net=/run/netns/${namespace}`, ...command.split(" ")];
    return execFileSync("nsenter", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  /** Starts a command in a namespace; it ends with the lab. */
  start(namespace: string, command: string): ChildProcess {
    const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, ...command.split(" ")], { stdio: "ignore" });
    this.#children.push(child);
    return child;
  }

  /** A veth pair between two namespaces, up, GRO on (so that frames sent by XDP are received), checksums filled in by the sender. */
  veth(a: { namespace: string; name: string }, b: { namespace: string; name: string }, mtu: number): void {
    this.ip(a.namespace, `link add ${a.name} mtu ${mtu} type veth peer name ${b.name} netns ${b.namespace} mtu ${mtu}`);
    for (const { namespace, name } of [a, b]) {
      this.ip(namespace, `link set ${name} up`);
      this.run(namespace, `ethtool -K ${name} gro on tx off`);
    }
  }

  macOf(namespace: string, name: string): string {
    const [link] = JSON.parse(this.run(namespace, `ip -j link show ${name}`)) as { address: string }[];
    if (link === undefined) throw new Error(`no interface ${name}`);
    return link.address;
  }

  /** Moves this thread (and what it starts) into a namespace, until `leave`. */
  enter(namespace: string): void {
    this.#current = namespace;
    const fd = openSync(`/run/netns/${namespace}`, "r");
    const result: number = setns(fd, cloneNewnet);
    closeSync(fd);
    if (result !== 0) throw new Error(`setns: ${result}`);
  }

  /** The namespace entered last. */
  get current(): string {
    return this.#current;
  }

  leave(): void {
    const result: number = setns(this.#home, cloneNewnet);
    if (result !== 0) throw new Error(`setns: ${result}`);
  }

  close(): void {
    this.leave();
    for (const child of this.#children) child.kill("SIGKILL");
    for (const name of this.#namespaces) execFileSync("ip", ["netns", "delete", name]);
    execFileSync("umount", [this.bpffs]);
    closeSync(this.#home);
    rmSync(this.#directory, { recursive: true });
  }
}

/** Polls until `probe` holds; throws after the deadline. */
export async function until(what: string, probe: () => boolean, timeoutMs = 5000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!probe()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const silentLog = { info: () => {}, warn: () => {} };
