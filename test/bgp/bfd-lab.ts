// BFD speakers for the tests: network namespaces joined by veth pairs, with `fabgate bfd`, FRR's bfdd or BIRD inside. Everything that a
// lab starts or makes is gone after close(). Names carry the process id.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { BfdClient, type BfdEvent } from "../../bgp/bfd/client.ts";
import type { SessionReport } from "../../bgp/bfd/messages.ts";
import { until } from "./lab.ts";

export const run = promisify(execFile);
let labs = 0;

/** What speakers are started with, so that other work on this machine does not make them flap. Ours sets 1 when it has been loaded. */
const REAL_TIME = ["chrt", "--rr", "2"];

export class BfdLab {
  readonly #prefix = `fgf${process.pid}x${labs++}`;
  readonly #nodes = new Set<string>();
  readonly #processes: Process[] = [];
  readonly #clients: BfdClient[] = [];
  #directory: Promise<string> | undefined;

  directory(): Promise<string> {
    this.#directory ??= mkdtemp(join(tmpdir(), "fabgate-bfd-"));
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

  /** A veth pair, `device` at both ends; addresses with prefix length. */
  async link(
    device: string,
    a: string,
    addressesA: readonly string[],
    b: string,
    addressesB: readonly string[],
  ): Promise<void> {
    const [nsA, nsB] = [await this.netns(a), await this.netns(b)];
    await run("ip", ["link", "add", device, "netns", nsA, "type", "veth", "peer", "name", device, "netns", nsB]);
    for (const [ns, addresses] of [
      [nsA, addressesA],
      [nsB, addressesB],
    ] as const) {
      const commands = [...addresses.map((address) => `addr add ${address} dev ${device}`), `link set ${device} up`];
      await batch(ns, commands);
    }
  }

  async ip(node: string, ...args: string[]): Promise<void> {
    await run("ip", ["-n", await this.netns(node), ...args]);
  }

  /** A process of our own in a node, up when `ready` resolves. */
  async spawn(node: string, command: readonly string[], ready: (child: Process) => Promise<boolean>): Promise<Process> {
    const child = new Process(await this.netns(node), command);
    this.#processes.push(child);
    await until(`${command.join(" ")} is ready`, async () => {
      if (child.ended) throw new Error(`${command.join(" ")} has ended: ${child.output}`);
      return await ready(child);
    });
    return child;
  }

  /** `fabgate bfd` in a node; the same state file every time. */
  async fabgate(node: string): Promise<Fabgate> {
    const socketPath = join(await this.directory(), `${node}.sock`);
    const command = [
      ...REAL_TIME,
      process.execPath,
      "--import",
      "tsx",
      join(import.meta.dirname, "bfd-process.ts"),
      socketPath,
    ];
    await rm(socketPath, { force: true });
    const child = await this.spawn(node, [...command, await this.stateFile(node)], () => accepts(socketPath));
    const client = this.client(socketPath);
    return { child, client: client.client, events: client.events, socketPath };
  }

  /** A client of the `fabgate bfd` at this socket, with what it was told so far. */
  client(socketPath: string): { client: BfdClient; events: BfdEvent[] } {
    const client = new BfdClient({ socketPath });
    const events: BfdEvent[] = [];
    client.watch((event) => events.push(event));
    this.#clients.push(client);
    return { client, events };
  }

  async stateFile(node: string): Promise<string> {
    return join(await this.directory(), `${node}.state`);
  }

  /** FRR's zebra and bfdd. */
  async frr(node: string, configuration: string): Promise<Frr> {
    const directory = join(await this.directory(), node);
    await chmod(await this.directory(), 0o755);
    await run("rm", ["-rf", directory]);
    await mkdir(directory);
    await writeFile(`${directory}/bfdd.conf`, configuration);
    await writeFile(`${directory}/zebra.conf`, "");
    await run("chown", ["-R", "frr:frr", directory]);
    const daemon = async (name: string, ...more: string[]): Promise<Process> => {
      const files = [
        "-f",
        `${directory}/${name}.conf`,
        "-i",
        `${directory}/${name}.pid`,
        "-z",
        `${directory}/zserv.api`,
      ];
      const command = [...REAL_TIME, `/usr/lib/frr/${name}`, ...files, "--vty_socket", directory, ...more];
      return await this.spawn(node, command, () => accepts(`${directory}/${name}.vty`));
    };
    const zebra = await daemon("zebra");
    const bfdd = await daemon("bfdd", "--bfdctl", `${directory}/bfdd.sock`);
    return new Frr(directory, [bfdd, zebra]);
  }

  async bird(node: string, configuration: string): Promise<Bird> {
    const directory = join(await this.directory(), node);
    await mkdir(directory, { recursive: true });
    const [file, socketPath] = [join(directory, "bird.conf"), join(directory, "bird.ctl")];
    await writeFile(file, configuration);
    await rm(socketPath, { force: true });
    const command = [...REAL_TIME, "bird", "-f", "-c", file, "-s", socketPath, "-P", join(directory, "bird.pid")];
    const child = await this.spawn(node, command, () => accepts(socketPath));
    return new Bird(file, socketPath, child);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const child of this.#processes) await child.kill("SIGKILL");
    for (const node of this.#nodes) await run("ip", ["netns", "del", `${this.#prefix}-${node}`]);
    if (this.#directory) await rm(await this.#directory, { recursive: true });
  }
}

export interface Fabgate {
  readonly child: Process;
  readonly client: BfdClient;
  readonly events: BfdEvent[];
  readonly socketPath: string;
}

export class Process {
  readonly #child: ChildProcess;
  output = "";

  constructor(netns: string, command: readonly string[]) {
    this.#child = spawn("nsenter", [`--net=/run/netns/${netns}`, ...command], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.ended) return;
    const exit = once(this.#child, "exit");
    this.#child.kill(signal);
    await exit;
  }
}

export interface FrrPeer {
  readonly peer: string;
  readonly status: string;
  readonly diagnostic: string;
  readonly "remote-diagnostic": string;
  readonly "transmit-interval": number;
  readonly "receive-interval": number;
  readonly "remote-transmit-interval": number;
  readonly "remote-receive-interval": number;
  readonly "remote-detect-multiplier": number;
}

export class Frr {
  readonly #directory: string;
  readonly #daemons: readonly Process[];

  constructor(directory: string, daemons: readonly Process[]) {
    this.#directory = directory;
    this.#daemons = daemons;
  }

  async peers(): Promise<FrrPeer[]> {
    return JSON.parse(await this.vtysh("show bfd peers json")) as FrrPeer[];
  }

  async peer(address: string): Promise<FrrPeer | undefined> {
    return (await this.peers()).find(({ peer }) => peer === address);
  }

  async vtysh(...commands: string[]): Promise<string> {
    const args = commands.flatMap((command) => ["-c", command]);
    const { stdout } = await run("vtysh", ["--vty_socket", this.#directory, "-d", "bfdd", ...args]);
    return stdout;
  }

  async kill(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.kill("SIGKILL");
  }
}

export class Bird {
  readonly #file: string;
  readonly #socketPath: string;
  readonly child: Process;

  constructor(file: string, socketPath: string, child: Process) {
    this.#file = file;
    this.#socketPath = socketPath;
    this.child = child;
  }

  /** The line of `show bfd sessions` about a neighbour: address, interface, state, since, interval, timeout. */
  async session(address: string): Promise<string | undefined> {
    const { stdout } = await run("birdc", ["-s", this.#socketPath, "show", "bfd", "sessions"]);
    return stdout.split("\n").find((line) => line.startsWith(`${address} `));
  }

  async configure(configuration: string): Promise<void> {
    await writeFile(this.#file, configuration);
    await run("birdc", ["-s", this.#socketPath, "configure"]);
  }
}

/** The newest report about a session with this neighbour (and local address). */
export async function sessionOf(client: BfdClient, peer: string, localAddress?: string): Promise<SessionReport> {
  const { sessions } = await client.list();
  const found = sessions.find(
    ({ key }) => key.peer === peer && (localAddress ?? key.localAddress) === key.localAddress,
  );
  if (!found) throw new Error(`no session with ${peer}`);
  return found;
}

/** "from > to reason" of every transition of a neighbour's sessions, oldest first. */
export function transitionsOf(events: readonly BfdEvent[], peer: string): string[] {
  return events.flatMap((event) =>
    event.type === "transition" && event.session.key.peer === peer
      ? [`${event.from} > ${event.to} ${event.reason}`]
      : [],
  );
}

/** Runs ip(8) commands in one process. */
export async function batch(netns: string, commands: readonly string[]): Promise<void> {
  const child = run("ip", ["-n", netns, "-batch", "-"]);
  child.child.stdin?.end(commands.join("\n"));
  await child;
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
