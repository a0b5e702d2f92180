// The kinds as Kubernetes custom resources, derived from the schemas: what `fabgate crds` prints. Rules that a structural
// schema cannot say (how fields combine, references) stay with validation.

import type { z } from "zod";
import { KINDS, type KindName } from "./schema/kinds.ts";
import { defaultOf, elementOf, isOptional, shapeOf, unwrap } from "./schema/walk.ts";

/** An apiextensions.k8s.io/v1 CustomResourceDefinition as plain data, ready for YAML or JSON. */
export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly kind: KindName;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
    };
    readonly scope: "Namespaced";
    readonly versions: readonly {
      readonly name: string;
      readonly served: true;
      readonly storage: true;
      readonly schema: { readonly openAPIV3Schema: OpenApiSchema };
      readonly subresources: { readonly status: Readonly<Record<string, never>> };
      readonly additionalPrinterColumns: readonly PrinterColumn[];
    }[];
  };
}

/** A structural schema (OpenAPI v3 as Kubernetes restricts it). */
export interface OpenApiSchema {
  readonly type?: "object" | "array" | "string" | "integer" | "boolean";
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: OpenApiSchema;
  readonly items?: OpenApiSchema;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
}

interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  /** Above 0: only with -o wide. */
  readonly priority?: number;
}

interface Naming {
  readonly shortName: string;
  readonly columns: readonly PrinterColumn[];
}

const AGE: PrinterColumn = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

const NAMING: { readonly [K in KindName]: Naming } = {
  Gateway: {
    shortName: "gw",
    columns: [
      { name: "ASN", type: "integer", jsonPath: ".spec.asn" },
      { name: "ProtocolIP", type: "string", jsonPath: ".spec.protocolIP" },
      { name: "VTEPIP", type: "string", jsonPath: ".spec.vtepIP" },
      { name: "VTEPMAC", type: "string", jsonPath: ".spec.vtepMAC", priority: 1 },
    ],
  },
  GatewayGroup: { shortName: "gwgr", columns: [] },
  GatewayPeering: {
    shortName: "gwpeer",
    columns: [{ name: "Group", type: "string", jsonPath: ".spec.gatewayGroup" }],
  },
  VPCInfo: { shortName: "gwvpc", columns: [{ name: "VNI", type: "integer", jsonPath: ".spec.vni" }] },
  External: {
    shortName: "ext",
    columns: [
      { name: "VNI", type: "integer", jsonPath: ".spec.vni" },
      { name: "IPv4Namespace", type: "string", jsonPath: ".spec.ipv4Namespace", priority: 1 },
    ],
  },
};

/** One definition for each kind, in the order of the kinds' table. */
export function crds(): CustomResourceDefinition[] {
  return (Object.keys(KINDS) as KindName[]).map((kind) => {
    const { apiVersion, object } = KINDS[kind];
    const [group = "", version = ""] = apiVersion.split("/");
    const { shortName, columns } = NAMING[kind];
    const singular = kind.toLowerCase();
    const plural = `${singular}s`;
    return {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [shortName] },
        scope: "Namespaced",
        versions: [
          {
            name: version,
            served: true,
            storage: true,
            schema: { openAPIV3Schema: rootSchema(object) },
            subresources: { status: {} },
            additionalPrinterColumns: [...columns, AGE],
          },
        ],
      },
    };
  });
}

/** The API server owns apiVersion, kind and metadata: it allows no schema for them beyond their type. */
function rootSchema(object: z.core.$ZodType): OpenApiSchema {
  const { spec } = shapeOf(object) ?? {};
  return {
    type: "object",
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      ...(spec === undefined ? {} : { spec: structural(spec) }),
      status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    },
    ...(spec === undefined || isOptional(spec) ? {} : { required: ["spec"] }),
  };
}

function structural(schema: z.core.$ZodType): OpenApiSchema {
  const standard = defaultOf(schema);
  return { ...withoutDefault(unwrap(schema)), ...(standard === undefined ? {} : { default: standard.value }) };
}

function withoutDefault(schema: z.core.$ZodType): OpenApiSchema {
  const { def } = schema._zod;
  const limits = limitsOf(def);
  const shape = shapeOf(schema);
  if (shape !== undefined) {
    const fields = Object.entries(shape);
    const required = fields.flatMap(([name, field]) => (isOptional(field) ? [] : [name]));
    return {
      type: "object",
      properties: Object.fromEntries(fields.map(([name, field]) => [name, structural(field)])),
      ...(required.length === 0 ? {} : { required }),
    };
  }
  const element = elementOf(schema);
  if (element !== undefined) {
    return def.type === "array"
      ? { type: "array", items: structural(element), ...limits }
      : { type: "object", additionalProperties: structural(element) };
  }
  if (def.type === "enum") return { type: "string", enum: Object.values((def as z.core.$ZodEnumDef).entries) };
  if (def.type === "number") return { type: "integer", format: "int64", ...limits };
  if (def.type === "boolean") return { type: "boolean" };
  if (def.type === "string") return { type: "string", ...limits };
  throw new Error(`a schema of type ${def.type} has no structural form yet`);
}

/** Bounds that the schema's checks set. A check written as a function cannot be told. */
function limitsOf({ type, checks = [] }: z.core.$ZodTypeDef): OpenApiSchema {
  const [least, most] = type === "array" ? (["minItems", "maxItems"] as const) : (["minLength", "maxLength"] as const);
  const limits: Record<string, unknown> = {};
  for (const { _zod } of checks) {
    const check = _zod.def as z.core.$ZodCheckDef & { minimum?: number; maximum?: number; value?: number | bigint };
    if (check.check === "min_length") limits[least] = check.minimum;
    if (check.check === "max_length") limits[most] = check.maximum;
    if (check.check === "greater_than") limits.minimum = check.value;
    if (check.check === "less_than") limits.maximum = check.value;
    if (check.check === "string_format") limits.pattern = (check as z.core.$ZodCheckRegexDef).pattern.source;
  }
  return limits;
}
