// Changes objects inside a text that somebody wrote by hand. Other documents stay byte for byte. In the document that is
// changed, values that differ are replaced where they stand if that is all; otherwise the document is written anew from its
// tree, which keeps comments, blank lines and the order of keys. What was edited is read again before it is believed.

import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parse,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import type { Path } from "../diagnostic.ts";
import type { ParsedDocument } from "../stream/documents.ts";
import type { PlainMap } from "../stream/plain.ts";
import { StoreError } from "./store.ts";

/** A new value for the object at `base` of a document; undefined takes it out. */
export interface Edit {
  readonly document: ParsedDocument;
  readonly base: Path;
  readonly value: PlainMap | undefined;
}

/**
 * The text with all edits made, or undefined if nothing but markers and blanks is left of it.
 * @throws StoreError STORE_NOT_EDITABLE where it cannot be done without loss
 */
export function editText(file: string, text: string, edits: readonly Edit[]): string | undefined {
  const byDocument = new Map<ParsedDocument, Edit[]>();
  for (const edit of edits) {
    const list = byDocument.get(edit.document);
    if (list === undefined) byDocument.set(edit.document, [edit]);
    else list.push(edit);
  }
  const changes = [...byDocument].map(([{ range }, own]) => ({
    range,
    text: editChunk(file, text.slice(...range), own),
  }));
  const result = spliced(text, changes);
  return /^(?:\s|---(?=\s|$)|\.\.\.(?=\s|$)|\uFEFF)*$/.test(result) ? undefined : result;
}

/** The text with disjoint stretches of it replaced. */
export function spliced(
  text: string,
  changes: readonly { readonly range: readonly [number, number]; readonly text: string }[],
): string {
  const parts: string[] = [];
  let from = 0;
  for (const { range, text: replacement } of [...changes].sort((a, b) => a.range[0] - b.range[0])) {
    parts.push(text.slice(from, range[0]), replacement);
    from = range[1];
  }
  parts.push(text.slice(from));
  return parts.join("");
}

function editChunk(file: string, chunk: string, given: readonly Edit[]): string {
  const edits = given.map((edit) => withoutInherited(chunk, edit));
  const [whole] = edits.filter(({ base }) => base.length === 0);
  if (whole?.value === undefined && whole !== undefined) return detachedComments(chunk);
  if (file.endsWith(".json")) return editJson(chunk, edits);
  const patched = patchScalars(chunk, edits);
  const wanted = wantedValue(chunk, edits);
  if (patched !== undefined && isDeepStrictEqual(parse(patched), wanted)) return patched;
  // The author's style first; where comments and empty collections meet, the library cannot read what it wrote in it.
  const reprinted = reprint(chunk, edits, wanted, styleOf(chunk)) ?? reprint(chunk, edits, wanted, {});
  if (reprinted !== undefined) return reprinted;
  const message = `${file}: cannot be changed without losing something of it (anchors or directives); edit it by hand`;
  throw new StoreError("STORE_NOT_EDITABLE", message);
}

/** The document printed from its changed tree, or undefined if that does not say what is wanted. */
function reprint(
  chunk: string,
  edits: readonly Edit[],
  wanted: unknown,
  style: Partial<ReturnType<typeof styleOf>>,
): string | undefined {
  try {
    const document = parseDocument(chunk, { logLevel: "silent" });
    for (const { base, value } of lastFirst(edits)) {
      if (value === undefined) document.deleteIn(base);
      else if (base.length === 0)
        document.contents = merged(document, document.contents, value) as typeof document.contents;
      else document.setIn(base, merged(document, document.getIn(base, true), value));
    }
    const after = document.toString({ lineWidth: 0, ...style });
    return isDeepStrictEqual(parse(after), wanted) ? after : undefined;
  } catch {
    // The library refuses what it cannot express, such as an alias whose anchor went.
    return undefined;
  }
}

/** The apiVersion that a list's item has from the list stays there. */
function withoutInherited(chunk: string, edit: Edit): Edit {
  const { base, value } = edit;
  if (base.length === 0 || value === undefined) return edit;
  const root: unknown = parse(chunk);
  const own = valueAt(root, base) as PlainMap | undefined;
  if (own === undefined || Object.hasOwn(own, "apiVersion")) return edit;
  if (valueAt(root, ["apiVersion"]) !== value.apiVersion) return edit;
  const { apiVersion: _, ...rest } = value;
  return { ...edit, value: rest };
}

/** Items with a larger index go first: taking one out moves those behind it. */
function lastFirst(edits: readonly Edit[]): Edit[] {
  return [...edits].sort((a, b) => Number(b.base.at(-1) ?? 0) - Number(a.base.at(-1) ?? 0));
}

function wantedValue(chunk: string, edits: readonly Edit[]): unknown {
  const root: unknown = parse(chunk);
  let result = root;
  for (const { base, value } of lastFirst(edits)) {
    const list = base.length === 0 ? undefined : (valueAt(root, base.slice(0, -1)) as unknown[]);
    if (list === undefined) result = value;
    else if (value === undefined) list.splice(Number(base.at(-1)), 1);
    else list[Number(base.at(-1))] = value;
  }
  return result;
}

function editJson(chunk: string, edits: readonly Edit[]): string {
  const indent = /^[[{]\n([ \t]+)/.exec(chunk.trimStart())?.[1] ?? 2;
  return `${JSON.stringify(wantedValue(chunk, edits), null, indent)}\n`;
}

/** What stays of a document whose object goes: comments that an empty line keeps apart from it. */
function detachedComments(chunk: string): string {
  const body = chunk.replace(/^---[^\n]*(?:\n|$)/, "");
  const lines = body.split("\n");
  const isComment = (line: string | undefined) => line !== undefined && /^\s*(?:#.*)?$/.test(line);
  let first = 0;
  while (first < lines.length && isComment(lines[first])) first++;
  let last = lines.length;
  while (last > first && isComment(lines[last - 1])) last--;
  const head = lines.slice(0, first);
  while (head.length > 0 && head.at(-1)?.trim() !== "") head.pop();
  const tail = lines.slice(last);
  while (tail.length > 0 && tail[0]?.trim() !== "") tail.shift();
  const kept = [head, tail].map((part) => part.join("\n").trim()).filter((part) => part !== "");
  return kept.length === 0 ? "" : `${kept.join("\n\n")}\n\n`;
}

/** The chunk with only scalars replaced in place, or undefined if more than that differs. */
function patchScalars(chunk: string, edits: readonly Edit[]): string | undefined {
  const document = parseDocument(chunk, { logLevel: "silent" });
  const patches: Patch[] = [];
  for (const { base, value } of edits) {
    if (value === undefined) return undefined;
    const node = base.length === 0 ? document.contents : document.getIn(base, true);
    if (!collect(node, value, patches)) return undefined;
  }
  return spliced(chunk, patches);
}

interface Patch {
  readonly range: readonly [number, number];
  readonly text: string;
}

function collect(node: unknown, value: unknown, patches: Patch[]): boolean {
  if (isMap(node)) {
    if (!isPlainMap(value) || node.items.length !== Object.keys(value).length) return false;
    return node.items.every((pair) => {
      const key = keyOf(pair);
      return key !== undefined && Object.hasOwn(value, key) && collect(pair.value, value[key], patches);
    });
  }
  if (isSeq(node)) {
    if (!Array.isArray(value) || node.items.length !== value.length) return false;
    return node.items.every((item, index) => collect(item, value[index], patches));
  }
  if (!isScalar(node)) return false;
  if (node.value === value) return true;
  const text = scalarText(node, value);
  if (text === undefined || !node.range || node.anchor !== undefined || node.tag !== undefined) return false;
  patches.push({ range: [node.range[0], node.range[1]], text });
  return true;
}

/** A value as text in the style of the scalar that it replaces. */
function scalarText(node: Scalar, value: unknown): string | undefined {
  if ((node.source ?? "") === "" && node.type === "PLAIN") return undefined;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string" || node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED") return undefined;
  if (node.type === "QUOTE_SINGLE" && !/[\n']/.test(value)) return `'${value}'`;
  const isPlain = node.type === "PLAIN" && /^[A-Za-z0-9][A-Za-z0-9_./:-]*$/.test(value) && parse(value) === value;
  return isPlain ? value : JSON.stringify(value);
}

/** The node changed to hold `value`; what is equal stays as it is written, with its comments. */
function merged(document: Document, node: unknown, value: unknown): unknown {
  if (isAlias(node)) {
    return isDeepStrictEqual(node.toJS(document), value) ? node : document.createNode(value);
  }
  if (isMap(node) && isPlainMap(value)) return mergedMap(document, node, value);
  if (isSeq(node) && Array.isArray(value)) return mergedSeq(document, node, value);
  if (isScalar(node) && (typeof value !== "object" || value === null)) {
    if (node.value === value) return node;
    node.value = value;
    delete node.source;
    if (typeof value !== "string") delete node.type;
    return node;
  }
  const fresh = document.createNode(value) as Node;
  if (node !== null && node !== undefined && !isMap(node) && !isSeq(node)) copyComments(node as Node, fresh);
  return fresh;
}

function mergedMap(document: Document, map: YAMLMap, value: PlainMap): YAMLMap {
  map.items = map.items.filter((pair) => {
    const key = keyOf(pair);
    return key !== undefined && Object.hasOwn(value, key);
  });
  for (const [key, field] of Object.entries(value)) {
    const pair = map.items.find((candidate) => keyOf(candidate) === key);
    if (pair === undefined) map.items.push(document.createPair(key, field));
    else pair.value = merged(document, pair.value, field);
  }
  return map;
}

/** Items that are equal keep their nodes, wherever they move; the others take what is left in order. */
function mergedSeq(document: Document, seq: YAMLSeq, value: readonly unknown[]): YAMLSeq {
  const left: unknown[] = [...seq.items];
  const take = (index: number) => left.splice(index, 1)[0];
  const kept = value.map((item) => {
    const index = left.findIndex((node) => isDeepStrictEqual((node as Node | null)?.toJS(document) ?? null, item));
    return index < 0 ? undefined : take(index);
  });
  seq.items = value.map((item, index) => {
    const node = kept[index] ?? (left.length > 0 ? take(0) : undefined);
    return node === undefined ? document.createNode(item) : merged(document, node, item);
  });
  return seq;
}

function copyComments(from: Node, to: Node): void {
  if (from.commentBefore) to.commentBefore = from.commentBefore;
  if (from.comment) to.comment = from.comment;
  if (from.spaceBefore) to.spaceBefore = true;
}

/** How the author indents lists and pads braces. */
function styleOf(chunk: string): { indentSeq: boolean; flowCollectionPadding: boolean; indent: number } {
  const indent = /^[^\s#-][^\n]*:[ \t]*\n(?:[ \t]*#[^\n]*\n)*( +)[^\s#-]/m.exec(chunk)?.[1]?.length ?? 2;
  return {
    indent,
    indentSeq: !/^( *)[^\s#-][^\n]*:[ \t]*\n(?:[ \t]*#[^\n]*\n)*\1- /m.test(chunk),
    flowCollectionPadding: !/[{[][^\s}\]]/.test(chunk),
  };
}

function keyOf(pair: Pair): string | undefined {
  return isScalar(pair.key) && typeof pair.key.value === "string" ? pair.key.value : undefined;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => (value as PlainMap | undefined)?.[step], root);
}

function isPlainMap(value: unknown): value is PlainMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
