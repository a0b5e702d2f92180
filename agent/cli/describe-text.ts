// An object in full for people: its fields, what it means in the fabric (ranks, what is announced where), who refers to it, and
// what validation says about it.

import {
  type Diagnostic,
  type Fabric,
  keyOfObject,
  keyText,
  type ManifestObject,
  plainObject,
  printYaml,
  type Reference,
} from "../../fabric-api/index.ts";
import { DEFAULT_COMMUNITY_ASN } from "../plan/announcements.ts";
import { policyLines } from "../plan/policy-text.ts";
import { columns } from "./output.ts";
import { inFabric } from "./tables.ts";

export interface Surroundings {
  /** Absent if the manifests are invalid. */
  readonly fabric?: Fabric;
  readonly references: readonly Reference[];
  readonly findings: readonly Diagnostic[];
}

/** Sections with a heading each, apart by an empty line. */
export function describeText(object: ManifestObject, { fabric, references, findings }: Surroundings): string {
  const key = keyText(keyOfObject(object));
  const { kind, metadata, spec } = object;
  const { file, document, path } = object.origin;
  const labels = Object.entries(metadata.labels).map(([label, value]) => `${label}=${value}`);
  const head = [
    `${kind} ${metadata.name}`,
    `  namespace  ${metadata.namespace}`,
    ...(labels.length > 0 ? [`  labels     ${labels.join(", ")}`] : []),
    `  written    ${file}, document ${document + 1}${path.length > 0 ? `, item ${Number(path.at(-1)) + 1}` : ""}`,
  ];
  const own = plainObject(object).spec as Readonly<Record<string, unknown>>;
  const fields =
    Object.keys(spec).length === 0 || Object.keys(own).length === 0 ? [] : printYaml(own).trimEnd().split("\n");
  const refersTo = references.filter(({ from }) => keyText(from) === key);
  const referredToBy = references.filter(({ to }) => keyText(to) === key);
  const said = findings.filter((finding) => finding.kind === kind && finding.name === metadata.name);
  return [
    `${head.join("\n")}\n`,
    section("spec", fields),
    ...(fabric === undefined
      ? [section("in the fabric", ["unknown: the manifests are invalid"])]
      : meaning(object, fabric)),
    section(
      "refers to",
      refersTo.map(({ to, path: field }) => `${keyText(to)}  (${field})`),
    ),
    section(
      "referred to by",
      referredToBy.map(({ from, path: field }) => `${keyText(from)}  (${field})`),
    ),
    section(
      "findings",
      said.map(({ severity, code, path: field, message }) => `${severity} ${code}: ${field ?? ""} ${message}`),
    ),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function meaning(object: ManifestObject, fabric: Fabric): string[] {
  const { name, namespace } = object.metadata;
  switch (object.kind) {
    case "Gateway": {
      const own = inFabricName(fabric.gateways, name, namespace);
      const ranked = fabric.groups.flatMap(({ name: group, members }) => {
        const rank = members.findIndex(({ gateway }) => gateway === own);
        return rank < 0 ? [] : [{ group, rank, of: members.length, priority: members[rank]?.priority ?? 0 }];
      });
      const rankOf = new Map(ranked.map(({ group, rank }) => [group, rank]));
      const served = fabric.peerings.filter(({ group }) => rankOf.has(group));
      return [
        table(
          "groups",
          ["group", "rank", "of", "priority"],
          ranked.map(({ group, rank, of, priority }) => [group, rank, of, priority]),
        ),
        table(
          "peerings it serves",
          ["peering", "group", "rank"],
          served.map(({ id, group }) => [id, group, rankOf.get(group) ?? 0]),
        ),
      ];
    }
    case "GatewayGroup": {
      const own = inFabricName(fabric.groups, name, namespace);
      return [
        rankTable(fabric, own),
        section(
          "peerings",
          fabric.peerings.filter(({ group }) => group === own).map(({ id }) => id),
        ),
      ];
    }
    case "GatewayPeering": {
      const id = namespace === "default" ? name : `${namespace}/${name}`;
      const peering = fabric.peerings.find((candidate) => candidate.id === id);
      if (peering === undefined) return [section("in the fabric", ["not served: a side has no VNI yet"])];
      const [one, two] = peering.sides;
      const announced = [[one, two] as const, [two, one] as const].flatMap(([from, into]) =>
        from.exposes.flatMap((expose) =>
          (expose.kind === "default" ? ["0.0.0.0/0"] : (expose.nat?.public ?? expose.prefixes)).map((prefix) => [
            into.vpc,
            prefix,
            from.vpc,
          ]),
        ),
      );
      return [
        section("policy", policyLines(peering)),
        table("announced by every gateway of the group at its rank", ["into", "prefix", "to"], announced),
        rankTable(fabric, peering.group),
      ];
    }
    default: {
      const plainName = object.kind === "External" ? `ext.${name}` : name;
      const own = inFabricName(fabric.vpcs, plainName, namespace);
      const seen = fabric.peerings.flatMap((peering) => {
        const [one, two] = peering.sides;
        if (one.vpc !== own && two.vpc !== own) return [];
        const peer = one.vpc === own ? two : one;
        const prefixes = peer.exposes.flatMap((expose) =>
          expose.kind === "default" ? ["default"] : (expose.nat?.public ?? expose.prefixes),
        );
        return [[peering.id, peer.vpc, peering.group, prefixes.join(", ")]];
      });
      const vni = fabric.vpcs.find((vpc) => vpc.name === own)?.vni;
      return [
        section("in the fabric", [vni === undefined ? "no VNI yet: peerings with it are not served" : `VNI ${vni}`]),
        table("peerings", ["peering", "with", "group", "reaches"], seen),
      ];
    }
  }
}

/** Who serves a group: rank 0 while it is alive, then rank 1, … */
function rankTable(fabric: Fabric, groupName: string): string {
  const members = fabric.groups.find(({ name }) => name === groupName)?.members ?? [];
  const rows = members.map(({ gateway, priority }, rank) => [
    rank,
    gateway,
    priority,
    `${DEFAULT_COMMUNITY_ASN}:${rank}`,
    10 * rank,
  ]);
  if (rows.length === 0) return section(`group ${groupName}`, ["no gateway is in it"]);
  return table(`group ${groupName}`, ["rank", "gateway", "priority", "community", "med"], rows);
}

function inFabricName(named: readonly { readonly name: string }[], name: string, namespace: string): string {
  return named.find((candidate) => candidate.name === inFabric(name, namespace, candidate.name))?.name ?? name;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function table(title: string, headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return rows.length === 0 ? "" : section(title, columns(headings, rows).trimEnd().split("\n"));
}
