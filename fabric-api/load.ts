// The way from texts to a fabric: documents → objects → rules → Fabric. Pure: no file, no clock.

import type { Diagnostic, Source } from "./diagnostic.ts";
import type { Fabric } from "./fabric.ts";
import { Report } from "./report.ts";
import { buildFabric } from "./resolve.ts";
import { checkRules } from "./rules/all.ts";
import type { ManifestObject } from "./schema/kinds.ts";
import { type ParsedDocument, parseDocuments } from "./stream/documents.ts";
import { MAX_CHARACTERS, MAX_TOKENS, type TokenBudget } from "./stream/limits.ts";
import { type Entry, firstOfEach, readObjects } from "./stream/objects.ts";
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
  return new FabricLoader().load(sources);
}

/** What was read of a source. */
interface ReadSource {
  readonly source: SourceText;
  readonly entries: readonly Entry[];
}

/**
 * Loads again and again, as a watcher does: a source with the same text as in the load before is not read again, and what
 * depends on nothing new is not worked out again. The results are those of loadFabric.
 */
export class FabricLoader {
  /** Sources of the last load that can be used again, by file. */
  #known = new Map<string, ReadSource>();

  load(sources: readonly Source[]): LoadResult {
    const report = new Report();
    const limits = newLimits();
    const known = new Map<string, ReadSource>();
    const all = sources.map((source): ReadSource => {
      const before = this.#known.get(source.file);
      if (before?.source.text === source.text && takeCharacters(source, limits)) {
        known.set(source.file, before);
        return before;
      }
      const { size } = report;
      const { left } = limits.budget;
      const text = new SourceText(source);
      const entries = documentsOfOne(text, limits).flatMap((document) => readObjects(document, report));
      const result = { source: text, entries };
      // Findings must be made again, and tokens counted again.
      if (report.size === size && limits.budget.left === left && !limits.exceeded) known.set(source.file, result);
      return result;
    });
    this.#known = known;
    return buildResult(all, report);
  }
}

function buildResult(sources: readonly ReadSource[], report: Report): LoadResult {
  const objects = firstOfEach(
    sources.flatMap(({ entries }) => entries),
    report,
  );
  const world = buildWorld(objects);
  const resolved = checkRules(world, report);
  const diagnostics = report.diagnostics(sources.map(({ source }) => source));
  return {
    ...(report.hasErrors ? {} : { fabric: buildFabric(world, resolved) }),
    errors: diagnostics.filter(({ severity }) => severity === "error"),
    warnings: diagnostics.filter(({ severity }) => severity === "warning"),
    objects: objects.flatMap(({ object }) => (object === undefined ? [] : [object as ManifestObject])),
  };
}

/** What is left for the rest of a load. */
interface Limits {
  readonly budget: TokenBudget;
  characters: number;
  exceeded: boolean;
}

function newLimits(): Limits {
  return { budget: { left: MAX_TOKENS }, characters: 0, exceeded: false };
}

/** The documents of all texts, within the limits for one load. */
export function documentsOf(texts: readonly SourceText[]): ParsedDocument[] {
  const limits = newLimits();
  return texts.flatMap((source) => documentsOfOne(source, limits));
}

/** None after the first text that is too much; that one has a document that says so. */
function documentsOfOne(source: SourceText, limits: Limits): ParsedDocument[] {
  if (limits.exceeded) return [];
  if (takeCharacters(source, limits)) return parseDocuments(source, limits.budget);
  limits.exceeded = true;
  const message = `more than ${MAX_CHARACTERS} characters in one load`;
  const problems = [{ code: "FG0104" as const, offset: 0, message }];
  const range = [0, source.text.length] as const;
  return [{ source, index: 0, value: undefined, problems, range, tree: () => undefined }];
}

/** Counts the text; false, and not counted, if it is too much. */
function takeCharacters({ text }: Source, limits: Limits): boolean {
  if (limits.characters + text.length > MAX_CHARACTERS) return false;
  limits.characters += text.length;
  return true;
}
