// What would change, as a reviewer reads it: + new, - gone, ~ different; per gateway its settings, sessions, peerings, policy and
// routes. Routes are grouped by the VPC that receives them.

import type { Changes, GatewayChanges, Policy, Route } from "../plan/compare.ts";
import { compareLists } from "../plan/compare.ts";

export interface ObjectChange {
  readonly object: string;
  readonly outcome: string;
}

const SIGNS: Readonly<Record<string, string>> = { created: "+", configured: "~", pruned: "-" };
const STATE_SIGNS = { added: "+", removed: "-", changed: "~", unchanged: " " } as const;

/** Ends with a line break; says so if nothing changes. */
export function diffText(objects: readonly ObjectChange[], gateways: readonly GatewayChanges[]): string {
  const changed = objects.flatMap(({ object, outcome }) => {
    const sign = SIGNS[outcome];
    return sign === undefined ? [] : [`  ${sign} ${object}`];
  });
  const different = gateways.filter(({ state, refused }) => state !== "unchanged" || refused.length > 0);
  if (changed.length === 0 && different.length === 0) return "nothing would change\n";
  const lines = [...(changed.length === 0 ? [] : ["objects", ...changed]), ...different.flatMap(gatewayLines)];
  if (different.length === 0) lines.push("no gateway would do anything differently");
  return `${lines.join("\n")}\n`;
}

function gatewayLines(gateway: GatewayChanges): string[] {
  const { settings, sessions, peerings, vpcs, policy, routes, refused } = gateway;
  return [
    `${STATE_SIGNS[gateway.state]} gateway ${gateway.gateway}`.trimStart(),
    ...refused.map((reason) => `  ! refuses this: ${reason}`),
    ...section(
      "settings",
      settings,
      ({ name }) => name,
      ({ value }) => value,
    ),
    ...section(
      "sessions",
      sessions,
      ({ address }) => address,
      ({ asn, local }) => `AS ${asn}${local ? ` from ${local}` : ""}`,
    ),
    ...section(
      "peerings",
      peerings,
      ({ peering }) => peering,
      ({ group, rank }) => `rank ${rank}, group ${group}`,
    ),
    ...section(
      "vpcs",
      vpcs,
      ({ name }) => name,
      ({ vni }) => `VNI ${vni}`,
    ),
    ...policySection(policy),
    ...section("routes", routes, ({ into, prefix }) => `${prefix} into ${into}`, routeText),
  ];
}

function routeText({ vni, destination, peering, communities, med }: Route): string {
  return `to ${destination} by ${peering}, VNI ${vni}, community ${communities.join(" ")}, med ${med ?? 0}`;
}

function section<T>(
  title: string,
  changes: Changes<T>,
  key: (item: T) => string,
  value: (item: T) => string,
): string[] {
  const lines = [
    ...changes.added.map((item) => `    + ${key(item)}  ${value(item)}`),
    ...changes.changed.map(({ before, after }) => `    ~ ${key(after)}  ${transition(value(before), value(after))}`),
    ...changes.removed.map((item) => `    - ${key(item)}  ${value(item)}`),
  ];
  return lines.length === 0 ? [] : [`  ${title}`, ...lines];
}

/** Values are parts with commas between; of parts that stay only one is shown. */
function transition(before: string, after: string): string {
  const old = before.split(", ");
  const parts = after.split(", ");
  if (old.length !== parts.length) return `${before} -> ${after}`;
  return parts.map((part, index) => (part === old[index] ? part : `${old[index]} -> ${part}`)).join(", ");
}

/** Of a policy that changed, the lines that did. */
function policySection({ added, removed, changed }: Changes<Policy>): string[] {
  const all = (sign: string, { peering, lines }: Policy) => [
    `    ${sign} ${peering}`,
    ...lines.map((line) => `        ${sign} ${line}`),
  ];
  const lines = [
    ...added.flatMap((policy) => all("+", policy)),
    ...changed.flatMap(({ before, after }) => {
      const difference = compareLists(before.lines, after.lines, (line) => line);
      const moved = difference.added.length + difference.removed.length === 0;
      return [
        `    ~ ${after.peering}${moved ? "  same rules in another order" : ""}`,
        ...(moved ? after.lines.map((line) => `          ${line}`) : []),
        ...difference.added.map((line) => `        + ${line}`),
        ...difference.removed.map((line) => `        - ${line}`),
      ];
    }),
    ...removed.flatMap((policy) => all("-", policy)),
  ];
  return lines.length === 0 ? [] : ["  policy", ...lines];
}
