// Who carried the packets: the gateways' own counters, read through the command line on each gateway node, and the
// interface counters at the far ends of a node's links.
import { z } from "zod";
import { must } from "../lab/command.ts";
import { LabError } from "../lab/errors.ts";
import type { Lab } from "../lab/lab.ts";

const packets = z.object({ packets: z.number() });
const countersSchema = z.object({
  directions: z.array(z.object({ peering: z.string(), from: z.string(), to: z.string(), in: packets, out: packets })),
});

/** Packets of one peering by direction ("vpc-1>vpc-2"). */
export type PeeringCount = Readonly<Record<string, { readonly in: number; readonly out: number }>>;

const READ_TIMEOUT_MS = 10_000;

/** Counters of a peering at every gateway that is on, by Gateway name. Throws ERR_LAB_UNREACHABLE if one cannot be read. */
export async function peeringCounters(lab: Lab, peering: string): Promise<Map<string, PeeringCount>> {
  const gateways = lab.nodes.flatMap(({ name: node }) => {
    const gateway = lab.gatewayOf(node);
    return gateway === undefined || !lab.isOn(node) ? [] : [{ node, gateway }];
  });
  const counts = await Promise.all(
    gateways.map(async ({ node, gateway }): Promise<[string, PeeringCount]> => {
      const argv = ["fabgate", "counters", "--gateway", gateway, "-o", "json"];
      const result = await lab.exec(node, argv, { timeoutMs: READ_TIMEOUT_MS });
      if (result.code !== 0) {
        throw new LabError("ERR_LAB_UNREACHABLE", `counters of ${gateway} cannot be read: ${result.stderr.trim()}`);
      }
      const rows = countersSchema.parse(JSON.parse(result.stdout)).directions.filter((row) => row.peering === peering);
      return [
        gateway,
        Object.fromEntries(rows.map((row) => [`${row.from}>${row.to}`, { in: row.in.packets, out: row.out.packets }])),
      ];
    }),
  );
  return new Map(counts);
}

/** after − before. A direction that was not there before counts from zero. */
export function countDifference(before: PeeringCount | undefined, after: PeeringCount | undefined): PeeringCount {
  return Object.fromEntries(
    Object.entries(after ?? {}).map(([direction, now]) => {
      const then = before?.[direction];
      return [direction, { in: now.in - (then?.in ?? 0), out: now.out - (then?.out ?? 0) }];
    }),
  );
}

export type ServedVerdict = { readonly ok: true } | { readonly ok: false; readonly why: string };

/** Whether `gateway` alone carried at least `count` packets of the peering each way. */
export function judgeServed(
  differences: ReadonlyMap<string, PeeringCount>,
  gateway: string,
  count: number,
): ServedVerdict {
  const describe = () =>
    [...differences]
      .map(([name, directions]) => {
        const rows = Object.entries(directions).map(([direction, n]) => `${direction} ${n.in} in ${n.out} out`);
        return `${name}: ${rows.length === 0 ? "not its peering" : rows.join(", ")}`;
      })
      .join("; ");
  for (const [name, directions] of differences) {
    const rows = Object.values(directions);
    if (name === gateway) {
      if (rows.length !== 2 || rows.some((row) => row.in < count || row.out < count)) {
        return { ok: false, why: `${gateway} did not carry all packets both ways (${describe()})` };
      }
    } else if (rows.some((row) => row.in > 0)) {
      return { ok: false, why: `${name} carried packets too (${describe()})` };
    }
  }
  if (!differences.has(gateway)) return { ok: false, why: `${gateway} is off` };
  return { ok: true };
}

/** Packets on a link as its far end counted them: to the node and from it. */
export interface LinkCount {
  readonly link: string;
  readonly toNode: number;
  readonly fromNode: number;
}

/** Counters of all links of a node whose far end is on, taken at the far ends. */
export async function linkCounters(lab: Lab, node: string): Promise<LinkCount[]> {
  const links = lab.topology.links.flatMap(({ ends: [a, b] }) => {
    if (a.node !== node && b.node !== node) return [];
    return a.node === node ? [{ own: a, peer: b }] : [{ own: b, peer: a }];
  });
  return Promise.all(
    links
      .filter(({ peer }) => lab.isOn(peer.node))
      .map(async ({ own, peer }) => {
        const text = await must("ip", ["-n", lab.netns(peer.node), "-j", "-s", "link", "show", "dev", peer.interface]);
        const rows = z.tuple([z.object({ stats64: z.object({ rx: packets, tx: packets }) })]).parse(JSON.parse(text));
        const stats = rows[0].stats64;
        return { link: `${own.interface}-${peer.node}`, toNode: stats.tx.packets, fromNode: stats.rx.packets };
      }),
  );
}
