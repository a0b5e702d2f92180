// Objects as YAML: what a store writes and `get -o yaml` shows. Reading the text again gives the same object.

import { stringify } from "yaml";
import type { z } from "zod";
import { KINDS, type ManifestObject } from "./schema/kinds.ts";
import { defaultOf, elementOf, shapeOf } from "./schema/walk.ts";

/** One document in block style without a marker, ending with a line break. Fields that hold their default are left out. */
export function printObject(object: ManifestObject): string {
  return printYaml(plainObject(object));
}

/** Plain data as YAML. What YAML 1.1 would read as something else (`off`, `1:30`) is quoted, because kubectl still reads that. */
export function printYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, compat: "yaml-1.1" });
}

/** The object as it would be written: apiVersion, kind, metadata and spec without what equals its default. */
export function plainObject({ apiVersion, kind, metadata, spec }: ManifestObject): Readonly<Record<string, unknown>> {
  const schemas = KINDS[kind].object.shape;
  return {
    apiVersion,
    kind,
    metadata: written(schemas.metadata, metadata),
    spec: written(schemas.spec, spec),
  };
}

function written(schema: z.core.$ZodType, value: unknown): unknown {
  if (Array.isArray(value)) {
    const element = elementOf(schema);
    return value.map((item) => (element === undefined ? item : written(element, item)));
  }
  if (typeof value !== "object" || value === null) return value;
  const shape = shapeOf(schema);
  const entries = Object.entries(value).flatMap(([key, field]): [string, unknown][] => {
    const own = shape === undefined ? elementOf(schema) : shape[key];
    if (field === undefined || (own !== undefined && isDefault(own, field))) return [];
    return [[key, own === undefined ? field : written(own, field)]];
  });
  return Object.fromEntries(entries);
}

/** Defaults are scalars, {} or []. */
function isDefault(schema: z.core.$ZodType, value: unknown): boolean {
  const found = defaultOf(schema);
  return found !== undefined && JSON.stringify(found.value) === JSON.stringify(value);
}
