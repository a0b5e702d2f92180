// Collects findings while a stream is loaded. Places are paths; they become lines and columns only at the end, and only if
// there is something to report, because that means parsing again.

import type { Code } from "./codes.ts";
import { type Diagnostic, formatPath, type Path, severityOf } from "./diagnostic.ts";
import type { ParsedDocument } from "./stream/documents.ts";
import { Locator, type Target } from "./stream/locate.ts";
import type { SourceText } from "./stream/source-text.ts";

/** Comparing a word with thousands of names takes a while; nobody reads the hints of more findings than this. */
const MAX_GUESSES = 200;

/** A field of an object in a document. `path` counts from the document's root. */
export interface Place {
  readonly document: ParsedDocument;
  readonly path: Path;
  readonly target?: Target;
}

/** The object that a finding is about, as far as it is known. */
export interface Subject {
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
}

export interface Finding {
  readonly code: Code;
  readonly at: Place;
  readonly subject?: Subject;
  /** Field path as shown: from the object's root. */
  readonly path?: Path;
  readonly value?: unknown;
  readonly message: string;
  /** What to do about it; a function where finding that out is work. */
  readonly hint?: string | (() => string | undefined) | undefined;
  /** The other party of a conflict: shown in the hint with its place. */
  readonly other?: { readonly at: Place; readonly what: string };
}

export class Report {
  readonly #findings: Finding[] = [];
  readonly #texts: { document: ParsedDocument; code: Code; offset: number; message: string; hint?: string }[] = [];
  #errors = 0;

  /** Findings so far. */
  get size(): number {
    return this.#findings.length + this.#texts.length;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  add(finding: Finding): void {
    this.#findings.push(finding);
    this.#count(finding.code);
  }

  /** Findings that the parser made; they know their offset. */
  addProblems(document: ParsedDocument): void {
    for (const problem of document.problems) {
      this.#texts.push({ document, ...problem });
      this.#count(problem.code);
    }
  }

  /** All findings with positions, in the order of the sources and of their text. */
  diagnostics(sources: readonly SourceText[]): Diagnostic[] {
    const locator = new Locator();
    const order = new Map(sources.map((source, index) => [source, index]));
    const indexOf = ({ source }: Placed) => order.get(source) ?? 0;
    const placed: Placed[] = this.#findings.map((finding) => {
      const { at } = finding;
      return { source: at.document.source, offset: offsetOf(at, locator), finding };
    });
    const texts: Placed[] = this.#texts.map(({ document: { source }, offset, ...finding }) => ({
      source,
      offset,
      finding,
    }));
    let guesses = 0;
    const hintOf = ({ hint, other }: Placed["finding"]): string | undefined => {
      const there = other && `${other.what} at ${positionText(other.at, locator)}`;
      const what = typeof hint !== "function" ? hint : guesses++ < MAX_GUESSES ? hint() : undefined;
      return there === undefined || what === undefined ? (there ?? what) : `${there}; ${what}`;
    };
    // Sorting is stable: findings at one place stay in the order in which the rules made them.
    return [...texts, ...placed]
      .sort((a, b) => indexOf(a) - indexOf(b) || a.offset - b.offset)
      .map(({ source, offset, finding }) => {
        const { code, subject, path, value, message } = finding;
        const hint = hintOf(finding);
        return {
          code,
          severity: severityOf(code),
          file: source.file,
          ...source.positionOf(offset),
          ...(subject?.kind === undefined ? {} : { kind: subject.kind }),
          ...(subject?.name === undefined ? {} : { name: subject.name }),
          ...(path === undefined || path.length === 0 ? {} : { path: formatPath(path) }),
          ...(value === undefined ? {} : { value }),
          message,
          ...(hint === undefined ? {} : { hint }),
        };
      });
  }

  #count(code: Code): void {
    if (severityOf(code) === "error") this.#errors++;
  }
}

/** A finding with its offset in the source. */
interface Placed {
  readonly source: SourceText;
  readonly offset: number;
  readonly finding: Omit<Finding, "at">;
}

function offsetOf({ document, path, target }: Place, locator: Locator): number {
  return locator.offsetOf(document, path, target ?? "value");
}

function positionText(place: Place, locator: Locator): string {
  const { source } = place.document;
  const { line, column } = source.positionOf(offsetOf(place, locator));
  return `${source.file}:${line}:${column}`;
}
