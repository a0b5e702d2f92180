// Fabrics for the tests of agent/plan, as values: no YAML between the test and what it says.

import type { Fabric, Gateway, Group, Peering, Vpc } from "../../fabric-api/fabric.ts";

export function gateway(number: number, changes: Partial<Gateway> = {}): Gateway {
  return {
    name: `gateway-${number}`,
    asn: 65534,
    protocolIp: `10.255.3.${number}`,
    vtepIp: `10.255.2.${number}`,
    vtepMac: `02:02:00:00:00:0${number}`,
    vtepMtu: 9050,
    interfaces: [{ name: "eth1", kernel: "eth1", ips: [`172.16.2.${2 * number + 1}/31`], mtu: 9100 }],
    neighbors: [{ ip: `172.16.2.${2 * number}`, asn: 65100, source: "eth1" }],
    flowTableCapacity: 1_048_576,
    ...changes,
  };
}

export function group(name: string, ...members: string[]): Group {
  return { name, members: members.map((gateway, index) => ({ gateway, priority: 100 - index })) };
}

export function vpc(number: number): Vpc {
  return {
    name: `vpc-${number}`,
    vni: 100_000 + number,
    external: false,
    subnets: [{ name: "default", cidr: `10.${number}.1.0/24` }],
  };
}

/** A peering of two VPCs that expose their subnet 10.N.1.0/24 to each other. */
export function peering(one: number, other: number, groupName = "default"): Peering {
  const side = (number: number): Peering["sides"][number] => ({
    vpc: `vpc-${number}`,
    exposes: [{ kind: "prefixes", prefixes: [`10.${number}.1.0/24`] }],
  });
  return { id: `vpc-${one}--vpc-${other}`, group: groupName, sides: [side(one), side(other)] };
}

export function fabric(changes: Partial<Fabric> = {}): Fabric {
  return {
    gateways: [gateway(1), gateway(2)],
    groups: [group("default", "gateway-1", "gateway-2")],
    vpcs: [vpc(1), vpc(2)],
    peerings: [peering(1, 2)],
    ...changes,
  };
}
