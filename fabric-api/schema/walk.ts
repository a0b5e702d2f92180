// Looks into zod schemas where they serve as data: field names for hints, defaults for the printer, the CRDs.

import type { z } from "zod";

type Schema = z.core.$ZodType;

/** The schema without `optional` and `default` around it. */
export function unwrap(schema: Schema): Schema {
  const { def } = schema._zod;
  return def.type === "optional" || def.type === "default" ? unwrap((def as z.core.$ZodOptionalDef).innerType) : schema;
}

/** Fields of a mapping with fixed keys; undefined for any other schema. */
export function shapeOf(schema: Schema): Readonly<Record<string, Schema>> | undefined {
  const { def } = unwrap(schema)._zod;
  return def.type === "object" ? (def as z.core.$ZodObjectDef).shape : undefined;
}

/** Schema of a list's items or of the values of a mapping with free keys. */
export function elementOf(schema: Schema): Schema | undefined {
  const { def } = unwrap(schema)._zod;
  if (def.type === "array") return (def as z.core.$ZodArrayDef).element;
  return def.type === "record" ? (def as z.core.$ZodRecordDef).valueType : undefined;
}

/** Default of a field, wrapped; undefined if it has none. */
export function defaultOf(schema: Schema): { readonly value: unknown } | undefined {
  const { def } = schema._zod;
  return def.type === "default" ? { value: (def as z.core.$ZodDefaultDef).defaultValue } : undefined;
}

/** Whether a mapping may lack the field. */
export function isOptional(schema: Schema): boolean {
  return schema._zod.def.type === "optional" || schema._zod.def.type === "default";
}
