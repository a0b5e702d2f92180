// Collects findings while a stream is loaded. Places are paths; they become lines and columns only at the end, and only if
// there is something to report, because that means parsing again.

import type { Code } from "./codes.ts";
import { type Diagnostic, formatPath, type Path, severityOf } from "./diagnostic.ts";
import type { ParsedDocument } from "./stream/documents.ts";
import { Locator, type Target } from "./stream/locate.ts";

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
  readonly hint?: string | undefined;
  /** The other party of a conflict: shown in the hint with its place. */
  readonly other?: { readonly at: Place; readonly what: string };
}

export class Report {
  readonly #findings: Finding[] = [];
  readonly #texts: { document: ParsedDocument; code: Code; offset: number; message: string; hint?: string }[] = [];
  #errors = 0;

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

  /** All findings with positions, in source order. */
  diagnostics(): Diagnostic[] {
    const locator = new Locator();
    const offsetOf = ({ document, path, target }: Place) => locator.offsetOf(document, path, target ?? "value");
    const placed = this.#findings.map((finding) => {
      const { source } = finding.at.document;
      const offset = offsetOf(finding.at);
      const { other } = finding;
      const there = other && `${other.what} at ${positionText(other.at.document, offsetOf(other.at))}`;
      const hint = [there, finding.hint].filter((part) => part !== undefined).join("; ");
      return {
        order: source.index,
        offset,
        diagnostic: {
          code: finding.code,
          severity: severityOf(finding.code),
          file: source.file,
          ...source.positionOf(offset),
          ...(finding.subject?.kind === undefined ? {} : { kind: finding.subject.kind }),
          ...(finding.subject?.name === undefined ? {} : { name: finding.subject.name }),
          ...(finding.path === undefined || finding.path.length === 0 ? {} : { path: formatPath(finding.path) }),
          ...(finding.value === undefined ? {} : { value: finding.value }),
          message: finding.message,
          ...(hint === "" ? {} : { hint }),
        },
      };
    });
    const texts = this.#texts.map(({ document: { source }, code, offset, message, hint }) => ({
      order: source.index,
      offset,
      diagnostic: {
        code,
        severity: severityOf(code),
        file: source.file,
        ...source.positionOf(offset),
        message,
        ...(hint === undefined ? {} : { hint }),
      },
    }));
    // Sorting is stable: findings at one place stay in the order in which the rules made them.
    return [...texts, ...placed]
      .sort((a, b) => a.order - b.order || a.offset - b.offset)
      .map(({ diagnostic }) => diagnostic);
  }

  #count(code: Code): void {
    if (severityOf(code) === "error") this.#errors++;
  }
}

function positionText({ source }: ParsedDocument, offset: number): string {
  const { line, column } = source.positionOf(offset);
  return `${source.file}:${line}:${column}`;
}
