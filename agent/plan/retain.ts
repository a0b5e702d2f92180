// Make before break, the second half: the dataplane goes on carrying a peering that the new plan no longer serves until
// the withdrawal of its routes has settled in the fabric. Pure.

import type { DataplanePeering, DataplanePolicy } from "../../dataplane/desired.ts";

/** How long after the withdrawal the fabric may still send: the leaves need a fraction of a second. */
export const SETTLE_MS = 2000;

/** Peerings of the policy in force (with its VPCs) that a new policy lacks. */
export function retiring(inForce: DataplanePolicy, next: DataplanePolicy): DataplanePolicy {
  const kept = new Set(next.peerings.map((peering) => peering.id));
  return { vpcs: inForce.vpcs, peerings: inForce.peerings.filter((peering) => !kept.has(peering.id)) };
}

/**
 * The policy with the retiring peerings added, except those that contradict it: a VPC whose VNI changed or that is gone and
 * replaced, a prefix or the default that another peering now holds towards the same VPC. What is declared wins.
 */
export function withRetiring(policy: DataplanePolicy, retiringPolicy: DataplanePolicy): DataplanePolicy {
  const vpcs = new Map(policy.vpcs.map((vpc) => [vpc.name, vpc]));
  const vnis = new Set(policy.vpcs.map((vpc) => vpc.vni));
  const held = new Set(policy.peerings.flatMap(exposures));
  const ids = new Set(policy.peerings.map((peering) => peering.id));
  const added: DataplanePeering[] = [];
  for (const peering of retiringPolicy.peerings) {
    const sides = peering.sides.map((side) => retiringPolicy.vpcs.find((vpc) => vpc.name === side.vpc));
    const agrees = sides.every((vpc) => {
      if (!vpc) return false;
      const declared = vpcs.get(vpc.name);
      return declared ? declared.vni === vpc.vni : !vnis.has(vpc.vni);
    });
    if (!agrees || ids.has(peering.id) || exposures(peering).some((exposure) => held.has(exposure))) continue;
    added.push(peering);
    for (const vpc of sides) if (vpc) vpcs.set(vpc.name, vpc);
  }
  if (added.length === 0) return policy;
  return { vpcs: [...vpcs.values()], peerings: [...policy.peerings, ...added] };
}

/** What the peering puts in front of each VPC, as comparable text: "receiving VPC, prefix". */
function exposures(peering: DataplanePeering): string[] {
  const [one, other] = peering.sides;
  return [
    [one, other],
    [other, one],
  ].flatMap(([from, into]) => {
    if (!from || !into) return [];
    const translated = (from.translated ?? []).flatMap(({ nat }) => nat.public);
    const prefixes = [...from.prefixes, ...translated, ...(from.default ? ["default"] : [])];
    return prefixes.map((prefix) => `${into.vpc} ${prefix}`);
  });
}
