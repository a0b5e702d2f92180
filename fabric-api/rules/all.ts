// Every rule that looks beyond one field, in one order. A rule family a file; each gets what the earlier ones resolved.

import type { Acl } from "../fabric.ts";
import { Memo } from "../memo.ts";
import type { Report } from "../report.ts";
import type { World } from "../world.ts";
import { readAcl } from "./acl.ts";
import { checkDefaults } from "./defaults.ts";
import { type ExposingPeering, readExposes } from "./expose.ts";
import { checkFamilies } from "./families.ts";
import { checkGateways } from "./gateways.ts";
import { checkGroups, type Groups } from "./groups.ts";
import { checkNats } from "./nat.ts";
import { checkBlockOverlaps, checkTowards } from "./overlap.ts";
import { checkSides, type TwoSided } from "./sides.ts";
import { checkVpcs } from "./vpcs.ts";

/** What the rules found out on the way; the fabric is built from it if nothing was wrong. */
export interface Resolved {
  readonly groups: Groups;
  readonly peerings: readonly CheckedPeering[];
}

export interface CheckedPeering extends ExposingPeering {
  readonly acl: Acl | undefined;
}

export function checkRules(world: World, report: Report): Resolved {
  checkGateways(world, report);
  checkVpcs(world, report);
  const groups = checkGroups(world, report);
  const peerings = checkSides(world, report).map((peering) =>
    checkedPeerings.reporting(peering, [], report, () => checkPeering(peering, report)),
  );
  checkTowards(peerings, report);
  checkDefaults(peerings, report);
  return { groups, peerings };
}

const checkedPeerings = new Memo<TwoSided, CheckedPeering>();

/** The rules that look at one peering and its two VPCs only. */
function checkPeering(peering: TwoSided, report: Report): CheckedPeering {
  const exposing = readExposes(peering, report);
  checkFamilies(exposing, report);
  checkBlockOverlaps(exposing, report);
  checkNats(exposing, report);
  return { ...exposing, acl: readAcl(exposing, report) };
}
