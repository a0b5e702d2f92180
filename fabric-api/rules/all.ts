// Every rule that looks beyond one field, in one order. A rule family a file; each gets what the earlier ones resolved.

import type { Acl } from "../fabric.ts";
import type { Report } from "../report.ts";
import type { World } from "../world.ts";
import { checkAcls } from "./acl.ts";
import { checkDefaults } from "./defaults.ts";
import { checkExposes, type ExposingPeering } from "./expose.ts";
import { checkFamilies } from "./families.ts";
import { checkGateways } from "./gateways.ts";
import { checkGroups, type Groups } from "./groups.ts";
import { checkNats } from "./nat.ts";
import { checkOverlaps } from "./overlap.ts";
import { checkSides } from "./sides.ts";
import { checkVpcs } from "./vpcs.ts";

/** What the rules found out on the way; the fabric is built from it if nothing was wrong. */
export interface Resolved {
  readonly groups: Groups;
  readonly peerings: readonly ExposingPeering[];
  readonly acls: ReadonlyMap<ExposingPeering, Acl>;
}

export function checkRules(world: World, report: Report): Resolved {
  checkGateways(world, report);
  checkVpcs(world, report);
  const groups = checkGroups(world, report);
  const peerings = checkExposes(checkSides(world, report), report);
  checkFamilies(peerings, report);
  checkOverlaps(peerings, report);
  checkDefaults(peerings, report);
  checkNats(peerings, report);
  return { groups, peerings, acls: checkAcls(peerings, report) };
}
