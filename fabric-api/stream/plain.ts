// From the tree of a parsed YAML document to plain values. Stricter than the library's own conversion: a key twice, a key
// that is not text, and aliases that multiply are findings with a place.

import { type Document, isAlias, isMap, isScalar, isSeq, type Node } from "yaml";
import type { Code } from "../codes.ts";
import { MAX_ALIASED_NODES, MAX_DEPTH } from "./limits.ts";

/** Something wrong at an offset of the document's text. */
export interface TextProblem {
  readonly code: Code;
  readonly offset: number;
  readonly message: string;
  readonly hint?: string;
}

export type PlainMap = Record<string, unknown>;

/** The document's value; problems are pushed, and what is wrong is left out of the value. */
export function toPlain(document: Document.Parsed, problems: TextProblem[]): unknown {
  let aliased = 0;

  function convert(node: unknown, depth: number, alias: number | undefined): unknown {
    const offset = alias ?? offsetOf(node);
    if (depth > MAX_DEPTH) {
      problems.push({ code: "FG0104", offset, message: `nested deeper than ${MAX_DEPTH} levels` });
      return undefined;
    }
    if (alias !== undefined && ++aliased > MAX_ALIASED_NODES) {
      if (aliased === MAX_ALIASED_NODES + 1) {
        const message = `aliases add more than ${MAX_ALIASED_NODES} values to this document`;
        problems.push({ code: "FG0104", offset, message });
      }
      return undefined;
    }
    if (isScalar(node)) return node.value;
    if (isAlias(node)) return convert(node.resolve(document), depth + 1, offset);
    if (isSeq(node)) {
      const list: unknown[] = [];
      for (const item of node.items) {
        list.push(convert(item, depth + 1, alias));
        if (aliased > MAX_ALIASED_NODES) break;
      }
      return list;
    }
    if (!isMap(node)) return null;
    const map: PlainMap = {};
    for (const pair of node.items) {
      if (aliased > MAX_ALIASED_NODES) break;
      const key = keyOf(pair.key, alias);
      if (key === undefined) continue;
      if (Object.hasOwn(map, key)) {
        const message = `key ${JSON.stringify(key)} is here twice`;
        problems.push({ code: "FG0102", offset: alias ?? offsetOf(pair.key), message, hint: "remove one of them" });
        continue;
      }
      map[key] = convert(pair.value, depth + 1, alias);
    }
    return map;
  }

  function keyOf(key: unknown, alias: number | undefined): string | undefined {
    const value = isScalar(key) ? key.value : undefined;
    // A key __proto__ would not become a key of the plain object, and no field or name can be called so.
    if (typeof value === "string" && value !== "__proto__") return value;
    const message = value === undefined ? "a key must be plain text" : `key ${String(value)} must be text`;
    const quotable = typeof value === "number" || typeof value === "boolean";
    const hint = quotable ? { hint: `write "${String(value)}"` } : {};
    problems.push({ code: "FG0103", offset: alias ?? offsetOf(key), message, ...hint });
    return undefined;
  }

  return convert(document.contents, 0, undefined);
}

/** Where a node begins in the text it was parsed from; 0 for what is not there. */
export function offsetOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0;
}
