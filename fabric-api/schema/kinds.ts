// The kinds: the one table that connects a kind's name with its apiVersion and its schema.

import { z } from "zod";
import type { Path } from "../diagnostic.ts";
import { ignored } from "./common.ts";
import { gatewaySpec } from "./gateway.ts";
import { gatewayGroupSpec } from "./group.ts";
import { metadata } from "./metadata.ts";
import { gatewayPeeringSpec } from "./peering.ts";
import { externalSpec, vpcInfoSpec } from "./vpc.ts";

const GATEWAY_API = "gateway.githedgehog.com/v1alpha1";
const VPC_API = "vpc.githedgehog.com/v1beta1";

export const KINDS = {
  Gateway: { apiVersion: GATEWAY_API, object: objectSchema("Gateway", GATEWAY_API, gatewaySpec) },
  GatewayGroup: { apiVersion: GATEWAY_API, object: objectSchema("GatewayGroup", GATEWAY_API, gatewayGroupSpec) },
  GatewayPeering: { apiVersion: GATEWAY_API, object: objectSchema("GatewayPeering", GATEWAY_API, gatewayPeeringSpec) },
  VPCInfo: { apiVersion: GATEWAY_API, object: objectSchema("VPCInfo", GATEWAY_API, vpcInfoSpec) },
  External: { apiVersion: VPC_API, object: objectSchema("External", VPC_API, externalSpec) },
} as const;

export type KindName = keyof typeof KINDS;

/** Older names of kinds that are still accepted. */
export const OLDER_KIND_NAMES: Readonly<Record<string, KindName>> = { Peering: "GatewayPeering" };

export function isKind(name: string): name is KindName {
  return Object.hasOwn(KINDS, name);
}

/** An object's fields with defaults filled in. */
export type Manifest<K extends KindName> = z.output<(typeof KINDS)[K]["object"]>;
export type SpecOf<K extends KindName> = Manifest<K>["spec"];

/** A valid object of a stream, with defaults, in its present spelling, and where it stands. */
export type ManifestObject = { [K in KindName]: ManifestOf<K> }[KindName];

export interface ManifestOf<K extends KindName> {
  readonly apiVersion: string;
  readonly kind: K;
  readonly metadata: Metadata;
  readonly spec: SpecOf<K>;
  readonly origin: Origin;
}

export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Where an object stands: the nth document of a file, and inside it the path of a list item. */
export interface Origin {
  readonly file: string;
  readonly document: number;
  readonly path: Path;
}

function objectSchema<K extends string, S extends z.ZodType>(kind: K, apiVersion: string, spec: S) {
  return z.strictObject({
    apiVersion: z.literal(apiVersion),
    kind: z.literal(kind),
    metadata,
    spec,
    status: ignored,
  });
}
