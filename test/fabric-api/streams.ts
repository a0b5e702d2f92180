// Manifests for the tests. In a text, » stands before each place where a finding is expected; it is taken out before loading,
// so that tables show positions instead of counting them.

import type { Diagnostic, Source } from "../../fabric-api/index.ts";

const MARK = "»";

/** Without marks; with the "line:column" of each. */
export function unmark(marked: string): { text: string; places: string[] } {
  const places: string[] = [];
  const lines = marked.split("\n").map((line, index) => {
    let rest = line;
    for (let at = rest.indexOf(MARK); at >= 0; at = rest.indexOf(MARK)) {
      places.push(`${index + 1}:${at + 1}`);
      rest = rest.slice(0, at) + rest.slice(at + 1);
    }
    return rest;
  });
  return { text: lines.join("\n"), places };
}

/** One finding in a line: code, place, field path. */
export function brief({ code, line, column, path }: Diagnostic): string {
  return `${code} ${line}:${column}${path === undefined ? "" : ` ${path}`}`;
}

const GATEWAY_API = "gateway.githedgehog.com/v1alpha1";

/** An object; each spec line is indented below `spec:`. */
export function object(kind: string, name: string, ...spec: string[]): string {
  return manifest(kind, GATEWAY_API, name, spec);
}

export function external(name: string, ...spec: string[]): string {
  return manifest("External", "vpc.githedgehog.com/v1beta1", name, spec);
}

export function vpc(name: string, vni: number, subnets: Record<string, string>): string {
  const lines = Object.entries(subnets).map(([subnet, cidr]) => `  ${subnet}: {cidr: ${cidr}}`);
  return object("VPCInfo", name, `vni: ${vni}`, ...(lines.length > 0 ? ["subnets:", ...lines] : []));
}

const GATEWAY_FIELDS: Record<string, string> = {
  asn: "65534",
  protocolIP: "172.30.8.1/32",
  vtepIP: "172.30.12.1/32",
  vtepMAC: "ca:fe:ba:be:00:01",
  interfaces: "{eth1: {ips: [172.30.128.1/31]}}",
  neighbors: "[{ip: 172.30.128.0, asn: 65100}]",
};

/** A valid gateway with some fields written differently, left out (undefined) or added. */
export function gateway(name: string, fields: Record<string, string | undefined> = {}): string {
  const all = { ...GATEWAY_FIELDS, ...fields };
  return object(
    "Gateway",
    name,
    ...Object.entries(all).flatMap(([key, text]) => (text === undefined ? [] : [`${key}: ${text}`])),
  );
}

/** A peering of two sides, each given as the text of its list of expose blocks. */
export function peering(name: string, sides: Record<string, string>, ...spec: string[]): string {
  const lines = Object.entries(sides).map(([side, expose]) => `  ${side}: {expose: ${expose}}`);
  return object("GatewayPeering", name, ...spec, "peering:", ...lines);
}

function manifest(kind: string, apiVersion: string, name: string, spec: readonly string[]): string {
  const body =
    spec.length === 0 ? ["spec: {}"] : ["spec:", ...spec.map((line) => `  ${line.replaceAll("\n", "\n  ")}`)];
  return [`apiVersion: ${apiVersion}`, `kind: ${kind}`, `metadata: {name: ${name}}`, ...body, ""].join("\n");
}

export function stream(...documents: string[]): string {
  return documents.join("---\n");
}

/** What tables of peerings build on: three VPCs, two externals with a VNI, a gateway that serves the peering between the last two VPCs. */
export const BASE: Source = {
  file: "base.yaml",
  text: stream(
    vpc("vpc-1", 100, { default: "10.1.0.0/24", db: "10.1.1.0/24", six: "2001:db8:1::/64" }),
    vpc("vpc-2", 200, { default: "10.2.0.0/24", db: "10.2.1.0/24", six: "2001:db8:2::/64" }),
    vpc("vpc-3", 300, { default: "10.3.0.0/24", wide: "10.1.0.0/16" }),
    vpc("vpc-4", 400, { default: "10.4.0.0/24" }),
    external("inet", "vni: 900"),
    external("wan", "vni: 901"),
    gateway("gw-base"),
    peering("base", { "vpc-3": "[{ips: [{cidr: 10.3.0.0/24}]}]", "vpc-4": "[{ips: [{cidr: 10.4.0.0/24}]}]" }),
  ),
};
