// A peering as the dataplane is told it: exposes with their translations, the ACL, and the part of the port space that
// masquerade may use here. Pure.

import type { DataplaneAcl, DataplanePeering, DataplaneSide, DataplaneTranslation } from "../../dataplane/desired.ts";
import type { Acl, Peering, PeeringSide } from "../../fabric-api/fabric.ts";

/** Which of `count` equal parts of the ports is this gateway's: no two of a group may give out the same. */
export interface PortSlice {
  readonly index: number;
  readonly count: number;
}

/** The peering for the dataplane of the gateway that has this slice. */
export function dataplanePeering({ id, sides: [one, two], acl }: Peering, portSlice: PortSlice): DataplanePeering {
  const masquerades = [one, two].some((side) =>
    side.exposes.some((expose) => expose.kind === "prefixes" && expose.nat?.kind === "masquerade"),
  );
  return {
    id,
    sides: [dataplaneSide(one), dataplaneSide(two)],
    ...(masquerades ? { portSlice } : {}),
    ...(acl === undefined || allowsAll(acl) ? {} : { acl: dataplaneAcl(acl) }),
  };
}

function dataplaneSide(side: PeeringSide): DataplaneSide {
  const prefixes: string[] = [];
  const translated: DataplaneTranslation[] = [];
  for (const expose of side.exposes) {
    if (expose.kind === "default") continue;
    if (expose.nat) translated.push({ prefixes: expose.prefixes, nat: expose.nat });
    else prefixes.push(...expose.prefixes);
  }
  return {
    vpc: side.vpc,
    default: side.exposes.some((expose) => expose.kind === "default"),
    prefixes,
    ...(translated.length > 0 ? { translated } : {}),
  };
}

/** True if the ACL takes nothing away from what is exposed. */
function allowsAll(acl: Acl): boolean {
  return acl.default === "deny-unless-exposed" && acl.rules.length === 0;
}

function dataplaneAcl(acl: Acl): DataplaneAcl {
  return {
    default: acl.default,
    rules: acl.rules.map(({ from, action, src, dst, protocols, scope }) => ({
      ...{ from, action, src, dst, scope },
      ...(protocols === undefined ? {} : { protocols }),
    })),
  };
}
