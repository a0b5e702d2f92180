// Remembering what was worked out, for loads that follow one another with little changed. Everything here is immutable, so a
// result holds for as long as the very objects that it was made from are in use again. There is nothing to invalidate.

import type { Report } from "./report.ts";

/** One result per key, for as long as the key lives. */
export class Memo<Key extends object, Result> {
  readonly #known = new WeakMap<Key, { readonly inputs: readonly unknown[]; readonly result: Result }>();

  /** What `make` returned for this key, if the other inputs were identical; else what it returns now. */
  get(key: Key, inputs: readonly unknown[], make: () => Result): Result {
    const known = this.#known.get(key);
    if (known !== undefined && same(known.inputs, inputs)) return known.result;
    const result = make();
    this.#known.set(key, { inputs, result });
    return result;
  }

  /** Likewise for what reports on the way: a result with findings is made anew, so that they are reported again. */
  reporting(key: Key, inputs: readonly unknown[], report: Report, make: () => Result): Result {
    const known = this.#known.get(key);
    if (known !== undefined && same(known.inputs, inputs)) return known.result;
    const before = report.size;
    const result = make();
    if (report.size === before) this.#known.set(key, { inputs, result });
    return result;
  }
}

function same(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((input, index) => input === right[index]);
}
