// A fast reader for the plain block style that nearly all manifests are written in. It knows a subset of YAML and gives up at
// the first thing outside of it; the library then reads the document instead. Whatever it does read, it reads as the library
// does (a property test compares the two). It keeps no positions: those are needed only where there is a finding.
//
// The subset: mappings with unquoted word keys, sequences (also `- key: value`), one-line plain or quoted values without
// escapes, one-line flow collections, comments. Not in it: tabs, anchors, tags, block scalars, values over several lines,
// keys in quotes, numbers other than decimal integers, and everything erroneous.

import { MAX_DEPTH, MAX_SCALAR } from "./limits.ts";
import type { PlainMap } from "./plain.ts";

/** The value of a document that is within the subset, wrapped; undefined otherwise. */
export function readSimpleYaml(text: string): { readonly value: PlainMap } | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is not printable is for the library to refuse
  if (text.length > 0 && /[\u0000-\u0009\u000b-\u001f\u007f-\uffff]/.test(text)) return undefined;
  try {
    return { value: new Reader(text).document() };
  } catch (error) {
    if (error === NOT_SIMPLE) return undefined;
    throw error;
  }
}

/** Thrown once and caught above; no stack is needed. */
const NOT_SIMPLE = Symbol("not within the subset");

/** `key:` at the end of a line or before a blank. Begins with a letter, so it is no number. */
const KEY = /([A-Za-z_][A-Za-z0-9_./-]*):(?=[ \n]|$)/y;
/** A plain value in a block: no `: `, no ` #`, nothing special in front. */
const PLAIN = /[A-Za-z0-9_/](?:[A-Za-z0-9_./@+=,()<>*&!?-]|:(?=[^ \n])| (?=[A-Za-z0-9_./@+=(<-]))*/y;
/** The same inside brackets, where commas and brackets end it. */
const PLAIN_IN_FLOW = /[A-Za-z0-9_/](?:[A-Za-z0-9_./@+=()<>*&!?-]|:(?=[A-Za-z0-9_./@+=()<>*&!?:-]))*/y;
const QUOTED = /"([^"\\\n]*)"|'([^'\n]*)'/y;
const REST_OF_LINE = / *(?:(?<= )#[^\n]*)?(?:\n|$)/y;
const BLANK_LINES = /(?: *(?:#[^\n]*)?\n)*(?: *(?:#[^\n]*)?$)?/y;
const BLANKS = / */y;

const NEGATIVE = /-[1-9]\d{0,14}(?=[ ,}\]\n]|$)/y;
const INTEGER = /^(?:0|[1-9]\d{0,14})$/;
/** What the core schema may take for a number other than the integers above; giving up on more than that is harmless. */
const NUMBER_LIKE = /^[-+.]?\d(?:[\d_]*(?:\.[\d_]*)?(?:[eE][-+]?\d+)?|[xo][\da-fA-F]+)$/;
const WORDS = new Map<string, unknown>([
  ...["null", "Null", "NULL"].map((word) => [word, null] as const),
  ...["true", "True", "TRUE"].map((word) => [word, true] as const),
  ...["false", "False", "FALSE"].map((word) => [word, false] as const),
]);

class Reader {
  readonly #text: string;
  /** Start of the content that is read next. */
  #at = 0;
  /** Column of that content; -1 at the end. */
  #column = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): PlainMap {
    if (this.#text.startsWith("---")) {
      this.#at = 3;
      this.#match(REST_OF_LINE);
    }
    this.#nextLine();
    if (this.#column !== 0) throw NOT_SIMPLE;
    const value = this.#mapping(0, 1);
    if (this.#column >= 0) throw NOT_SIMPLE;
    return value;
  }

  /** Entries at `column`; the first one's key is next. */
  #mapping(column: number, depth: number): PlainMap {
    if (depth > MAX_DEPTH) throw NOT_SIMPLE;
    const map: PlainMap = {};
    while (this.#column === column && this.#text[this.#at] !== "-") {
      const key = this.#match(KEY)[1] ?? "";
      addEntry(map, key, this.#afterKey(column, depth));
    }
    return map;
  }

  /** The value of a key at `column`: on its line, or as a block below. */
  #afterKey(column: number, depth: number): unknown {
    this.#match(BLANKS);
    if (!this.#isLineEnd()) return this.#value(depth);
    this.#match(REST_OF_LINE);
    this.#nextLine();
    // A sequence may stand in the same column as the key that holds it.
    if (this.#column >= column && this.#isDash()) return this.#sequence(this.#column, depth + 1);
    return this.#column > column ? this.#mapping(this.#column, depth + 1) : null;
  }

  #sequence(column: number, depth: number): unknown[] {
    if (depth > MAX_DEPTH) throw NOT_SIMPLE;
    const list: unknown[] = [];
    while (this.#column === column && this.#isDash()) {
      this.#at += 1;
      const blanks = this.#match(BLANKS)[0].length;
      if (this.#isLineEnd()) throw NOT_SIMPLE;
      KEY.lastIndex = this.#at;
      if (KEY.test(this.#text)) {
        this.#column = column + 1 + blanks;
        list.push(this.#mapping(this.#column, depth + 1));
      } else {
        list.push(this.#value(depth));
      }
    }
    return list;
  }

  /**
   * A value that ends on this line. A next line that is indented deeper would continue it: that fits no open collection, so
   * all of them end and the document finds a rest.
   */
  #value(depth: number): unknown {
    const value = this.#scalarOrFlow(PLAIN, depth);
    this.#match(REST_OF_LINE);
    this.#nextLine();
    return value;
  }

  #scalarOrFlow(plain: RegExp, depth: number): unknown {
    const first = this.#text[this.#at];
    if (first === "[") return this.#flowSequence(depth + 1);
    if (first === "{") return this.#flowMapping(depth + 1);
    if (first === '"' || first === "'") {
      const quoted = this.#match(QUOTED);
      // 'It''s' goes on after what looks like its end.
      if (this.#text[this.#at] === first) throw NOT_SIMPLE;
      return withinLimit(quoted[1] ?? quoted[2] ?? "");
    }
    if (first === "-") return Number(this.#match(NEGATIVE)[0]);
    const text = withinLimit(this.#match(plain)[0]);
    if (INTEGER.test(text)) return Number(text);
    if (NUMBER_LIKE.test(text)) throw NOT_SIMPLE;
    return WORDS.has(text) ? WORDS.get(text) : text;
  }

  #flowSequence(depth: number): unknown[] {
    const list: unknown[] = [];
    this.#flow("]", depth, () => {
      const value = this.#scalarOrFlow(PLAIN_IN_FLOW, depth);
      // `[a: b]` is a list of a mapping.
      if (!/^[ ,\]]$/.test(this.#text[this.#at] ?? "")) throw NOT_SIMPLE;
      list.push(value);
    });
    return list;
  }

  #flowMapping(depth: number): PlainMap {
    const map: PlainMap = {};
    this.#flow("}", depth, () => {
      const key = this.#match(KEY)[1] ?? "";
      this.#match(BLANKS);
      addEntry(map, key, this.#scalarOrFlow(PLAIN_IN_FLOW, depth));
    });
    return map;
  }

  /** Entries between brackets, all on one line. */
  #flow(end: "]" | "}", depth: number, entry: () => void): void {
    if (depth > MAX_DEPTH) throw NOT_SIMPLE;
    this.#at += 1;
    this.#match(BLANKS);
    while (this.#text[this.#at] !== end) {
      entry();
      this.#match(BLANKS);
      if (this.#text[this.#at] === ",") {
        this.#at += 1;
        this.#match(BLANKS);
      } else if (this.#text[this.#at] !== end) {
        throw NOT_SIMPLE;
      }
    }
    this.#at += 1;
  }

  /** Goes to the next line with content; `#at` is at the start of a line. */
  #nextLine(): void {
    this.#match(BLANK_LINES);
    const start = this.#at;
    this.#match(BLANKS);
    this.#column = this.#at >= this.#text.length ? -1 : this.#at - start;
    // A document marker in mid-text: callers cut at those.
    if (this.#column === 0 && /^(?:---|\.\.\.)/.test(this.#text.slice(this.#at, this.#at + 3))) throw NOT_SIMPLE;
  }

  #isDash(): boolean {
    return this.#text[this.#at] === "-" && this.#text[this.#at + 1] === " ";
  }

  #isLineEnd(): boolean {
    const next = this.#text[this.#at];
    return next === undefined || next === "\n" || next === "#";
  }

  #match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) throw NOT_SIMPLE;
    this.#at += match[0].length;
    return match;
  }
}

function withinLimit(text: string): string {
  if (text.length > MAX_SCALAR) throw NOT_SIMPLE;
  return text;
}

function addEntry(map: PlainMap, key: string, value: unknown): void {
  if (WORDS.has(key) || key === "__proto__" || Object.hasOwn(map, key)) throw NOT_SIMPLE;
  map[key] = value;
}
