// Reads a YAML file against a zod schema. Every complaint names file:line:column, the field's path and the rule.
// Used for topologies and scenarios.
import { readFileSync } from "node:fs";
import type { Document } from "yaml";
import { isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { LabError } from "./errors.ts";

/** A parsed file: its value, and where its parts are. */
export interface PositionedYaml<T> {
  readonly value: T;
  /** "file:line:column" of the node at this path, or of its nearest parent that exists. */
  at(path: readonly PropertyKey[]): string;
}

/** Throws ERR_LAB_INVALID with one line per problem; ERR_LAB_USAGE if the file cannot be read. */
export function readYaml<T>(file: string, schema: z.ZodType<T>): PositionedYaml<T> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new LabError("ERR_LAB_USAGE", `${file}: cannot be read`, error);
  }
  return parseYaml(text, file, schema);
}

/** As readYaml, from a text; `file` is only used in messages. */
export function parseYaml<T>(text: string, file: string, schema: z.ZodType<T>): PositionedYaml<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    throw invalid(document.errors.map((error) => `${position(error.pos[0])}: ${error.message}`));
  }
  const at = (path: readonly PropertyKey[]) => position(offsetOf(document, path));
  const parsed = schema.safeParse(document.toJS());
  if (parsed.success) return { value: parsed.data, at };
  const problems: string[] = [];
  for (const issue of parsed.error.issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        problems.push(`${position(keyOffset(document, issue.path, key))}: ${dotted(path)}: not supported here`);
      }
    } else {
      problems.push(`${at(issue.path)}: ${dotted(issue.path)}: ${issue.message}`);
    }
  }
  throw invalid(problems);
}

function invalid(problems: readonly string[]): LabError {
  return new LabError("ERR_LAB_INVALID", problems.join("\n"));
}

function dotted(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) text += typeof part === "number" ? `[${part}]` : `${text === "" ? "" : "."}${String(part)}`;
  return text === "" ? "(document)" : text;
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function keyOffset(document: Document.Parsed, parent: readonly PropertyKey[], key: string): number {
  const map = parent.length === 0 ? document.contents : document.getIn(parent, true);
  if (isMap(map)) {
    for (const pair of map.items) {
      if (isScalar(pair.key) && String(pair.key.value) === key && pair.key.range) return pair.key.range[0];
    }
  }
  return offsetOf(document, parent);
}
