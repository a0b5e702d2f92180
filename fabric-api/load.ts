// The way from texts to a fabric: documents → objects → rules → Fabric. Pure: no file, no clock.

import type { Diagnostic, Source } from "./diagnostic.ts";
import type { Fabric } from "./fabric.ts";
import { Report } from "./report.ts";
import { buildFabric } from "./resolve.ts";
import { checkRules } from "./rules/all.ts";
import type { ManifestObject } from "./schema/kinds.ts";
import { type ParsedDocument, parseDocuments } from "./stream/documents.ts";
import { MAX_CHARACTERS, MAX_TOKENS } from "./stream/limits.ts";
import { readObjects } from "./stream/objects.ts";
import { SourceText } from "./stream/source-text.ts";
import { buildWorld } from "./world.ts";

export interface LoadResult {
  /** Present if and only if there are no errors. */
  readonly fabric?: Fabric;
  /** In source order. */
  readonly errors: readonly Diagnostic[];
  readonly warnings: readonly Diagnostic[];
  /** Structurally valid objects with defaults filled in, in source order. */
  readonly objects: readonly ManifestObject[];
}

/** Loads all sources as one stream. Never throws on what the sources hold. */
export function loadFabric(sources: readonly Source[]): LoadResult {
  const report = new Report();
  const texts = sources.map((source, index) => new SourceText(source, index));
  const objects = readObjects(documentsOf(texts), report);
  const world = buildWorld(objects);
  const resolved = checkRules(world, report);
  const diagnostics = report.diagnostics();
  return {
    ...(report.hasErrors ? {} : { fabric: buildFabric(world, resolved) }),
    errors: diagnostics.filter(({ severity }) => severity === "error"),
    warnings: diagnostics.filter(({ severity }) => severity === "warning"),
    objects: objects.flatMap(({ object }) => (object === undefined ? [] : [object as ManifestObject])),
  };
}

/** The documents of all texts, within the limits for one load. */
export function documentsOf(texts: readonly SourceText[]): ParsedDocument[] {
  const budget = { left: MAX_TOKENS };
  let characters = 0;
  const documents: ParsedDocument[] = [];
  for (const source of texts) {
    characters += source.text.length;
    if (characters > MAX_CHARACTERS) {
      const message = `more than ${MAX_CHARACTERS} characters in one load`;
      const problems = [{ code: "FG0104" as const, offset: 0, message }];
      const range = [0, source.text.length] as const;
      documents.push({ source, index: 0, value: undefined, problems, range, tree: () => undefined });
      break;
    }
    documents.push(...parseDocuments(source, budget));
  }
  return documents;
}
