// Reports values that must be unique among objects and are not.

import type { Code } from "../codes.ts";
import type { Path } from "../diagnostic.ts";
import type { Report } from "../report.ts";
import type { Entry } from "../stream/objects.ts";

export interface Claim {
  /** Equal for equal values. */
  readonly key: string;
  /** As written. */
  readonly value: string | number;
  readonly entry: Entry;
  readonly path: Path;
}

/** Reports every claim but the first (in the order given) of each key. */
export function reportRepeated(claims: readonly Claim[], code: Code, what: string, report: Report): void {
  const first = new Map<string, Claim>();
  for (const claim of claims) {
    const { key, value, entry, path } = claim;
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, claim);
      continue;
    }
    const message = `${what} ${value} is already that of ${earlier.entry.kind} ${earlier.entry.name}`;
    const other = { at: earlier.entry.at(earlier.path), what: "the first" };
    report.add({ code, at: entry.at(path), subject: entry, path, value, message, other });
  }
}
