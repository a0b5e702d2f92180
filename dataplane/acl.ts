// ACLs of peerings as rules of the program: one after the other for each direction, lists multiplied out. Pure; used by encode.ts.
import { firstAddress, parsePrefix } from "./address.ts";
import type { AclEndpoint, DataplaneAclRule, DataplanePeering } from "./desired.ts";
import { DataplaneError } from "./errors.ts";
import { aclRuleLayout, defaultDeny, maxRules, ruleDeny, ruleFlow, rulePorts } from "./generated/layout.ts";

const anyProtocol = 256;
const withPorts = { tcp: 6, udp: 17 };

/** Where the rules of a direction are, as a source's entry has it. `count` 0: no ACL. */
export interface RuleRange {
  readonly first: number;
  readonly count: number;
}

/** Whether the ACL can say no at all. */
function decides({ acl }: DataplanePeering): boolean {
  return acl !== undefined && (acl.default === "deny" || acl.rules.some(({ action }) => action === "deny"));
}

/** Whether the peering's ACL lets flows begin. */
export function aclKeepsState(peering: DataplanePeering): boolean {
  const rules = peering.acl?.rules ?? [];
  return decides(peering) && rules.some(({ action, scope }) => action === "allow" && scope === "flow");
}

/** The rules of a policy, from the first of one half of the map on. */
export class RuleTable {
  readonly #base: number;
  readonly #rules: Buffer[] = [];

  constructor(half: number) {
    this.#base = half * maxRules;
  }

  /** Throws invalid-desired, too-many. */
  add(peering: DataplanePeering, from: string): RuleRange {
    if (peering.acl === undefined || !decides(peering)) return { first: 0, count: 0 };
    const rules = peering.acl.rules
      .filter((rule) => rule.from === from)
      .flatMap((rule) => encodeRule(rule, peering.id));
    const first = this.#base + this.#rules.length;
    this.#rules.push(...rules);
    if (this.#rules.length > maxRules) throw new DataplaneError("too-many", `more than ${maxRules} rules in all ACLs`);
    return { first, count: (rules.length | (peering.acl.default === "deny" ? defaultDeny : 0)) >>> 0 };
  }

  bytes(): Buffer {
    return Buffer.concat(this.#rules);
  }
}

function encodeRule(rule: DataplaneAclRule, peering: string): Buffer[] {
  const any: readonly AclEndpoint[] = [{}];
  const sources = rule.src.length === 0 ? any : rule.src;
  const destinations = rule.dst.length === 0 ? any : rule.dst;
  return sources.flatMap((source) =>
    destinations.flatMap((destination) => {
      const ports = source.ports !== undefined || destination.ports !== undefined;
      const { proto } = rule;
      if (proto !== undefined && (!Number.isInteger(proto) || proto < 0 || proto > 255))
        throw new DataplaneError("invalid-desired", `peering ${peering}, ACL: protocol ${proto}`);
      if (ports && proto !== undefined && proto !== withPorts.tcp && proto !== withPorts.udp)
        throw new DataplaneError("invalid-desired", `peering ${peering}, ACL: ports with protocol ${proto}`);
      const protocols = proto !== undefined ? [proto] : ports ? Object.values(withPorts) : [anyProtocol];
      return protocols.map((protocol) => encodeCombination(rule, source, destination, protocol));
    }),
  );
}

function encodeCombination(
  rule: DataplaneAclRule,
  source: AclEndpoint,
  destination: AclEndpoint,
  protocol: number,
): Buffer {
  const layout = aclRuleLayout;
  const bytes = Buffer.alloc(layout.size);
  writeAddress(bytes, source, layout.source, layout.sourceMask);
  writeAddress(bytes, destination, layout.destination, layout.destinationMask);
  const [sourcePorts, destinationPorts] = [source.ports ?? [0, 65535], destination.ports ?? [0, 65535]];
  bytes.writeUInt16LE(sourcePorts[0], layout.sourcePorts);
  bytes.writeUInt16LE(sourcePorts[1], layout.sourcePorts + 2);
  bytes.writeUInt16LE(destinationPorts[0], layout.destinationPorts);
  bytes.writeUInt16LE(destinationPorts[1], layout.destinationPorts + 2);
  bytes.writeUInt16LE(protocol, layout.protocol);
  const verdict = rule.action === "deny" ? ruleDeny : rule.scope === "flow" ? ruleFlow : 0;
  const ports = source.ports === undefined && destination.ports === undefined ? 0 : rulePorts;
  bytes.writeUInt16LE(verdict | ports, layout.flags);
  return bytes;
}

function writeAddress(target: Buffer, { prefix }: AclEndpoint, address: number, mask: number): void {
  if (prefix === undefined) return;
  const parsed = parsePrefix(prefix);
  target.writeUInt32BE(firstAddress(parsed), address);
  target.writeUInt32BE(parsed.length === 0 ? 0 : (0xffffffff << (32 - parsed.length)) >>> 0, mask);
}
