// Real BGP speakers for the tests: network namespaces with links between them, gobgpd and FRR inside. Everything a lab starts or
// makes is gone after close(). Names carry the process id, so test runs do not meet.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
let labs = 0;

/** Polls until `probe` returns something, and returns that. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 12_000,
): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`timed out after ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A lab; `await using` is not in Node 20, so callers close() it in an after hook. */
export class BgpLab {
  readonly #prefix = `fgb${process.pid}x${labs++}`;
  readonly #nodes = new Set<string>();
  readonly #daemons: Daemon[] = [];
  #directory: string | undefined;

  /** Directory for sockets and configuration. */
  async directory(): Promise<string> {
    this.#directory ??= await mkdtemp(join(tmpdir(), "fabgate-bgp-"));
    return this.#directory;
  }

  /** Network namespace of a node, made when first asked for. */
  async netns(node: string): Promise<string> {
    const name = `${this.#prefix}-${node}`;
    if (!this.#nodes.has(node)) {
      this.#nodes.add(node);
      await run("ip", ["netns", "add", name]);
      await run("ip", ["-n", name, "link", "set", "lo", "up"]);
    }
    return name;
  }

  /** A link between two nodes, addresses with prefix length. */
  async link(a: string, addressA: string, b: string, addressB: string): Promise<void> {
    const [nsA, nsB] = [await this.netns(a), await this.netns(b)];
    await run("ip", ["link", "add", `to-${b}`, "netns", nsA, "type", "veth", "peer", "name", `to-${a}`, "netns", nsB]);
    for (const [ns, device, address] of [
      [nsA, `to-${b}`, addressA],
      [nsB, `to-${a}`, addressB],
    ] as const) {
      await run("ip", ["-n", ns, "addr", "add", address, "dev", device]);
      await run("ip", ["-n", ns, "link", "set", device, "up"]);
    }
  }

  /** Runs ip(8) in a node's namespace. */
  async ip(node: string, ...args: string[]): Promise<void> {
    await run("ip", ["-n", await this.netns(node), ...args]);
  }

  async gobgpd(node: string): Promise<Gobgpd> {
    const daemon = new Gobgpd(await this.netns(node), join(await this.directory(), `${node}.sock`));
    this.#daemons.push(daemon);
    await daemon.start();
    return daemon;
  }

  /** FRR's zebra and bgpd with bgpd's configuration. */
  async frr(node: string, configuration: string): Promise<Frr> {
    const netns = await this.netns(node);
    const directory = join(await this.directory(), node);
    await run("mkdir", [directory]);
    await writeFile(join(directory, "bgpd.conf"), configuration);
    await writeFile(join(directory, "zebra.conf"), "");
    // FRR's daemons run as the user frr and make their sockets here.
    await chmod(await this.directory(), 0o755);
    await run("chown", ["-R", "frr:frr", directory]);
    const args = (daemon: string): string[] => [
      `/usr/lib/frr/${daemon}`,
      ...["-f", `${directory}/${daemon}.conf`, "-i", `${directory}/${daemon}.pid`],
      ...["-z", `${directory}/zserv.api`, "--vty_socket", directory, "--log", `file:${directory}/${daemon}.log`],
    ];
    const zebra = new Daemon(netns, args("zebra"), `${directory}/zserv.api`);
    const bgpd = new Daemon(netns, [...args("bgpd"), "-l", "0.0.0.0"], `${directory}/bgpd.vty`);
    this.#daemons.push(zebra, bgpd);
    await zebra.start();
    await bgpd.start();
    return new Frr(directory, bgpd);
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.kill("SIGKILL");
    for (const node of this.#nodes) await run("ip", ["netns", "del", `${this.#prefix}-${node}`]);
    if (this.#directory) await rm(this.#directory, { recursive: true });
  }
}

/** A daemon in a network namespace, up once its unix socket accepts connections. */
class Daemon {
  readonly #command: readonly string[];
  readonly #socketPath: string;
  #child: ChildProcess | undefined;
  #output = "";

  constructor(netns: string, command: readonly string[], socketPath: string) {
    this.#command = [`--net=/run/netns/${netns}`, ...command];
    this.#socketPath = socketPath;
  }

  /** What it has written so far. */
  get output(): string {
    return this.#output;
  }

  async start(): Promise<void> {
    await rm(this.#socketPath, { force: true });
    const child = spawn("nsenter", this.#command, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    await until(`${this.#command[1]} listens`, async () => {
      if (child.exitCode !== null) throw new Error(`${this.#command[1]} exited: ${this.#output}`);
      return await accepts(this.#socketPath);
    });
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }
}

export class Gobgpd extends Daemon {
  readonly socketPath: string;

  constructor(netns: string, socketPath: string) {
    super(
      netns,
      ["gobgpd", "--api-hosts", `unix://${socketPath}`, "--pprof-disable", "--log-level", "info"],
      socketPath,
    );
    this.socketPath = socketPath;
  }

  /** What the gobgp command prints as JSON. */
  async cli(...args: string[]): Promise<unknown> {
    const { stdout } = await run("gobgp", ["--target", `unix:${this.socketPath}`, "-j", ...args], {
      maxBuffer: 1 << 28,
    });
    return JSON.parse(stdout);
  }

  /** UPDATE messages received from a neighbour since the session came up. */
  async updatesFrom(neighbor: string): Promise<number> {
    const answer = (await this.cli("neighbor", neighbor)) as {
      state: { messages?: { received?: { update?: string } } };
    };
    return Number(answer.state.messages?.received?.update ?? 0);
  }
}

export class Frr {
  readonly #directory: string;
  readonly #bgpd: Daemon;

  constructor(directory: string, bgpd: Daemon) {
    this.#directory = directory;
    this.#bgpd = bgpd;
  }

  /** Kills bgpd, as a crash would. */
  async kill(): Promise<void> {
    await this.#bgpd.kill("SIGKILL");
  }

  /** Output of a show command. */
  async show(command: string): Promise<string> {
    const { stdout } = await run("vtysh", ["--vty_socket", this.#directory, "-d", "bgpd", "-c", `show ${command}`]);
    return stdout;
  }
}

async function accepts(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
