// The manifests that a command works on: where they are, and what becomes of them with a stream applied.

import { isDeepStrictEqual } from "node:util";
import {
  type Change,
  DirectoryStore,
  formatDiagnostic,
  keyOfObject,
  keyText,
  type Listing,
  type LoadResult,
  loadFabric,
  type ManifestObject,
  objectsIn,
  plainObject,
  type Source,
  type Store,
  StoreError,
  withoutObjects,
} from "../../fabric-api/index.ts";
import { InvalidManifestsError, NoObjectsError } from "../errors.ts";

/** Times that a command starts anew because somebody else wrote meanwhile. */
const ATTEMPTS = 5;

/** The `--manifests` option, the same for every command that reads or writes what is stored. */
export const manifestsOption = {
  string: true,
  default: process.env.FABGATE_MANIFESTS ?? "/etc/fabgate/manifests",
  defaultDescription: "$FABGATE_MANIFESTS, else /etc/fabgate/manifests",
  describe: "directory of manifests",
} as const;

export function openStore(directory: string): Store {
  return new DirectoryStore(directory);
}

export type ObjectOutcome = "created" | "configured" | "unchanged" | "pruned";

/** What applying a stream means. */
export interface Intent {
  readonly before: LoadResult;
  readonly after: LoadResult;
  /** Of the stored texts what stays, and the stream. */
  readonly sources: readonly Source[];
  readonly changes: readonly Change[];
  /** "kind/name" and what becomes of it, in the order of the stream; what is pruned last. */
  readonly outcomes: readonly { readonly object: string; readonly outcome: ObjectOutcome }[];
}

/** @throws NoObjectsError */
export function intend(listing: Listing, stream: readonly Source[], { prune }: { readonly prune: boolean }): Intent {
  const given = objectsIn(stream);
  const replaced = new Set(given.map(keyText));
  const gone = listing.objects.filter((object) => prune && !replaced.has(keyText(object)));
  const stay = withoutObjects(listing.sources, prune ? listing.objects : given);
  // Of two objects that do not go together the later one is blamed: that is the one of the stream.
  const sources = [...stay, ...stream];
  const before = loadFabric(listing.sources);
  const after = loadFabric(sources);
  if (given.length === 0 && after.errors.length === 0) throw new NoObjectsError();

  const stored = new Set(listing.objects.map(keyText));
  const old = byKey(before.objects);
  const now = byKey(after.objects);
  const changes: Change[] = [];
  const outcomes: { object: string; outcome: ObjectOutcome }[] = [];
  for (const { document, origin, manifest, ...key } of given) {
    const object = keyText(key);
    const outcome = !stored.has(object)
      ? "created"
      : isSame(old.get(object), now.get(object))
        ? "unchanged"
        : "configured";
    outcomes.push({ object, outcome });
    if (outcome === "unchanged") continue;
    const text = origin.path.length === 0 ? { text: document.source.text.slice(...document.range) } : {};
    changes.push({ op: "put", manifest, ...text });
  }
  for (const { kind, namespace, name } of gone) {
    changes.push({ op: "delete", key: { kind, namespace, name } });
    outcomes.push({ object: keyText({ kind, namespace, name }), outcome: "pruned" });
  }
  return { before, after, sources, changes, outcomes };
}

/** Shows every finding on standard error with its source line. @throws InvalidManifestsError */
export function requireValid({ errors, warnings }: LoadResult, sources: readonly Source[]): void {
  for (const finding of [...errors, ...warnings]) process.stderr.write(`${formatDiagnostic(finding, sources)}\n`);
  if (errors.length > 0) throw new InvalidManifestsError(errors.length);
}

/** Decides on what is stored and writes it; again, if somebody else wrote in between. */
export async function decideAndWrite<T>(
  store: Store,
  decide: (listing: Listing) => { readonly changes: readonly Change[]; readonly result: T },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const listing = await store.list();
    const { changes, result } = decide(listing);
    if (changes.length === 0) return result;
    try {
      await store.apply(changes, { revision: listing.revision });
      return result;
    } catch (error) {
      const isConflict = error instanceof StoreError && error.code === "STORE_CONFLICT";
      if (!isConflict || attempt === ATTEMPTS) throw error;
    }
  }
}

function byKey(objects: readonly ManifestObject[]): Map<string, ManifestObject> {
  return new Map(objects.map((object) => [keyText(keyOfObject(object)), object]));
}

/** Equal with defaults filled in: that is what counts, not how it is written. */
function isSame(one: ManifestObject | undefined, other: ManifestObject | undefined): boolean {
  return one !== undefined && other !== undefined && isDeepStrictEqual(plainObject(one), plainObject(other));
}
