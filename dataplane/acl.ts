// ACLs of peerings as rules of the program: one after the other for each direction, lists multiplied out. Pure; used by encode.ts.
import { firstAddress, parsePrefix } from "./address.ts";
import type { AclEndpoint, DataplaneAclRule, DataplanePeering, PortRange } from "./desired.ts";
import { DataplaneError } from "./errors.ts";
import { aclRuleLayout, defaultDeny, maxRules, ruleDeny, ruleFlow, rulePorts } from "./generated/layout.ts";

const anyProtocol = 256;
/** TCP and UDP. */
const withPorts: readonly number[] = [6, 17];

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
  const invalid = (what: string) => new DataplaneError("invalid-desired", `peering ${peering}, ACL: ${what}`);
  const sources = combinations(rule.src);
  const destinations = combinations(rule.dst);
  return sources.flatMap((source) =>
    destinations.flatMap((destination) => {
      const ports = source.ports !== undefined || destination.ports !== undefined;
      for (const protocol of rule.protocols ?? []) {
        if (!Number.isInteger(protocol) || protocol < 0 || protocol > 255) throw invalid(`protocol ${protocol}`);
        if (ports && !withPorts.includes(protocol)) throw invalid(`ports with protocol ${protocol}`);
      }
      const protocols = rule.protocols ?? (ports ? withPorts : [anyProtocol]);
      return protocols.map((protocol) => encodeCombination(rule, source, destination, protocol));
    }),
  );
}

interface Combination {
  readonly prefix?: string;
  readonly ports?: PortRange;
}

function combinations(endpoints: readonly AclEndpoint[]): readonly Combination[] {
  if (endpoints.length === 0) return [{}];
  return endpoints.flatMap(({ prefixes, ports }) => {
    const common = ports === undefined ? {} : { ports };
    return prefixes === undefined ? [common] : prefixes.map((prefix) => ({ prefix, ...common }));
  });
}

function encodeCombination(
  rule: DataplaneAclRule,
  source: Combination,
  destination: Combination,
  protocol: number,
): Buffer {
  const layout = aclRuleLayout;
  const bytes = Buffer.alloc(layout.size);
  writeAddress(bytes, source, layout.source, layout.sourceMask);
  writeAddress(bytes, destination, layout.destination, layout.destinationMask);
  const any = { first: 0, last: 65535 };
  const [sourcePorts, destinationPorts] = [source.ports ?? any, destination.ports ?? any];
  bytes.writeUInt16LE(sourcePorts.first, layout.sourcePorts);
  bytes.writeUInt16LE(sourcePorts.last, layout.sourcePorts + 2);
  bytes.writeUInt16LE(destinationPorts.first, layout.destinationPorts);
  bytes.writeUInt16LE(destinationPorts.last, layout.destinationPorts + 2);
  bytes.writeUInt16LE(protocol, layout.protocol);
  const verdict = rule.action === "deny" ? ruleDeny : rule.scope === "flow" ? ruleFlow : 0;
  const ports = source.ports === undefined && destination.ports === undefined ? 0 : rulePorts;
  bytes.writeUInt16LE(verdict | ports, layout.flags);
  return bytes;
}

function writeAddress(target: Buffer, { prefix }: Combination, address: number, mask: number): void {
  if (prefix === undefined) return;
  const parsed = parsePrefix(prefix);
  target.writeUInt32BE(firstAddress(parsed), address);
  target.writeUInt32BE(parsed.length === 0 ? 0 : (0xffffffff << (32 - parsed.length)) >>> 0, mask);
}
