// A peering as the dataplane is told it: exposes with their translations, the ACL, and the part of the port space that
// masquerade may use here. Pure.

import type {
  DataplaneAcl,
  DataplaneAclRule,
  DataplaneNat,
  DataplanePeering,
  DataplaneSide,
  DataplaneTranslation,
  AclEndpoint as Endpoint,
  ForwardedPorts as Forwarded,
} from "../../dataplane/desired.ts";
import type {
  Acl,
  AclEndpoint,
  AclRule,
  FlowTimeouts,
  ForwardedPorts,
  Nat,
  Peering,
  PeeringSide,
} from "../../fabric-api/fabric.ts";
import { DEFAULT_TIMEOUTS } from "../../fabric-api/index.ts";

/** Which of `count` equal parts of the ports is this gateway's: no two of a group may give out the same. */
export interface PortSlice {
  readonly index: number;
  readonly count: number;
}

/** The peering for the dataplane of the gateway that has this slice. */
export function dataplanePeering({ id, sides: [one, two], acl }: Peering, portSlice: PortSlice): DataplanePeering {
  const masqueraded = [one, two].some((side) =>
    side.exposes.some((expose) => expose.kind === "prefixes" && expose.nat?.kind === "masquerade"),
  );
  return {
    id,
    sides: [dataplaneSide(one), dataplaneSide(two)],
    ...(masqueraded ? { portSlice } : {}),
    ...(acl === undefined || isPermissive(acl) ? {} : { acl: dataplaneAcl(acl) }),
  };
}

function dataplaneSide(side: PeeringSide): DataplaneSide {
  const prefixes: string[] = [];
  const translated: DataplaneTranslation[] = [];
  for (const expose of side.exposes) {
    if (expose.kind === "default") continue;
    if (expose.nat) translated.push({ prefixes: expose.prefixes, nat: dataplaneNat(expose.nat) });
    else prefixes.push(...expose.prefixes);
  }
  return {
    vpc: side.vpc,
    default: side.exposes.some((expose) => expose.kind === "default"),
    prefixes,
    ...(translated.length > 0 ? { translated } : {}),
  };
}

function dataplaneNat(nat: Nat): DataplaneNat {
  switch (nat.kind) {
    case "static":
      return { kind: "static", public: nat.public };
    case "masquerade":
      return { kind: "masquerade", public: nat.public, ...idleTimeout(nat.timeouts) };
    case "port-forward": {
      const [prefix] = nat.public;
      if (prefix === undefined) throw new Error("inconsistent fabric: a port-forward without a public prefix");
      return {
        kind: "port-forward",
        public: [prefix],
        ...idleTimeout(nat.timeouts),
        ports: nat.rules.map(forwardedPorts),
      };
    }
  }
}

function forwardedPorts({ protocols, private: inside, public: outside }: ForwardedPorts): Forwarded {
  const [only] = protocols;
  return {
    proto: protocols.length === 1 && only !== undefined ? only : "any",
    port: [inside.first, inside.last],
    as: [outside.first, outside.last],
  };
}

/** The dataplane knows the default timeouts; a manifest's `idleTimeout` is the same for established TCP, UDP and ICMP. */
function idleTimeout(timeouts: FlowTimeouts): { readonly idleTimeoutMs?: number } {
  return timeouts.udpMs === DEFAULT_TIMEOUTS.udpMs && timeouts.icmpMs === DEFAULT_TIMEOUTS.icmpMs
    ? {}
    : { idleTimeoutMs: timeouts.udpMs };
}

/** True if the ACL allows all that is exposed anyway. */
function isPermissive(acl: Acl): boolean {
  return acl.default === "deny-unless-exposed" && acl.rules.length === 0;
}

function dataplaneAcl(acl: Acl): DataplaneAcl {
  return { default: acl.default, rules: acl.rules.flatMap(dataplaneRules) };
}

/** One rule for each protocol, in place of a rule for several. */
function dataplaneRules({ from, action, src, dst, protocols, scope }: AclRule): DataplaneAclRule[] {
  const rule = { from, action, src: src.flatMap(endpoints), dst: dst.flatMap(endpoints), scope };
  return protocols === undefined ? [rule] : protocols.map((proto) => ({ ...rule, proto }));
}

/** One endpoint for each prefix, in place of an endpoint with several. */
function endpoints({ prefixes, ports }: AclEndpoint): Endpoint[] {
  const range = ports === undefined ? {} : { ports: [ports.first, ports.last] as const };
  return prefixes === undefined ? [range] : prefixes.map((prefix) => ({ prefix, ...range }));
}
