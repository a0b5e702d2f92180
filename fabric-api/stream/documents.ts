// A source as a sequence of YAML documents. Each is parsed by itself, so that a broken one does not hide what is wrong in
// the others, and its tree with positions is kept only while diagnostics are made.

import { type Document, type ParsedNode, parseAllDocuments } from "yaml";
import { findExcess, type TokenBudget } from "./limits.ts";
import { type TextProblem, toPlain } from "./plain.ts";
import { readSimpleYaml } from "./simple-yaml.ts";
import type { SourceText } from "./source-text.ts";

/** One document of a source, as plain values. Offsets in `problems` count from the source's start. */
export interface ParsedDocument {
  readonly source: SourceText;
  /** Index among the source's documents, empty ones included. */
  readonly index: number;
  readonly value: unknown;
  readonly problems: readonly TextProblem[];
  /** Start and end in the source of the text between document markers; documents after YAML directives share one. */
  readonly range: readonly [number, number];
  /** Parses again for positions. */
  readonly tree: () => DocumentTree | undefined;
}

/** A document's nodes; `offset` is added to their ranges to get offsets in the source. */
export interface DocumentTree {
  readonly document: Document.Parsed;
  readonly offset: number;
}

/** All documents of a source; empty ones have the value null. */
export function parseDocuments(source: SourceText, budget: TokenBudget): ParsedDocument[] {
  const result: ParsedDocument[] = [];
  for (const { text, offset } of chunksOf(source.text)) {
    const range = [offset, offset + text.length] as const;
    const simple = readSimpleYaml(text);
    if (simple !== undefined) {
      const tree = () => treeOf(text, 0, offset);
      result.push({ source, index: result.length, value: simple.value, problems: [], range, tree });
      continue;
    }
    const excess = findExcess(text, budget);
    if (excess !== undefined) {
      const problem: TextProblem = { code: "FG0104", offset: offset + excess.offset, message: excess.message };
      result.push({
        source,
        index: result.length,
        value: undefined,
        problems: [problem],
        range,
        tree: () => undefined,
      });
      continue;
    }
    parseTrees(text).forEach((document, nth) => {
      const problems = syntaxProblems(document);
      const read = problems.length > 0 ? undefined : toPlain(document, problems);
      // What breaks a limit was not read whole: nothing further is said about it.
      const value = problems.some(({ code }) => code === "FG0104") ? undefined : read;
      result.push({
        source,
        index: result.length,
        value,
        problems: problems.map((problem) => ({ ...problem, offset: problem.offset + offset })),
        range,
        tree: () => treeOf(text, nth, offset),
      });
    });
  }
  return result;
}

function treeOf(text: string, nth: number, offset: number): DocumentTree | undefined {
  const document = parseTrees(text)[nth];
  return document === undefined ? undefined : { document, offset };
}

interface Chunk {
  readonly text: string;
  readonly offset: number;
}

/**
 * Cuts at document markers. A line that begins with `---` or `...` is one wherever it stands (YAML 1.2.2, 9.1.2: it may not
 * occur inside any scalar), so this needs no parser. Directives (`%`) belong to the marker after them: such a source is left whole.
 */
function chunksOf(whole: string): Chunk[] {
  const from = whole.startsWith("\uFEFF") ? 1 : 0;
  if (/^%/m.test(whole)) return [{ text: whole.slice(from), offset: from }];
  const chunks: Chunk[] = [];
  let start = from;
  const add = (end: number) => {
    if (end > start) chunks.push({ text: whole.slice(start, end), offset: start });
  };
  for (const match of whole.matchAll(/^(?:---|\.\.\.)(?=\s|$)/gm)) {
    add(match.index);
    start = match[0] === "---" ? match.index : match.index + match[0].length;
  }
  add(whole.length);
  return chunks;
}

function parseTrees(text: string): Document.Parsed<ParsedNode>[] {
  // Duplicate keys are found in toPlain: the library compares every pair of keys, which is quadratic.
  const documents = parseAllDocuments(text, { uniqueKeys: false, prettyErrors: false, logLevel: "silent" });
  return "empty" in documents ? [] : documents;
}

/** What the parser could not read, and tags that it does not know. */
function syntaxProblems(document: Document.Parsed): TextProblem[] {
  return [...document.errors, ...document.warnings].map((error) => ({
    code: "FG0101" as const,
    offset: error.pos[0],
    message: firstLine(error.message),
    ...syntaxHint(error.code),
  }));
}

function syntaxHint(code: string): { hint?: string } {
  if (code === "TAB_AS_INDENT") return { hint: "indent with spaces, YAML allows no tabs there" };
  if (code === "BAD_INDENT") return { hint: "items of one mapping or list start in the same column" };
  return {};
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}
