// A fabric of any size as manifests, for measuring: every VPC is peered with its next neighbours in a circle, all with
// addresses of their own. Always the same text for the same numbers.

import { compareBytes } from "../../../fabric-api/index.ts";

export interface FabricSize {
  readonly vpcs: number;
  /** At most vpcs × (vpcs − 1) / 2. */
  readonly peerings: number;
  readonly gateways: number;
  readonly groups: number;
}

/** A manifest and the file that a store would keep it in. */
export interface GeneratedManifest {
  readonly file: string;
  readonly text: string;
}

/** Member of every group but the translating ones: what it plans is the worst case that the dataplane can carry. */
export const BUSIEST_GATEWAY = "gateway-0";

/** One peering in this many has NAT and an ACL, in groups of its own. */
const TRANSLATING_EVERY = 10;

/** Manifests that are valid without warnings, in the order in which a directory of them is read. */
export function generateFabric({ vpcs, peerings, gateways, groups }: FabricSize): GeneratedManifest[] {
  const translating = Math.max(1, Math.floor(groups / TRANSLATING_EVERY));
  const manifests = [
    ...times(groups, (n) => manifest("GatewayGroup", groupName(n), "spec: {}")),
    ...times(vpcs, vpc),
    ...times(gateways, (n) => gateway(n, gateways, groups, translating)),
    ...times(peerings, (n) => peering(n, vpcs, groups, translating)),
  ];
  return manifests.sort((a, b) => compareBytes(a.file, b.file));
}

/** The same peering exposing one subnet less: a change that passes every rule. */
export function changePeering({ file, text }: GeneratedManifest): GeneratedManifest {
  return { file, text: text.replace("        - vpcSubnet: db\n", "") };
}

function vpc(n: number): GeneratedManifest {
  return manifest(
    "VPCInfo",
    `vpc-${n}`,
    `spec:
  vni: ${10_000 + n}
  subnets:
    default:
      cidr: ${network(n, 0)}/24
    db:
      cidr: ${network(n, 1)}/24`,
  );
}

function gateway(n: number, gateways: number, groups: number, translating: number): GeneratedManifest {
  const isMember = (group: number) => (n === 0 ? group >= translating : group % (gateways - 1) === n - 1);
  const memberships = times(groups, (group) => group).filter(isMember);
  return manifest(
    "Gateway",
    `gateway-${n}`,
    `spec:
  asn: 65534
  protocolIP: 172.30.8.${n}/32
  vtepIP: 172.30.12.${n}/32
  vtepMAC: "02:00:00:00:00:${n.toString(16).padStart(2, "0")}"
  interfaces:
    eth1:
      ips: [172.30.128.${2 * (n % 100) + 1}/31]
      mtu: 9100
  neighbors:
    - ip: 172.30.128.${2 * (n % 100)}
      asn: 65100
      source: eth1
  groups:
${memberships.map((group) => `    - name: ${groupName(group)}\n      priority: ${(group + n) % 7}`).join("\n")}`,
  );
}

function peering(n: number, vpcs: number, groups: number, translating: number): GeneratedManifest {
  const one = n % vpcs;
  const other = (one + 1 + Math.floor(n / vpcs)) % vpcs;
  const translates = n % TRANSLATING_EVERY === 0;
  // Counted by themselves, so that every group gets some.
  const nth = Math.floor(n / TRANSLATING_EVERY);
  const group = translates ? nth % translating : translating + ((n - nth - 1) % (groups - translating));
  const side = (number: number, nat: string[]) => `    vpc-${number}:
      expose:
      - ips:
        - cidr: ${network(number, 0)}/24
        - vpcSubnet: db
${nat.map((line) => `        ${line}\n`).join("")}`;
  const pool = [
    `- not: ${network(one, 0)}/28`,
    "as:",
    `- cidr: 192.${168 + (n % 8)}.${Math.floor(n / 8) % 256}.0/24`,
    "nat:",
    "  masquerade:",
    "    idleTimeout: 2m0s",
  ];
  const acl = `  acl:
    rules:
    - name: web
      from: vpc-${other}
      to: vpc-${one}
      action: allow
      match:
        proto: tcp
        src:
        - vpcSubnet: db
        dst:
        - ports: "80-443"
`;

  return manifest(
    "GatewayPeering",
    `vpc-${one}--vpc-${other}`,
    `spec:
  gatewayGroup: ${groupName(group)}
  peering:
${side(one, translates ? pool : [])}${side(other, [])}${translates ? acl : ""}`,
  );
}

function manifest(kind: string, name: string, spec: string): GeneratedManifest {
  const text = `apiVersion: gateway.githedgehog.com/v1alpha1
kind: ${kind}
metadata:
  name: ${name}
${spec.trimEnd()}
`;
  return { file: `${kind.toLowerCase()}/${name}.yaml`, text };
}

/** 10.0.0.0/8 holds 32 768 VPCs of two /24 each. */
function network(vpc: number, subnet: number): string {
  return `10.${vpc >> 7}.${((vpc & 127) << 1) + subnet}.0`;
}

function groupName(n: number): string {
  return `group-${n}`;
}

function times<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n));
}
