// The lab's working copy of a scenario's manifests: one file per object, so that a step can replace or delete one object.
// All gateways of a lab watch this directory.
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import { LabError } from "./errors.ts";

const objectSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

/** An object's manifest and the file it has in the working copy. */
export interface ManifestObject {
  readonly kind: string;
  readonly name: string;
  readonly file: string;
  readonly text: string;
}

/** Objects of YAML streams (single objects, `items` lists). Throws ERR_LAB_INVALID where there is no kind or name. */
export function splitObjects(text: string, source: string): ManifestObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) {
      throw new LabError("ERR_LAB_INVALID", `${source}: ${document.errors[0]?.message}`);
    }
    const value: unknown = document.toJS();
    if (value === null || value === undefined) return [];
    const list = z.looseObject({ items: z.array(z.unknown()) }).safeParse(value);
    return (list.success ? list.data.items : [value]).map((item) => toObject(item, source));
  });
}

/** Objects of every *.yaml, *.yml and *.json of a directory, or of one file. */
export function readObjects(path: string): ManifestObject[] {
  if (!statSync(path).isDirectory()) return splitObjects(readFileSync(path, "utf8"), path);
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(yaml|yml|json)$/.test(name))
    .sort()
    .flatMap((name) => splitObjects(readFileSync(join(path, name), "utf8"), join(path, name)));
}

/** Puts objects into the working copy: all are written first and then renamed into place together. */
export function applyObjects(directory: string, objects: readonly ManifestObject[]): void {
  const staged = (object: ManifestObject) => join(directory, `.${object.file}.new`);
  for (const object of objects) writeFileSync(staged(object), object.text);
  for (const object of objects) renameSync(staged(object), join(directory, object.file));
}

/** Removes an object from the working copy. Throws ERR_LAB_INVALID if it is not there. */
export function deleteObject(directory: string, kind: string, name: string): void {
  const file = fileOf(kind, "default", name);
  try {
    rmSync(join(directory, file));
  } catch (error) {
    throw new LabError("ERR_LAB_INVALID", `no ${kind} ${name} in the lab's manifests`, error);
  }
}

function toObject(value: unknown, source: string): ManifestObject {
  const parsed = objectSchema.safeParse(value);
  if (!parsed.success) {
    throw new LabError("ERR_LAB_INVALID", `${source}: an object without kind or metadata.name`);
  }
  const { kind, metadata } = parsed.data;
  return {
    kind,
    name: metadata.name,
    file: fileOf(kind, metadata.namespace ?? "default", metadata.name),
    text: stringify(value),
  };
}

function fileOf(kind: string, namespace: string, name: string): string {
  const prefix = namespace === "default" ? "" : `${namespace}.`;
  return `${kind.toLowerCase()}-${prefix}${name}.yaml`;
}
