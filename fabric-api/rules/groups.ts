// Who is in which group, which group serves which peering, and what is left over.

import type { Path } from "../diagnostic.ts";
import type { Report } from "../report.ts";
import type { Entry } from "../stream/objects.ts";
import { DEFAULT_GROUP, expectFound, type GroupRef, type World } from "../world.ts";

/** A gateway's place in a group. */
export interface Membership {
  readonly gateway: Entry<"Gateway">;
  readonly priority: number;
}

export interface Groups {
  /** Members in source order; ranks are made when the fabric is built. */
  readonly members: ReadonlyMap<GroupRef, readonly Membership[]>;
  readonly ofPeering: ReadonlyMap<Entry<"GatewayPeering">, GroupRef>;
}

export function checkGroups(world: World, report: Report): Groups {
  const members = new Map<GroupRef, Membership[]>(world.groups.map((group) => [group, []]));
  for (const gateway of world.gateways) checkMemberships(gateway, world, members, report);

  const ofPeering = new Map<Entry<"GatewayPeering">, GroupRef>();
  for (const peering of world.peerings) {
    if (peering.object === undefined) continue;
    const path: Path = ["spec", "gatewayGroup"];
    const value = peering.object.spec.gatewayGroup;
    const finding = { code: "FG0308" as const, at: peering.at(path), subject: peering, path, value };
    const group = expectFound(world.group(value, peering.namespace), report, finding, "GatewayGroup", world.groupNames);
    if (group !== undefined) ofPeering.set(peering, group);
  }
  warnOfUnused(world, { members, ofPeering }, report);
  return { members, ofPeering };
}

function checkMemberships(
  gateway: Entry<"Gateway">,
  world: World,
  members: Map<GroupRef, Membership[]>,
  report: Report,
): void {
  if (gateway.object === undefined) return;
  const declared = gateway.object.spec.groups ?? [];
  const memberships = declared.length > 0 ? declared : [{ name: DEFAULT_GROUP, priority: 0 }];
  const first = new Map<GroupRef, Path>();
  memberships.forEach(({ name, priority }, index) => {
    const path: Path = ["spec", "groups", index, "name"];
    const finding = { at: gateway.at(path), subject: gateway, path, value: name };
    const found = world.group(name, gateway.namespace);
    const group = expectFound(found, report, { code: "FG0308", ...finding }, "GatewayGroup", world.groupNames);
    if (group === undefined) return;
    const earlier = first.get(group);
    if (earlier !== undefined) {
      const other = { at: gateway.at(earlier), what: "the first" };
      report.add({ code: "FG0307", ...finding, message: `the gateway is in group ${name} twice`, other });
      return;
    }
    first.set(group, path);
    members.get(group)?.push({ gateway, priority });
  });
}

/** Warnings about parts that do nothing. A broken object may be the missing part, so with one there is no telling. */
function warnOfUnused(world: World, { members, ofPeering }: Groups, report: Report): void {
  if (world.peerings.some(({ object }) => object === undefined)) return;
  if (world.gateways.some(({ object }) => object === undefined)) return;
  const used = new Set(ofPeering.values());
  for (const group of world.groups) {
    if (group.entry === undefined || used.has(group)) continue;
    const path: Path = ["metadata", "name"];
    const message = `no peering is mapped to group ${group.name}`;
    report.add({ code: "FG0311", at: group.entry.at(path), subject: group.entry, path, value: group.name, message });
  }
  const busy = new Set([...used].flatMap((group) => (members.get(group) ?? []).map(({ gateway }) => gateway)));
  for (const gateway of world.gateways) {
    if (busy.has(gateway)) continue;
    const path: Path = ["metadata", "name"];
    const message = `gateway ${gateway.name} serves nothing: none of its groups has a peering`;
    report.add({ code: "FG0312", at: gateway.at(path), subject: gateway, path, value: gateway.name, message });
  }
  for (const [peering, group] of ofPeering) {
    if ((members.get(group) ?? []).length > 0) continue;
    const path: Path = ["spec", "gatewayGroup"];
    const message = `no gateway can serve this peering: group ${group.name} has no members`;
    report.add({ code: "FG0313", at: peering.at(path), subject: peering, path, value: group.name, message });
  }
}
