// The agent's status out of what it knows: pure, so that the truth of each line can be tested. What is reported as
// announced is what gobgpd holds, not what was wished.

import type { BgpSnapshot } from "../bgp/desired.ts";
import type { AgeReport, UplinkStatus } from "../dataplane/desired.ts";
import type { AgentStatus, Condition, LastApply, PeeringReport, UplinkReport } from "./api/messages.ts";
import type { Deliverable } from "./plan/deliverable.ts";
import type { Plan } from "./plan/plan.ts";
import type { Link } from "./plan/underlay.ts";

export interface Knowledge {
  readonly gateway: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly manifests: AgentStatus["manifests"];
  readonly lastApply: LastApply;
  /** Undefined until manifests were valid for the first time. */
  readonly plan: Plan | undefined;
  readonly deliverable: Deliverable | undefined;
  readonly bgp: BgpSnapshot;
  /** State of the BFD session with a neighbour; undefined while there is none. */
  readonly bfdState: (neighbor: string) => string | undefined;
  readonly ribStale: boolean;
  readonly uplinks: readonly UplinkStatus[];
  /** What the last ageing run found; undefined before the first. */
  readonly flows: AgeReport | undefined;
  readonly links: readonly Link[];
  /** Names of the links that are up and whose neighbours BFD has not declared dead. */
  readonly live: readonly string[];
  /** What the plan wants and the node cannot give. */
  readonly nodeProblems: readonly string[];
}

/** Builds the status. Conditions keep their transition time while their status stays. */
export function buildStatus(knowledge: Knowledge, previous: readonly Condition[], nowMs: number): AgentStatus {
  const { bgp } = knowledge;
  const uplinks = uplinkReports(knowledge);
  const peerings = peeringReports(knowledge);
  return {
    gateway: knowledge.gateway,
    version: knowledge.version,
    pid: knowledge.pid,
    startedAtMs: knowledge.startedAtMs,
    manifests: knowledge.manifests,
    lastApply: knowledge.lastApply,
    bgp: {
      connected: bgp.connected,
      synced: bgp.synced,
      stale: knowledge.ribStale,
      peers: bgp.peers.map(({ address, asn, state, sinceMs }) => ({
        ...{ address, asn, state, sinceMs },
        bfd: knowledge.bfdState(address) ?? "",
      })),
      announced: bgp.announced.overlay.length,
      learned: bgp.overlay.length,
      unusable: bgp.unusable,
    },
    uplinks,
    flows: {
      live: knowledge.flows?.flows ?? 0,
      capacity: knowledge.flows?.capacity ?? 0,
      mappings: knowledge.flows?.mappings ?? 0,
    },
    peerings,
    conditions: conditions(knowledge, uplinks, peerings, previous, nowMs),
  };
}

function uplinkReports({ uplinks, links }: Knowledge): UplinkReport[] {
  return uplinks.map((uplink) => {
    const link = links.find((candidate) => candidate.name === uplink.name);
    return {
      name: uplink.name,
      up: link?.up ?? false,
      mtu: link?.mtu ?? 0,
      dataplane: uplink.mode,
      reason: uplink.reason ?? "",
    };
  });
}

function peeringReports({ plan, deliverable, bgp }: Knowledge): PeeringReport[] {
  if (!plan) return [];
  const held = new Set(bgp.announced.overlay.map((route) => `${route.rd} ${route.prefix}`));
  const reports = new Map<string, { announced: number; wanted: number; reasons: Set<string> }>();
  for (const { peering } of plan.served) reports.set(peering, { announced: 0, wanted: 0, reasons: new Set() });
  const reasonOf = new Map(deliverable?.withheld.map(({ announcement, reason }) => [announcement.route, reason]));
  for (const { peering, route } of plan.bgp.announcements) {
    const report = reports.get(peering);
    if (!report) continue;
    report.wanted++;
    if (held.has(`${route.rd} ${route.prefix}`)) report.announced++;
    else report.reasons.add(reasonOf.get(route) ?? (bgp.connected ? "Pending" : "BgpDisconnected"));
  }
  return plan.served.map(({ peering, group, rank }) => {
    const { announced, wanted, reasons } = reports.get(peering) ?? { announced: 0, wanted: 0, reasons: [] };
    return { peering, group, rank, role: roleOf(rank, announced, wanted), announced, wanted, reasons: [...reasons] };
  });
}

function roleOf(rank: number, announced: number, wanted: number): PeeringReport["role"] {
  if (announced === 0) return "not-announced";
  if (announced < wanted) return "partial";
  return rank === 0 ? "serving" : "standby";
}

function conditions(
  knowledge: Knowledge,
  uplinks: readonly UplinkReport[],
  peerings: readonly PeeringReport[],
  previous: readonly Condition[],
  nowMs: number,
): Condition[] {
  const { manifests, bgp, lastApply, nodeProblems } = knowledge;
  const since = new Map(previous.map((condition) => [condition.type, condition]));
  const condition = (type: string, ok: boolean, reason: string, message: string): Condition => {
    const before = since.get(type);
    const status = ok ? "True" : "False";
    const lastTransitionMs = before?.status === status ? before.lastTransitionMs : nowMs;
    return { type, status, reason, message, lastTransitionMs };
  };
  const established = bgp.peers.filter((peer) => peer.state === "established").length;
  const detached = uplinks.filter((uplink) => uplink.dataplane === "detached");
  const down = uplinks.filter((uplink) => !knowledge.live.includes(uplink.name));
  const silent = peerings.filter((peering) => peering.announced < peering.wanted);
  return [
    manifests.valid
      ? condition("ManifestsValid", true, "Valid", `generation ${manifests.generation}`)
      : condition("ManifestsValid", false, "Invalid", keptState(knowledge)),
    lastApply.ok
      ? condition("Applied", true, "Applied", `generation ${lastApply.generation}`)
      : condition("Applied", false, "Failed", lastApply.error),
    nodeProblems.length === 0
      ? condition("NodeConfigured", true, "Configured", "")
      : condition("NodeConfigured", false, "Incomplete", nodeProblems.join("; ")),
    uplinks.length > 0 && detached.length === 0
      ? condition(
          "DataplaneAttached",
          true,
          "Attached",
          uplinks.map((one) => `${one.name} ${one.dataplane}`).join(", "),
        )
      : condition(
          "DataplaneAttached",
          false,
          "Detached",
          detached.map((one) => `${one.name}: ${one.reason}`).join("; "),
        ),
    down.length === 0
      ? condition("UplinksUp", true, "Up", "")
      : condition(
          "UplinksUp",
          false,
          "Down",
          down.map((one) => `${one.name}: ${one.up ? "BFD is down" : "no link"}`).join(", "),
        ),
    bgp.connected
      ? condition("BgpConnected", true, "Connected", `${established} of ${bgp.peers.length} sessions established`)
      : condition("BgpConnected", false, "Disconnected", "gobgpd does not answer; forwarding goes on as it was"),
    silent.length === 0
      ? condition("Announced", true, "Announced", `${bgp.announced.overlay.length} routes`)
      : condition("Announced", false, silent[0]?.reasons[0] ?? "Pending", whySilent(silent)),
  ];
}

function keptState({ manifests, plan }: Knowledge): string {
  const kept = plan ? `generation ${manifests.generation} stays in force` : "nothing is in force";
  return `${manifests.errors.length} errors, ${kept}; first: ${manifests.errors[0] ?? ""}`;
}

function whySilent(silent: readonly PeeringReport[]): string {
  const shown = silent.slice(0, 5).map((one) => `${one.peering}: ${one.reasons.join(", ")}`);
  return silent.length > shown.length
    ? `${shown.join("; ")}; and ${silent.length - shown.length} more`
    : shown.join("; ");
}
