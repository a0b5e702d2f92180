// From a field's path to its place in the text.

import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import type { Path } from "../diagnostic.ts";
import type { DocumentTree, ParsedDocument } from "./documents.ts";
import { offsetOf } from "./plain.ts";

/** Which end of `key: value` a finding points at. */
export type Target = "key" | "value";

/** Finds places in documents, parsing each again once at most. */
export class Locator {
  readonly #trees = new Map<ParsedDocument, DocumentTree | undefined>();

  /** Offset in the source of the field at `path`, or of the innermost thing around it that is there. */
  offsetOf(document: ParsedDocument, path: Path, target: Target): number {
    if (!this.#trees.has(document)) this.#trees.set(document, document.tree());
    const tree = this.#trees.get(document);
    return tree === undefined ? 0 : tree.offset + locate(tree.document, path, target);
  }
}

function locate(document: Document.Parsed, path: Path, target: Target): number {
  let node: unknown = document.contents;
  let place = offsetOf(node);
  path.forEach((step, depth) => {
    const found = child(resolved(node, document), step);
    if (found === undefined) {
      // Missing: the caller's place is the innermost mapping that is there.
      node = undefined;
      return;
    }
    node = found.value;
    const wantKey = depth === path.length - 1 && target === "key";
    place = found.key !== undefined && (wantKey || !startsOnItsOwn(node)) ? offsetOf(found.key) : offsetOf(node);
  });
  return place;
}

function resolved(node: unknown, document: Document.Parsed): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function child(node: unknown, step: string | number): { key?: unknown; value: unknown } | undefined {
  if (isSeq(node) && typeof step === "number") {
    return step < node.items.length ? { value: node.items[step] } : undefined;
  }
  if (!isMap(node)) return undefined;
  const pair = (node as YAMLMap).items.find(({ key }) => isScalar(key) && key.value === step);
  return pair === undefined ? undefined : { key: pair.key, value: pair.value };
}

/** A block collection begins with its first key or dash, which is not what a finding about the whole is about. */
function startsOnItsOwn(node: unknown): boolean {
  if (isScalar(node)) return node.value !== null || (node.source ?? "") !== "";
  if (isAlias(node)) return true;
  return (isMap(node) || isSeq(node)) && (node as Node & { flow?: boolean }).flow === true;
}
