// Runs a schema and turns what it finds into findings in the words of this API.

import type { z } from "zod";
import type { Code } from "../codes.ts";
import type { Path } from "../diagnostic.ts";
import { didYouMean, nearest } from "../suggest.ts";
import { elementOf, shapeOf } from "./walk.ts";

/** What a schema found at a path of the value. */
export interface SchemaFinding {
  readonly code: Code;
  readonly path: Path;
  /** The finding is about the key at the path's end, not about its value. */
  readonly atKey: boolean;
  readonly value?: unknown;
  readonly message: string;
  readonly hint?: string | undefined;
}

export type Checked<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly found: SchemaFinding[] };

/** The value with defaults filled in, or everything that is structurally wrong with it. */
export function check<S extends z.ZodType>(schema: S, value: unknown): Checked<z.output<S>> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, data: result.data };
  return { ok: false, found: result.error.issues.flatMap((issue) => describe(issue, schema, value)) };
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, root: unknown): SchemaFinding[] {
  const path = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
  const value = valueAt(root, path);
  const found = (code: Code, message: string, hint?: string): SchemaFinding[] => [
    { code, path, atKey: false, value, message, hint },
  ];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        code: "FG0201",
        path: [...path, key],
        atKey: true,
        message: `unknown field ${JSON.stringify(key)}`,
        hint: didYouMean(key, fieldsAt(schema, path)),
      }));
    case "invalid_key": {
      const message = issue.issues.map((inner) => inner.message).join("; ");
      return [{ code: "FG0204", path, atKey: true, value: path.at(-1), message: `the name ${message}` }];
    }
    case "invalid_type":
      return [wrongType(issue.expected, path, value)];
    case "too_small":
    case "too_big":
      return found("FG0205", rangeMessage(issue));
    case "invalid_value": {
      if (value === undefined) return [wrongType("string", path, value)];
      const known = issue.values.map((one) => (one === "" ? '""' : String(one)));
      const message = `must be ${known.length > 1 ? "one of " : ""}${known.join(", ")}, not ${shown(value)}`;
      const near = typeof value === "string" ? nearest(value, known) : undefined;
      return found("FG0206", message, near === undefined ? undefined : `did you mean ${near}?`);
    }
    default:
      return found("FG0204", `${issue.message}, not ${shown(value)}`);
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  int: "a whole number",
  number: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function wrongType(expected: string, path: Path, value: unknown): SchemaFinding {
  const wanted = TYPE_NAMES[expected] ?? expected;
  if (value === undefined) {
    return { code: "FG0202", path, atKey: false, message: `is required (${wanted})` };
  }
  if (value === null) {
    const hint = "give it a value or remove the field";
    return { code: "FG0203", path, atKey: true, value, message: `has no value; must be ${wanted}`, hint };
  }
  const message = `must be ${wanted}, not ${shown(value)}`;
  if (expected === "string" && (typeof value === "number" || typeof value === "boolean")) {
    return { code: "FG0207", path, atKey: false, value, message, hint: `quote it: "${String(value)}"` };
  }
  const unquote = wanted === "a whole number" && typeof value === "string" && /^\d+$/.test(value);
  return {
    code: "FG0203",
    path,
    atKey: false,
    value,
    message,
    ...(unquote ? { hint: `remove the quotes: ${value}` } : {}),
  };
}

function rangeMessage(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const unit = issue.origin === "string" ? " characters" : issue.origin === "array" ? " entries" : "";
  if (issue.code === "too_small") {
    return issue.origin === "array" && issue.minimum === 1
      ? "needs at least one entry"
      : `must be at least ${issue.minimum}${unit}`;
  }
  return `must be at most ${issue.maximum}${unit}`;
}

const SHOWN_CHARACTERS = 80;

/** A value in a message: what kind of thing it is, cut to a readable length. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "string") {
    return JSON.stringify(value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value);
  }
  return `the ${typeof value} ${String(value)}`;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** Names of the fields that the schema knows at a path. */
function fieldsAt(schema: z.core.$ZodType, path: Path): string[] {
  let at: z.core.$ZodType | undefined = schema;
  for (const step of path) {
    if (at === undefined) return [];
    at = shapeOf(at)?.[String(step)] ?? elementOf(at);
  }
  return Object.keys((at && shapeOf(at)) ?? {});
}
