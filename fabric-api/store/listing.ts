// Texts as the objects that stand in them: what a store lists, and the texts without some of them. Pure.

import { createHash } from "node:crypto";
import type { Source } from "../diagnostic.ts";
import { documentsOf } from "../load.ts";
import type { ParsedDocument } from "../stream/documents.ts";
import { identitiesOf } from "../stream/objects.ts";
import type { PlainMap } from "../stream/plain.ts";
import { SourceText } from "../stream/source-text.ts";
import { editText, spliced } from "./edit.ts";
import { keyText, type Listing, type ObjectKey, type StoredObject, StoreError } from "./store.ts";

/** An object with the document that it stands in. */
export interface Located extends StoredObject {
  readonly document: ParsedDocument;
}

export interface LocatedListing extends Listing {
  readonly objects: readonly Located[];
}

/** Everything in the sources that has a kind and a name. @throws StoreError STORE_UNREADABLE */
export function listingOf(sources: readonly Source[]): LocatedListing {
  const documents = documentsOf(sources.map((source) => new SourceText(source)));
  for (const { source, problems } of documents) {
    const [problem] = problems;
    if (problem === undefined) continue;
    const { line, column } = source.positionOf(problem.offset);
    const message = `${source.file}:${line}:${column}: ${problem.message}; repair or remove the file, nothing was changed`;
    throw new StoreError("STORE_UNREADABLE", message);
  }
  const objects = locateAll(documents);
  const revision = hash(objects.map((object) => `${keyText(object)} ${object.revision}`).join("\n"));
  return { revision, objects, sources };
}

/** What has a kind and a name in the sources, as far as they can be read: for texts that are validated besides. */
export function objectsIn(sources: readonly Source[]): Located[] {
  return locateAll(documentsOf(sources.map((source) => new SourceText(source))));
}

/** The sources without these of their objects; lines keep their numbers wherever an object is a whole document. */
export function withoutObjects(sources: readonly Source[], keys: readonly ObjectKey[]): Source[] {
  const gone = new Set(keys.map(keyText));
  const leaving = new Map<string, Located[]>();
  for (const object of listingOf(sources).objects) {
    if (!gone.has(keyText(object))) continue;
    const list = leaving.get(object.origin.file);
    if (list === undefined) leaving.set(object.origin.file, [object]);
    else list.push(object);
  }
  return sources.flatMap(({ file, text }) => {
    const own = leaving.get(file);
    if (own === undefined) return [{ file, text }];
    const items = own.filter(({ origin }) => origin.path.length > 0);
    const edits = items.map(({ document, origin }) => ({ document, base: origin.path, value: undefined }));
    const edited = items.length === 0 ? text : editText(file, text, edits);
    if (edited === undefined) return [];
    // Taking items out moves what follows in this file; the ranges of whole documents must be those of the new text.
    const wholes = (items.length === 0 ? own : listingOf([{ file, text: edited }]).objects).filter(
      (object) => object.origin.path.length === 0 && gone.has(keyText(object)),
    );
    const blanks = wholes.map(({ document: { range } }) => ({ range, text: blanked(edited.slice(...range)) }));
    return [{ file, text: spliced(edited, blanks) }];
  });
}

/** Only the marker and the line breaks of a document. */
function blanked(chunk: string): string {
  const blank = chunk.replace(/[^\n]/g, " ");
  return chunk.startsWith("---") ? `---${blank.slice(3)}` : blank;
}

/** What kind, namespace and name a manifest has. @throws StoreError STORE_INVALID_OBJECT */
export function keyOf(manifest: PlainMap): ObjectKey {
  const text = new SourceText({ file: "", text: "" });
  const document = {
    source: text,
    index: 0,
    value: manifest,
    problems: [],
    range: [0, 0],
    tree: () => undefined,
  } as const;
  const [identity, ...more] = identitiesOf([document]);
  if (identity === undefined || more.length > 0 || identity.base.length > 0) {
    throw new StoreError("STORE_INVALID_OBJECT", "an object needs a known kind and metadata.name");
  }
  const { kind, namespace, name } = identity;
  return { kind, namespace, name };
}

/** Revision of a manifest: its content, whatever the order of its keys. */
export function revisionOf(manifest: PlainMap): string {
  return hash(canonical(manifest));
}

function locateAll(documents: readonly ParsedDocument[]): Located[] {
  return identitiesOf(documents).map(({ kind, namespace, name, document, base, value }) => {
    const origin = { file: document.source.file, document: document.index, path: base };
    return { kind, namespace, name, manifest: value, revision: revisionOf(value), origin, document };
  });
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === "object" && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  );
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
