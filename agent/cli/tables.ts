// The columns of `fabgate get` for each kind.

import type { Fabric, KindName, ManifestObject } from "../../fabric-api/index.ts";
import { exposeText } from "../plan/policy-text.ts";

/** Headings after the name: always shown, and with -o wide. */
export const TABLES: Readonly<
  Record<KindName, { readonly narrow: readonly string[]; readonly extra: readonly string[] }>
> = {
  Gateway: { narrow: ["asn", "protocolip", "vtepip", "groups"], extra: ["vtepmac", "interfaces", "neighbors"] },
  GatewayGroup: { narrow: ["members", "peerings"], extra: [] },
  GatewayPeering: { narrow: ["sides", "group", "gateways"], extra: ["exposes"] },
  VPCInfo: { narrow: ["vni", "subnets"], extra: ["peerings"] },
  External: { narrow: ["vni", "ipv4namespace"], extra: ["peerings"] },
};

/** The cells below the headings, first the narrow ones. What only a valid fabric tells is "?" without one. */
export function rowOf(object: ManifestObject, fabric: Fabric | undefined): (string | number)[] {
  const { name, namespace } = object.metadata;
  switch (object.kind) {
    case "Gateway": {
      const { asn, protocolIP, vtepIP, vtepMAC, interfaces, neighbors, groups = [] } = object.spec;
      const memberships = groups.length > 0 ? groups : [{ name: "default", priority: 0 }];
      const uplinks = Object.entries(interfaces).map(([key, { ips }]) => `${key} ${ips.join(" ")}`);
      return [
        asn,
        bare(protocolIP),
        bare(vtepIP),
        list(memberships.map((membership) => `${membership.name}:${membership.priority}`)),
        vtepMAC,
        list(uplinks),
        list(neighbors.map((neighbor) => `${neighbor.ip} AS${neighbor.asn}`)),
      ];
    }
    case "GatewayGroup": {
      const group = fabric?.groups.find((candidate) => candidate.name === inFabric(name, namespace, candidate.name));
      if (fabric === undefined || group === undefined) return ["?", "?"];
      const served = fabric.peerings.filter((peering) => peering.group === group.name);
      return [list(group.members.map(({ gateway, priority }) => `${gateway}:${priority}`)), served.length];
    }
    case "GatewayPeering": {
      const id = namespace === "default" ? name : `${namespace}/${name}`;
      const peering = fabric?.peerings.find((candidate) => candidate.id === id);
      const group = fabric?.groups.find((candidate) => candidate.name === peering?.group);
      const exposes = peering?.sides.map((side) => `${side.vpc}: ${side.exposes.map(exposeText).join(" | ")}`);
      return [
        Object.keys(object.spec.peering).join(" <-> "),
        object.spec.gatewayGroup,
        peering === undefined ? "?" : list((group?.members ?? []).map(({ gateway }) => gateway)),
        exposes?.join("; ") ?? "?",
      ];
    }
    case "VPCInfo": {
      const { vni, subnets } = object.spec;
      const cidrs = Object.entries(subnets).map(([subnet, { cidr }]) => `${subnet}=${cidr}`);
      return [vni, list(cidrs), peeringsOf(fabric, name, namespace)];
    }
    case "External": {
      const { vni, ipv4Namespace } = object.spec;
      const known = fabric?.vpcs.find((vpc) => vpc.name === inFabric(`ext.${name}`, namespace, vpc.name))?.vni;
      return [vni ?? known ?? "-", ipv4Namespace ?? "-", peeringsOf(fabric, `ext.${name}`, namespace)];
    }
  }
}

/** The fabric knows an object by its name, or by "namespace/name" where the name alone is not clear. */
export function inFabric(name: string, namespace: string, candidate: string): string {
  return candidate.includes("/") ? `${namespace}/${name}` : name;
}

function peeringsOf(fabric: Fabric | undefined, name: string, namespace: string): string {
  if (fabric === undefined) return "?";
  const own = fabric.peerings.filter(({ sides }) => sides.some(({ vpc }) => vpc === inFabric(name, namespace, vpc)));
  return list(own.map(({ id }) => id));
}

function list(texts: readonly string[]): string {
  return texts.length === 0 ? "-" : texts.join(",");
}

function bare(address: string): string {
  return address.split("/", 1)[0] ?? address;
}
