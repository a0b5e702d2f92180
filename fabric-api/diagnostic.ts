// What is wrong with a stream of manifests, as data, and how a terminal shows it.

import { CODES, type Code, type Severity } from "./codes.ts";

/** One text to load, as read from a file or from standard input. */
export interface Source {
  /** Shown in diagnostics; "-" is standard input. */
  readonly file: string;
  readonly text: string;
}

/** Steps from an object's root to a field: keys of mappings and indices of lists. */
export type Path = readonly (string | number)[];

/** One finding. Errors keep a fabric from being built, warnings do not. */
export interface Diagnostic {
  readonly code: Code;
  readonly severity: Severity;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units of the line. */
  readonly column: number;
  readonly kind?: string;
  readonly name?: string;
  /** Field path inside the object: spec.peering.vpc-1.expose[0].ips[1].cidr */
  readonly path?: string;
  /** The offending value as written. */
  readonly value?: unknown;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** Severity that the table gives a code. */
export function severityOf(code: Code): Severity {
  return CODES[code].severity;
}

/**
 * The finding as people read it: `file:line:column: error FG0201: …`, the source line, a caret below the place, the hint.
 * Does not end with a line break.
 */
export function formatDiagnostic(diagnostic: Diagnostic, sources: readonly Source[]): string {
  const { file, line, column, severity, code, message, hint } = diagnostic;
  const lines = [`${file}:${line}:${column}: ${severity} ${code}: ${subject(diagnostic)}${message}`];
  const text = sources.find((source) => source.file === file)?.text;
  const written = text === undefined ? undefined : lineOf(text, line);
  if (written !== undefined) {
    const { shown, caret } = window(written, column - 1);
    const gutter = String(line);
    lines.push(`  ${gutter} | ${shown}`, `  ${" ".repeat(gutter.length)} | ${caret}^`);
  }
  if (hint !== undefined) lines.push(`  hint: ${hint}`);
  return lines.join("\n");
}

/** The path as text; keys that are not plain words are quoted in brackets. */
export function formatPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

function subject({ kind, name, path }: Diagnostic): string {
  const object = kind === undefined ? "" : `${kind} ${name ?? "(unnamed)"}`;
  if (path === undefined || path === "") return object === "" ? "" : `${object}: `;
  return object === "" ? `${path}: ` : `${object}: ${path}: `;
}

function lineOf(text: string, line: number): string | undefined {
  let start = 0;
  for (let i = 1; i < line; i++) {
    const end = text.indexOf("\n", start);
    if (end < 0) return undefined;
    start = end + 1;
  }
  const end = text.indexOf("\n", start);
  return text.slice(start, end < 0 ? text.length : end).replace(/\r$/, "");
}

const SHOWN_COLUMNS = 160;

/** The part of a long line around the caret; tabs and control characters become one blank each, so that the caret fits. */
function window(line: string, at: number): { shown: string; caret: string } {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must not reach the terminal
  const plain = line.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  const start = plain.length <= SHOWN_COLUMNS ? 0 : Math.max(0, Math.min(at - 60, plain.length - SHOWN_COLUMNS));
  const shown = plain.slice(start, start + SHOWN_COLUMNS);
  return { shown, caret: " ".repeat(Math.max(0, at - start)) };
}
