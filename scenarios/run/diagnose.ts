// What every component of a lab believes at this moment, for the reader of a failed step: all of it into files, the few
// lines that usually tell to the terminal.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GATEWAY_PROGRAMS } from "../lab/gateway-programs.ts";
import type { Lab } from "../lab/lab.ts";
import { labDirectory } from "../lab/state.ts";
import type { TopologyNode } from "../lab/topology.ts";

export interface Diagnosis {
  /** Where the whole of it is. */
  readonly directory: string;
  /** Lines for the terminal. */
  readonly summary: readonly string[];
}

/** A question to a node; `show`: lines of the answer for the terminal (from the end if negative). */
interface Question {
  readonly title: string;
  readonly argv: readonly string[];
  readonly show: number;
}

const TIMEOUT_MS = 5000;

export async function diagnose(lab: Lab): Promise<Diagnosis> {
  const directory = mkdtempSync(join(tmpdir(), `fabgate-lab-${lab.name}-`));
  const perNode = await Promise.all(lab.nodes.map((node) => askNode(lab, node, directory)));
  const logs = join(labDirectory(lab.name), "logs");
  cpSync(logs, join(directory, "logs"), { recursive: true });
  cpSync(lab.manifestsDirectory, join(directory, "manifests"), { recursive: true });
  return { directory, summary: perNode.flat() };
}

async function askNode(lab: Lab, node: TopologyNode, directory: string): Promise<string[]> {
  const fault = lab.fault(node.name);
  const summary = [`── ${node.name} (${node.role})${fault === undefined ? "" : `, failed: ${fault}`}`];
  if (!lab.isOn(node.name)) return [...summary, "   off"];
  mkdirSync(join(directory, node.name));
  for (const { title, argv, show } of await questionsFor(lab, node)) {
    const result = await lab.exec(node.name, argv, { timeoutMs: TIMEOUT_MS });
    const text = `${result.stdout}${result.stderr}`.trimEnd();
    writeFileSync(join(directory, node.name, `${title.replaceAll(/[^a-z0-9]+/gi, "-")}.txt`), `${text}\n`);
    summary.push(`   ${title}:`, ...excerpt(text, show));
  }
  if (node.gateway !== undefined) {
    for (const program of GATEWAY_PROGRAMS) {
      if (!lab.isProgramRunning(node.name, program)) summary.push(`   ${program} is not running`);
    }
    const log = readFileSync(lab.logFile(node.name, "agent"), "utf8").trimEnd();
    summary.push("   agent's log:", ...excerpt(log.split("\n").map(logLine).join("\n"), -8));
  }
  return summary;
}

async function questionsFor(lab: Lab, node: TopologyNode): Promise<Question[]> {
  switch (node.role) {
    case "gateway": {
      const ask = (what: string) => ["fabgate", what, "--gateway", lab.gatewayOf(node.name) ?? "", "-o", "wide"];
      return [
        { title: "status", argv: ask("status"), show: 25 },
        { title: "counters", argv: ask("counters"), show: 12 },
        { title: "underlay routes", argv: ["ip", "route"], show: 0 },
        { title: "neighbours", argv: ["ip", "neigh"], show: 6 },
        { title: "links", argv: ["ip", "-s", "addr"], show: 0 },
      ];
    }
    case "leaf": {
      const vrfs = (await lab.exec(node.name, ["ls", "/run/netns"])).stdout.split("\n").filter(Boolean);
      return [
        { title: "EVPN sessions", argv: ["vtysh", "-c", "show bgp l2vpn evpn summary"], show: 12 },
        { title: "EVPN routes", argv: ["vtysh", "-c", "show bgp l2vpn evpn route type prefix"], show: 0 },
        ...vrfs.flatMap((vrf): Question[] => [
          { title: `${vrf} BGP`, argv: ["vtysh", "-c", `show bgp vrf ${vrf} ipv4 unicast`], show: 0 },
          { title: `${vrf} routes`, argv: ["ip", "-n", vrf, "route"], show: 10 },
          { title: `${vrf} neighbours`, argv: ["ip", "-n", vrf, "neigh"], show: 6 },
          { title: `${vrf} bridge`, argv: ["bridge", "-n", vrf, "fdb"], show: 0 },
        ]),
        { title: "underlay routes", argv: ["ip", "route"], show: 0 },
        { title: "FRR log", argv: ["tail", "-n", "200", "/run/frr/frr.log"], show: 0 },
      ];
    }
    case "spine":
      return [
        { title: "EVPN sessions", argv: ["vtysh", "-c", "show bgp l2vpn evpn summary"], show: 14 },
        { title: "EVPN routes", argv: ["vtysh", "-c", "show bgp l2vpn evpn route type prefix"], show: 0 },
        { title: "underlay routes", argv: ["ip", "route"], show: 10 },
        { title: "FRR log", argv: ["tail", "-n", "200", "/run/frr/frr.log"], show: 0 },
      ];
    case "host":
      return [
        { title: "routes", argv: ["ip", "route"], show: 3 },
        { title: "neighbours", argv: ["ip", "neigh"], show: 3 },
      ];
  }
}

/** A line of the agent's JSON log with the message in front; other lines as they are. */
function logLine(line: string): string {
  try {
    const {
      time,
      msg,
      level: _level,
      gateway: _gateway,
      pid: _pid,
      ...rest
    } = JSON.parse(line) as Record<string, unknown>;
    return `${String(time).slice(11)} ${msg} ${JSON.stringify(rest)}`;
  } catch {
    return line;
  }
}

/** The first `count` lines of a text, or the last ones if it is negative; says what it leaves out. */
function excerpt(text: string, count: number): string[] {
  const lines = text === "" ? [] : text.split("\n");
  const kept = count < 0 ? lines.slice(count) : lines.slice(0, count);
  const left = lines.length - kept.length;
  return [
    ...kept.map((line) => `     ${line.slice(0, 160)}`),
    ...(left > 0 ? [`     (${left} more lines in the file)`] : []),
  ];
}
