// One gateway node with real parts: a network namespace with gobgpd and the agent's process, and a spine that stands for the
// fabric behind it. Used by the tests of the agent as a whole.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fetchCounters, fetchStatus } from "../../agent/api/client.ts";
import type { AgentCounters, AgentStatus, Condition } from "../../agent/api/messages.ts";
import { gatewayPaths } from "../../agent/paths.ts";
import { BgpSpeaker } from "../../bgp/speaker.ts";
import { BgpLab, type Gobgpd, until } from "../bgp/lab.ts";
import { SILENT } from "../bgp/samples.ts";

const run = promisify(execFile);
const repository = join(import.meta.dirname, "../..");

export const UPLINK = "to-spine";
export const LEAF_VTEP = "10.255.1.1";
export const GATEWAY_VTEP = "10.255.3.1";

export class GatewayNode {
  readonly name = `gw-${process.pid}`;
  readonly lab = new BgpLab();
  readonly paths = gatewayPaths(this.name);
  manifests = "";
  #spine: Gobgpd | undefined;
  #speaker: BgpSpeaker | undefined;
  #agent: ChildProcess | undefined;
  agentOutput = "";

  /** Everything but the agent: namespaces, link, both gobgpd, the spine's routes. */
  async open(): Promise<void> {
    this.manifests = await mkdtemp(join(tmpdir(), "fabgate-manifests-"));
    const [gateway, spine] = [await this.lab.netns("gw"), await this.lab.netns("spine")];
    await run("ip", [
      ...["link", "add", UPLINK, "netns", gateway, "mtu", "9100", "type", "veth"],
      ...["peer", "name", "to-gw", "netns", spine, "mtu", "9100"],
    ]);
    await this.lab.ip("spine", "addr", "add", "10.9.0.0/31", "dev", "to-gw");
    await this.lab.ip("spine", "link", "set", "to-gw", "up");
    const ours = await this.lab.gobgpd("gw");
    await mkdir(this.paths.runDirectory, { recursive: true });
    await symlink(ours.socketPath, this.paths.gobgpSocket);
    this.#spine = await this.lab.gobgpd("spine");
    this.#speaker = new BgpSpeaker({ socketPath: this.#spine.socketPath, log: SILENT });
    this.#speaker.start();
    await this.leavesAnnounce("vpc-1", "vpc-2");
  }

  async close(): Promise<void> {
    await this.stopAgent("SIGKILL");
    await this.#speaker?.stop();
    await this.lab.close();
    await rm(this.paths.runDirectory, { recursive: true, force: true });
    await rm(this.paths.pinDirectory, { recursive: true, force: true });
    await rm(this.manifests, { recursive: true, force: true });
  }

  /** Makes the leaf behind the spine announce the subnets 10.N.1.0/24 of these VPCs, and no others. */
  async leavesAnnounce(...vpcs: string[]): Promise<void> {
    await this.#speaker?.apply({
      asn: 65100,
      routerId: "10.255.0.1",
      peers: [{ address: "10.9.0.1", asn: 65534 }],
      underlay: [`${LEAF_VTEP}/32`],
      overlay: vpcs.map((vpc) => {
        const number = Number(vpc.slice("vpc-".length));
        return {
          rd: `${LEAF_VTEP}:${number}`,
          prefix: `10.${number}.1.0/24`,
          vni: 100_000 + number,
          nextHop: LEAF_VTEP,
          routerMac: "02:01:00:00:01:01",
          routeTargets: [`65101:${100_000 + number}`],
          communities: [],
        };
      }),
    });
  }

  /** Routes of the gateway that the spine has, as "VNI prefix", anchors left out. */
  atSpine(): string[] {
    const paths = this.#speaker?.snapshot().overlay ?? [];
    return paths
      .filter((path) => path.vtep === GATEWAY_VTEP && !path.prefix.endsWith("/32"))
      .map((path) => `${path.vni} ${path.prefix}`)
      .sort();
  }

  /** Underlay prefixes that the spine has from the gateway. */
  underlayAtSpine(): string[] {
    return (this.#speaker?.snapshot().underlay ?? []).map((route) => route.prefix).sort();
  }

  /** UPDATE messages that the spine has received from the gateway in this session. */
  async updatesAtSpine(): Promise<number> {
    return (await this.#spine?.updatesFrom("10.9.0.1")) ?? 0;
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.manifests, file), text);
  }

  /** Starts the agent's process; with `drop`, without these capabilities. */
  async startAgent(options: { args?: string[]; drop?: string } = {}): Promise<void> {
    await this.stopAgent("SIGKILL");
    const netns = await this.lab.netns("gw");
    const cli = ["--import", "tsx", join(repository, "agent/cli/main.ts"), "agent"];
    const words = ["--gateway", this.name, "--manifests", this.manifests, ...(options.args ?? [])];
    const unprivileged = options.drop === undefined ? [] : ["setpriv", "--bounding-set", options.drop];
    const argv = [`--net=/run/netns/${netns}`, ...unprivileged, process.execPath, ...cli, ...words];
    const agent = spawn("nsenter", argv, { cwd: repository, stdio: ["ignore", "pipe", "pipe"] });
    this.#agent = agent;
    for (const stream of [agent.stdout, agent.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.agentOutput += chunk.toString();
      });
    }
    await until("the agent answers", async () => {
      if (agent.exitCode !== null) throw new Error(`the agent ended: ${this.agentOutput}`);
      return this.#status();
    });
  }

  /** Ends the agent with a signal and waits until it has. */
  async stopAgent(signal: NodeJS.Signals): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return;
    agent.kill(signal);
    await once(agent, "exit");
  }

  status(): Promise<AgentStatus> {
    return fetchStatus(this.paths.agentSocket);
  }

  counters(): Promise<AgentCounters> {
    return fetchCounters(this.paths.agentSocket);
  }

  async condition(type: string): Promise<Condition | undefined> {
    return (await this.status()).conditions.find((condition) => condition.type === type);
  }

  /** Id of the XDP program on the uplink; undefined when there is none. */
  async xdpProgram(): Promise<number | undefined> {
    const { stdout } = await run("ip", ["-n", await this.lab.netns("gw"), "-j", "link", "show", UPLINK]);
    return (JSON.parse(stdout) as { xdp?: { prog?: { id: number } } }[])[0]?.xdp?.prog?.id;
  }

  async #status(): Promise<AgentStatus | undefined> {
    return this.status().catch(() => undefined);
  }
}
