// What valid manifests may ask for and the dataplane cannot do yet. It is refused by name, never ignored: a gateway that left
// out a translation or a filter would deliver what nobody allowed. An entry goes when the dataplane can do it.

import type { Gateway, Peering } from "../../fabric-api/fabric.ts";
import { Memo } from "../../fabric-api/memo.ts";

export type Feature = "acl-log" | "ipv6" | "ipv6-vtep";

export interface Unsupported {
  /** Absent: the gateway itself needs it. */
  readonly peering?: string;
  readonly feature: Feature;
  readonly message: string;
}

const NAMES: Readonly<Record<Feature, string>> = {
  "acl-log": "log in an acl rule",
  ipv6: "exposing IPv6",
  "ipv6-vtep": "an IPv6 vtepIP",
};

/** Everything that keeps a gateway from serving these peerings, each feature of a peering once. */
export function unsupported(gateway: Gateway, peerings: readonly Peering[]): Unsupported[] {
  const own: Unsupported[] = isIpv6(gateway.vtepIp) ? [entry("ipv6-vtep", `gateway ${gateway.name}`)] : [];
  return [...own, ...peerings.flatMap((peering) => known.get(peering, [], () => ofPeering(peering)))];
}

const known = new Memo<Peering, Unsupported[]>();

function ofPeering(peering: Peering): Unsupported[] {
  const { id } = peering;
  return [...featuresOf(peering)].map((feature) => ({ peering: id, ...entry(feature, `peering ${id}`) }));
}

function featuresOf({ sides, acl }: Peering): Set<Feature> {
  const features = new Set<Feature>();
  for (const expose of sides.flatMap(({ exposes }) => exposes)) {
    if (expose.kind === "default") continue;
    // A block has one family.
    if (isIpv6(expose.prefixes[0] ?? "")) features.add("ipv6");
  }
  if (acl?.rules.some((rule) => rule.log)) features.add("acl-log");
  return features;
}

/** Of a canonical address or prefix. */
function isIpv6(text: string): boolean {
  return text.includes(":");
}

function entry(feature: Feature, who: string): Omit<Unsupported, "peering"> {
  return { feature, message: `${who}: ${NAMES[feature]} is not supported by the dataplane yet` };
}
