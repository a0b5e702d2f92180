// Never attract what you cannot deliver: which announcements of the plan may be made now, and why the others may not.
// Pure; the reconcile loop passes what it knows at the moment.

import { type Interval, subtract, union } from "../../fabric-api/prefix-set.ts";
import type { Announcement } from "./announcements.ts";
import { cidr } from "./prefix.ts";

/** Why an announcement is withheld. Stable: they are condition reasons in the status. */
export type WithheldReason = "DataplaneDetached" | "NoUplink" | "DestinationUnknown";

export interface Health {
  /** The XDP program runs on at least one uplink. */
  readonly dataplaneAttached: boolean;
  /** At least one uplink with the program has its link up. */
  readonly uplinkUp: boolean;
  readonly destinations: Destinations;
}

export interface Withheld {
  readonly announcement: Announcement;
  readonly reason: WithheldReason;
}

export interface Deliverable {
  readonly announce: readonly Announcement[];
  readonly withheld: readonly Withheld[];
  /** Why nothing at all may be announced, anchors included; undefined when something may. */
  readonly closed?: WithheldReason;
}

/** Splits the plan's announcements by what can be delivered. */
export function deliverable(announcements: readonly Announcement[], health: Health): Deliverable {
  const closed = closedReason(health);
  if (closed) {
    return { announce: [], withheld: announcements.map((announcement) => ({ announcement, reason: closed })), closed };
  }
  const announce: Announcement[] = [];
  const withheld: Withheld[] = [];
  for (const announcement of announcements) {
    const { vni, prefixes } = announcement.destination;
    if (prefixes.some((prefix) => health.destinations.reaches(vni, prefix))) announce.push(announcement);
    else withheld.push({ announcement, reason: "DestinationUnknown" });
  }
  return { announce, withheld };
}

function closedReason(health: Health): WithheldReason | undefined {
  if (!health.dataplaneAttached) return "DataplaneDetached";
  if (!health.uplinkUp) return "NoUplink";
  return undefined;
}

/** The prefixes of each VPC that the RIB and the underlay can reach. */
export class Destinations {
  /** VNI → sorted disjoint intervals. */
  readonly #byVni: ReadonlyMap<number, readonly Interval[]>;

  constructor(routes: Iterable<{ readonly vni: number; readonly prefix: string }>) {
    const byVni = new Map<number, Interval[]>();
    for (const { vni, prefix } of routes) {
      const list = byVni.get(vni);
      if (list) list.push(cidr(prefix));
      else byVni.set(vni, [cidr(prefix)]);
    }
    this.#byVni = new Map([...byVni].map(([vni, intervals]) => [vni, union(intervals)]));
  }

  /** True when any address of the prefix is covered by a route of that VPC. */
  reaches(vni: number, prefix: string): boolean {
    const target = cidr(prefix);
    const unreached = subtract(target, this.#byVni.get(vni) ?? [])[0];
    return unreached === undefined || unreached.first !== target.first || unreached.last !== target.last;
  }
}
