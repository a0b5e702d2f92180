// Label selectors as kubectl writes them: a=b, a==b, a!=b, a, !a, a in (b,c), a notin (b,c); all must hold.

import { UsageError } from "../errors.ts";

export type Selector = (labels: Readonly<Record<string, string>>) => boolean;

const KEY = "[A-Za-z0-9](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?";
const EQUALITY = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*([A-Za-z0-9_.-]*)$`);
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const EXISTENCE = new RegExp(`^(!?)\\s*(${KEY})$`);

/** @throws UsageError */
export function parseSelector(text: string): Selector {
  const terms = text.split(/,(?![^(]*\))/).map((term) => termOf(term.trim()));
  return (labels) => terms.every((term) => term(labels));
}

function termOf(term: string): Selector {
  const equality = EQUALITY.exec(term);
  if (equality !== null) {
    const [, key = "", operator, value = ""] = equality;
    return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const set = SET.exec(term);
  if (set !== null) {
    const [, key = "", operator, list = ""] = set;
    const values = new Set(list.split(",").map((value) => value.trim()));
    const isIn: Selector = (labels) => labels[key] !== undefined && values.has(labels[key]);
    return operator === "in" ? isIn : (labels) => !isIn(labels);
  }
  const existence = EXISTENCE.exec(term);
  if (existence !== null) {
    const [, not, key = ""] = existence;
    return not === "!" ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined;
  }
  throw new UsageError(`"${term}" is no label selector; write key=value, key!=value, key, !key or key in (a,b)`);
}
