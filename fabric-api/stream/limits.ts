// How much a stream may hold. The numbers are far above real fabrics (10 000 peerings are about 4 MB and a million tokens)
// and low enough that a hostile stream is refused before it costs memory. Checked on lexical tokens, before any tree is built.

import { Lexer } from "yaml";

/** Characters of all sources together. */
export const MAX_CHARACTERS = 32 * 1024 * 1024;
/** Levels of mappings and lists inside one another. */
export const MAX_DEPTH = 64;
/** Lexical tokens of all sources together. */
export const MAX_TOKENS = 1_500_000;
/** Characters of one key or value. */
export const MAX_SCALAR = 1024 * 1024;
/** Nodes that aliases (`*name`) add to one document. */
export const MAX_ALIASED_NODES = 10_000;

/** A limit that a text breaks, and where. */
export interface Excess {
  readonly offset: number;
  readonly message: string;
}

/** Tokens left for the rest of a load; shared by all its documents. */
export interface TokenBudget {
  left: number;
}

/** Measures a text and takes its tokens from the budget; the first limit broken, or undefined. */
export function findExcess(text: string, budget: TokenBudget): Excess | undefined {
  let offset = 0;
  let flowDepth = 0;
  // Columns of the block collections that are open, and further dashes on this line, each of which opens one more.
  const columns: number[] = [];
  let dashes = 0;
  let lineStart = 0;
  let atLineStart = true;
  for (const token of new Lexer().lex(text)) {
    if (--budget.left < 0) return { offset, message: `more than ${MAX_TOKENS} tokens in one load` };
    if (token.length > MAX_SCALAR) return { offset, message: `a value of more than ${MAX_SCALAR} characters` };
    const mark = token[0];
    if (mark === "[" || mark === "{") flowDepth++;
    else if (mark === "]" || mark === "}") flowDepth--;
    if (mark === "\n" || mark === "\r") {
      dashes = 0;
      atLineStart = true;
      lineStart = offset + token.length;
    } else if (mark !== " " && mark !== "#" && !isMarker(token)) {
      if (atLineStart && flowDepth === 0) open(columns, offset - lineStart);
      else if (token === "-" || token === "?") dashes++;
      atLineStart = false;
    }
    if (flowDepth + columns.length + dashes > MAX_DEPTH) {
      return { offset, message: `nested deeper than ${MAX_DEPTH} levels` };
    }
    if (!isMarker(token)) offset += token.length;
  }
  return undefined;
}

/** Content in a column ends the collections that stand further right. */
function open(columns: number[], column: number): void {
  while ((columns.at(-1) ?? -1) >= column) columns.pop();
  columns.push(column);
}

/** The lexer marks document starts, flow errors and scalars with control characters that are not in the text. */
function isMarker(token: string): boolean {
  return token === "\u0002" || token === "\u0018" || token === "\u001f";
}
