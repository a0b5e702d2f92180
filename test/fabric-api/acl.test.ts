// ACLs: what is accepted, what is found and where, and what the fabric says of them.

import assert from "node:assert/strict";
import { type Acl, formatDiagnostic, loadFabric } from "../../fabric-api/index.ts";
import { BASE, peering } from "./streams.ts";
import { testTable } from "./table.ts";

const SIDES = {
  "vpc-1": "[{ips: [{cidr: 10.1.0.0/25}], as: [{cidr: 192.168.0.0/25}], nat: {static: {}}}, {ips: [{vpcSubnet: six}]}]",
  "vpc-2": "[{ips: [{cidr: 10.2.0.0/24}]}, {ips: [{vpcSubnet: six}]}]",
};
const RULE = "spec.acl.rules[0]";

function withRules(...rules: string[]): string {
  return peering("p", SIDES, `acl: {rules: [${rules.join(", ")}]}`);
}

function matching(match: string, head = "from: vpc-1"): string {
  return withRules(`{${head}, action: allow, match: {${match}}}`);
}

testTable("an ACL", [
  { is: "may be empty", yaml: peering("p", SIDES, "acl: {}"), finds: [] },
  { is: "may deny all", yaml: peering("p", SIDES, "acl: {default: deny}"), finds: [] },
  {
    is: "may have rules of all fields",
    yaml: withRules(
      '{name: web.1, from: vpc-1, to: vpc-2, action: allow, match: {proto: tcp, src: [{cidr: 10.1.0.0/26, ports: "1024-65535"}], dst: [{vpcSubnet: default, ports: "443"}]}, scope: packet, log: true}',
      "{to: vpc-1, action: deny}",
      '{from: vpc-2, action: deny, match: {proto: "47"}}',
    ),
    finds: [],
  },
  {
    is: "may match what is wider than what is exposed",
    yaml: matching("src: [{cidr: 10.0.0.0/8}, {vpcSubnet: default}], dst: [{cidr: 0.0.0.0/0}]"),
    finds: [],
  },
  {
    is: "has each name once",
    yaml: withRules("{name: a, from: vpc-1, action: allow}", "{name: »a, from: vpc-2, action: allow}"),
    finds: ["FG0801 spec.acl.rules[1].name"],
  },
  {
    is: "has DNS-style names",
    yaml: withRules("{name: »A_b, from: vpc-1, action: allow}"),
    finds: [`FG0204 ${RULE}.name`],
  },
  { is: "has from or to", yaml: withRules("»{action: allow}"), finds: [`FG0802 ${RULE}`] },
  {
    is: "has sides of the peering",
    yaml: withRules("{from: »vcp-1, to: »vpc-3, action: allow}"),
    finds: [`FG0803 ${RULE}.from`, `FG0803 ${RULE}.to`],
    says: ["did you mean vpc-1?"],
  },
  {
    is: "is about traffic between the sides",
    yaml: withRules("{from: vpc-1, to: »vpc-1, action: allow}"),
    finds: [`FG0804 ${RULE}.to`],
  },
  { is: "has known actions", yaml: withRules("{from: vpc-1, action: »permit}"), finds: [`FG0206 ${RULE}.action`] },
  {
    is: "has ports with a protocol that has ports",
    yaml: withRules(
      '{from: vpc-1, action: allow, match: {src: [{ports: »"1"}]}}',
      '{from: vpc-1, action: allow, match: {proto: icmp, dst: [{ports: »"1"}]}}',
      '{from: vpc-1, action: allow, match: {proto: "17", dst: [{ports: "1"}]}}',
    ),
    finds: [`FG0805 ${RULE}.match.src[0].ports`, "FG0805 spec.acl.rules[1].match.dst[0].ports"],
    says: ["not any protocol"],
  },
  {
    is: "has one port or one range an entry",
    yaml: matching('proto: tcp, dst: [{ports: »"80,443"}]'),
    finds: [`FG0204 ${RULE}.match.dst[0].ports`],
  },
  {
    is: "has quoted ports",
    yaml: matching("proto: tcp, dst: [{ports: »80}]"),
    finds: [`FG0207 ${RULE}.match.dst[0].ports`],
    says: ['quote it: "80"'],
  },
  {
    is: "has one meaning an entry",
    yaml: matching("src: [»{cidr: 10.1.0.0/26, vpcSubnet: default}]"),
    finds: [`FG0806 ${RULE}.match.src[0]`],
  },
  {
    is: "has subnets that exist",
    yaml: matching("src: [{vpcSubnet: »defualt}]"),
    finds: [`FG0606 ${RULE}.match.src[0].vpcSubnet`],
    says: ["did you mean default?"],
  },
  {
    is: "has no subnets of externals",
    yaml: peering(
      "p",
      { "ext.inet": "[{default: true}]", "vpc-2": SIDES["vpc-2"] },
      "acl: {rules: [{from: ext.inet, action: allow, match: {src: [{vpcSubnet: »x}]}}]}",
    ),
    finds: [`FG0607 ${RULE}.match.src[0].vpcSubnet`],
  },
  {
    is: "has prefixes without host bits",
    yaml: matching("src: [{cidr: »10.1.0.1/26}]"),
    finds: [`FG0406 ${RULE}.match.src[0].cidr`],
  },
  {
    is: "matches sources before NAT",
    yaml: matching("src: [{cidr: »192.168.0.0/25}]"),
    finds: [`FG0807 ${RULE}.match.src[0].cidr`],
    says: ["vpc-1 exposes no address of 192.168.0.0/25", "10.1.0.0/25"],
  },
  {
    is: "matches destinations as they are announced",
    yaml: matching("dst: [{cidr: 192.168.0.0/26}, {cidr: »10.1.0.0/25}, {vpcSubnet: »default}]", "to: vpc-1"),
    finds: [`FG0807 ${RULE}.match.dst[1].cidr`, `FG0807 ${RULE}.match.dst[2].vpcSubnet`],
    says: ["rules see packets before NAT", "192.168.0.0/25"],
  },
  {
    is: "misses nothing of a default",
    yaml: peering(
      "p",
      { "ext.inet": "[{default: true}]", "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]" },
      "acl: {rules: [{to: ext.inet, action: deny, match: {dst: [{cidr: 8.8.8.8/32}]}}]}",
    ),
    finds: [],
  },
  {
    is: "has src and dst of one family",
    yaml: matching('src: [{cidr: 10.1.0.0/25}], dst: [{cidr: "2001:db8:2::/64"}]').replace("match: ", "match: »"),
    finds: [`FG0808 ${RULE}.match`],
  },
]);

function aclOf(acl: string, sides: Record<string, string> = SIDES): Acl {
  const sources = [BASE, { file: "case.yaml", text: peering("p", sides, `acl: ${acl}`) }];
  const { fabric, errors } = loadFabric(sources);
  const found = fabric?.peerings.find(({ id }) => id === "p")?.acl;
  assert.ok(found, errors.map((error) => formatDiagnostic(error, sources)).join("\n"));
  return found;
}

describe("an ACL in the fabric", () => {
  it("has its rules in order, with directions, protocols and defaults filled in", () => {
    const text =
      '{rules: [{to: vpc-1, action: deny, match: {proto: icmp}}, {name: n, from: vpc-1, action: allow, match: {proto: tcp, src: [{ports: "80-90"}]}, scope: packet, log: true}]}';
    assert.deepEqual(aclOf(text), {
      default: "deny-unless-exposed",
      rules: [
        {
          from: "vpc-2",
          to: "vpc-1",
          action: "deny",
          src: [],
          dst: [],
          protocols: [1, 58],
          scope: "flow",
          log: false,
        },
        {
          name: "n",
          from: "vpc-1",
          to: "vpc-2",
          action: "allow",
          src: [{ ports: { first: 80, last: 90 } }],
          dst: [],
          protocols: [6],
          scope: "packet",
          log: true,
        },
      ],
    });
  });

  it("has prefixes clipped to what is exposed", () => {
    const sides = {
      "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}, {not: 10.1.0.0/26}]}, {ips: [{cidr: 10.1.1.0/25}]}]",
      "vpc-2": "[{ips: [{cidr: 10.2.0.0/24}], as: [{cidr: 192.168.7.0/24}], nat: {static: {}}}]",
    };
    const text =
      "{rules: [{from: vpc-1, action: allow, match: {src: [{cidr: 10.1.0.0/16}, {vpcSubnet: default}, {cidr: 10.1.1.64/26}], dst: [{cidr: 192.168.0.0/16}, {cidr: 192.168.7.8/32}]}}]}";
    const [rule] = aclOf(text, sides).rules;
    assert.deepEqual(
      [rule?.src, rule?.dst],
      [
        [
          { prefixes: ["10.1.0.64/26", "10.1.0.128/25", "10.1.1.0/25"] },
          { prefixes: ["10.1.0.64/26", "10.1.0.128/25"] },
          { prefixes: ["10.1.1.64/26"] },
        ],
        [{ prefixes: ["192.168.7.0/24"] }, { prefixes: ["192.168.7.8/32"] }],
      ],
    );
  });

  it("has prefixes as written towards a default", () => {
    const sides = { "ext.inet": "[{default: true}]", "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]" };
    const [rule] = aclOf("{rules: [{to: ext.inet, action: deny, match: {dst: [{cidr: 8.0.0.0/8}]}}]}", sides).rules;
    assert.deepEqual([rule?.from, rule?.dst], ["vpc-1", [{ prefixes: ["8.0.0.0/8"] }]]);
  });
});
