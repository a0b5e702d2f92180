// What a list of changes means for what is there: who is created, changed, left alone, and whether a revision forbids it.
// Pure, and the same for every store.

import type { PlainMap } from "../stream/plain.ts";
import { keyOf, revisionOf } from "./listing.ts";
import {
  type Applied,
  type ApplyOptions,
  type Change,
  keyText,
  type Listing,
  type ObjectKey,
  type StoredObject,
  StoreError,
} from "./store.ts";

/** One change with what it does. `before` is absent for what is created. */
export interface Step {
  readonly applied: Applied;
  readonly before?: StoredObject;
  /** Absent for what is deleted. */
  readonly manifest?: PlainMap;
  readonly text?: string;
}

/** @throws StoreError STORE_CONFLICT, STORE_NO_SUCH_OBJECT, STORE_INVALID_OBJECT, STORE_AMBIGUOUS; then nothing may be changed */
export function stepsOf(listing: Listing, changes: readonly Change[], { revision }: ApplyOptions = {}): Step[] {
  if (revision !== undefined && revision !== listing.revision) {
    throw new StoreError("STORE_CONFLICT", "the manifests were changed meanwhile; read them again and decide again");
  }
  const present = new Map<string, StoredObject[]>();
  for (const object of listing.objects) {
    const key = keyText(object);
    present.set(key, [...(present.get(key) ?? []), object]);
  }
  const seen = new Set<string>();
  return changes.map((change) => {
    const { kind, namespace, name } = change.op === "put" ? keyOf(change.manifest) : change.key;
    const key: ObjectKey = { kind, namespace, name };
    const text = keyText(key);
    if (seen.has(text))
      throw new StoreError("STORE_INVALID_OBJECT", `${text} is changed twice at once; keep one of them`);
    seen.add(text);
    const [before, another] = present.get(text) ?? [];
    if (before !== undefined && another !== undefined) {
      const places = `${placeOf(before)} and ${placeOf(another)}`;
      throw new StoreError("STORE_AMBIGUOUS", `${text} is written twice, in ${places}; remove one of them`);
    }
    expectRevision(text, change, before);
    return stepOf(change, key, before);
  });
}

function stepOf(change: Change, key: ObjectKey, before: StoredObject | undefined): Step {
  if (change.op === "delete") {
    if (before === undefined) throw new StoreError("STORE_NO_SUCH_OBJECT", `there is no ${keyText(key)}`);
    return { applied: { ...key, outcome: "deleted" }, before };
  }
  const { manifest, text } = change;
  const revision = revisionOf(manifest);
  const outcome = before === undefined ? "created" : before.revision === revision ? "unchanged" : "configured";
  return {
    applied: { ...key, outcome, revision },
    ...(before === undefined ? {} : { before }),
    manifest,
    ...(text === undefined ? {} : { text }),
  };
}

function expectRevision(key: string, change: Change, before: StoredObject | undefined): void {
  if (change.revision === undefined) return;
  if (change.revision === null && before !== undefined) throw new StoreError("STORE_CONFLICT", `${key} exists already`);
  if (change.revision === null || before?.revision === change.revision) return;
  const what = before === undefined ? "was deleted" : "was changed";
  throw new StoreError("STORE_CONFLICT", `${key} ${what} meanwhile; read it again and decide again`);
}

function placeOf({ origin }: StoredObject): string {
  return `${origin.file} (document ${origin.document + 1})`;
}
