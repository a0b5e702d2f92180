// What a peering lets through, in lines that can be read and compared: one for each expose block and ACL rule.

import type {
  Acl,
  AclEndpoint,
  AclRule,
  Expose,
  FlowTimeouts,
  Nat,
  Peering,
  PortRange,
} from "../../fabric-api/fabric.ts";

/** Lines in the order of the manifest. Peerings that mean the same have the same lines. */
export function policyLines({ sides, acl }: Peering): string[] {
  const exposes = sides.flatMap(({ vpc, exposes: blocks }) =>
    blocks.map((block) => `${vpc} exposes ${exposeText(block)}`),
  );
  return acl === undefined ? exposes : [...exposes, ...aclLines(acl)];
}

/** An expose block: its prefixes and how the other side sees them. */
export function exposeText(expose: Expose): string {
  if (expose.kind === "default") return "default";
  const own = expose.prefixes.join(", ");
  return expose.nat === undefined ? own : `${own} as ${expose.nat.public.join(", ")} (${natText(expose.nat)})`;
}

function natText(nat: Nat): string {
  switch (nat.kind) {
    case "static":
      return `static: ${nat.pairs.map((pair) => `${rangeText(pair.private)} = ${rangeText(pair.public)}`).join(", ")}`;
    case "masquerade":
      return `masquerade, ${timeoutsText(nat.timeouts)}`;
    case "port-forward": {
      const rules = nat.rules.map(
        (rule) => `${rule.protocols.join("+")} ${portsText(rule.public)} to ${portsText(rule.private)}`,
      );
      return `port-forward ${rules.join(", ")}, ${timeoutsText(nat.timeouts)}`;
    }
  }
}

function aclLines({ default: otherwise, rules }: Acl): string[] {
  const numbered = rules.map((rule, index) => `acl ${index + 1} ${ruleText(rule)}`);
  return [...numbered, `acl otherwise ${otherwise === "deny" ? "deny" : "as exposed"}`];
}

function ruleText({ name, action, from, to, src, dst, protocols, scope, log }: AclRule): string {
  const protocol = protocols === undefined ? "" : ` protocol ${protocols.join(", ")}`;
  const ends = `from ${from}${endpointsText(src)} to ${to}${endpointsText(dst)}`;
  return `${name === undefined ? "" : `(${name}) `}${action} ${ends}${protocol}, per ${scope}${log ? ", logged" : ""}`;
}

function endpointsText(endpoints: readonly AclEndpoint[]): string {
  const texts = endpoints.map(({ prefixes, ports }) =>
    [prefixes?.join(", "), ports === undefined ? undefined : `port ${portsText(ports)}`].filter(Boolean).join(" "),
  );
  return texts.length === 0 ? "" : ` [${texts.map((text) => text || "any").join("; ")}]`;
}

function timeoutsText({ tcpEstablishedMs, tcpTransitoryMs, udpMs, icmpMs }: FlowTimeouts): string {
  const seconds = (ms: number) => `${ms / 1000} s`;
  return `idle tcp ${seconds(tcpEstablishedMs)} (${seconds(tcpTransitoryMs)} transitory), udp ${seconds(udpMs)}, icmp ${seconds(icmpMs)}`;
}

function rangeText({ first, last }: { readonly first: string; readonly last: string }): string {
  return first === last ? first : `${first}–${last}`;
}

function portsText({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}
