// The store that is a directory of YAML files: what people and git put there, and what `fabgate apply` writes. An object is
// changed in the file it stands in; a new one gets a file of its own. Writers take the lock, look again, and change all files
// as one (journal.ts); readers need no lock.

import { createHash } from "node:crypto";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import type { Source } from "../diagnostic.ts";
import { printYaml } from "../print.ts";
import { readSources, SourceError } from "../sources.ts";
import type { PlainMap } from "../stream/plain.ts";
import { stampOf, type WatchOptions, watchDirectory } from "../watch.ts";
import { type Step, stepsOf } from "./changes.ts";
import { type Edit, editText } from "./edit.ts";
import { commit, type FileChange, recover, sweep, toStoreError } from "./journal.ts";
import { type Located, type LocatedListing, listingOf } from "./listing.ts";
import { withLock } from "./lock.ts";
import {
  type Applied,
  type ApplyOptions,
  type Change,
  keyText,
  type Listing,
  type ObjectKey,
  type Store,
  type StoredObject,
  StoreError,
} from "./store.ts";

/** How long a writer waits for another one. */
const LOCK_TIMEOUT_MS = 10_000;
/** A directory that changes while it is read is read again this often. */
const READS_MAX = 10;
/** Bytes of a file name that every file system takes, without the suffix. */
const FILE_NAME_MAX = 200;

export interface DirectoryStoreOptions {
  /** Default LOCK_TIMEOUT_MS. */
  readonly lockTimeoutMs?: number;
}

export class DirectoryStore implements Store {
  readonly directory: string;
  readonly #lockTimeoutMs: number;

  constructor(directory: string, { lockTimeoutMs = LOCK_TIMEOUT_MS }: DirectoryStoreOptions = {}) {
    this.directory = directory;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  async list(): Promise<Listing> {
    const { revision, objects, sources } = listingOf(await this.#read());
    return { revision, objects: objects.map(withoutDocument), sources };
  }

  async get(key: ObjectKey): Promise<StoredObject | undefined> {
    const { objects } = await this.list();
    return objects.find((object) => keyText(object) === keyText(key));
  }

  async put(manifest: PlainMap, { revision }: { readonly revision?: string | null } = {}): Promise<Applied> {
    return only(await this.apply([{ op: "put", manifest, ...(revision === undefined ? {} : { revision }) }]));
  }

  async delete(key: ObjectKey, { revision }: { readonly revision?: string } = {}): Promise<Applied> {
    return only(await this.apply([{ op: "delete", key, ...(revision === undefined ? {} : { revision }) }]));
  }

  async apply(changes: readonly Change[], options: ApplyOptions = {}): Promise<Applied[]> {
    await this.#expectDirectory();
    return withLock(this.directory, this.#lockTimeoutMs, async () => {
      try {
        await recover(this.directory);
        await sweep(this.directory);
        const listing = listingOf(await this.#read());
        const steps = stepsOf(listing, changes, options);
        const files = await this.#fileChanges(listing, steps);
        if (files.length > 0) await commit(this.directory, files);
        return steps.map(({ applied }) => applied);
      } catch (error) {
        throw toStoreError(error, this.directory);
      }
    });
  }

  async watch(onChange: (listing: Listing) => void, signal: AbortSignal, options: WatchOptions = {}): Promise<void> {
    let last: string | undefined;
    const onSources = (sources: Source[]) => {
      try {
        const { revision, objects } = listingOf(sources);
        if (revision === last) return;
        last = revision;
        onChange({ revision, objects: objects.map(withoutDocument), sources });
      } catch (error) {
        options.onError?.(error);
      }
    };
    await watchDirectory(this.directory, onSources, signal, options);
  }

  /** All texts as they were at one moment. */
  async #read(): Promise<Source[]> {
    await this.#expectDirectory();
    for (let read = 1; ; read++) {
      try {
        const before = await stampOf(this.directory);
        const sources = await readSources([this.directory]);
        if (read === READS_MAX || (await stampOf(this.directory)) === before) return sources;
      } catch (error) {
        const vanished = error instanceof SourceError && error.code === "SOURCE_NOT_FOUND";
        if (!vanished || read === READS_MAX) throw asStoreError(error, this.directory);
      }
    }
  }

  async #expectDirectory(): Promise<void> {
    const found = await stat(this.directory).catch((error: unknown) => {
      throw toStoreError(error, this.directory);
    });
    if (!found.isDirectory()) {
      throw new StoreError("STORE_MISSING", `${this.directory}: is no directory; name one with --manifests`);
    }
  }

  /** The texts that the steps need to be written. */
  async #fileChanges(listing: LocatedListing, steps: readonly Step[]) {
    const edits = new Map<string, Edit[]>();
    const changes: FileChange[] = [];
    const taken = new Set<string>();
    for (const { applied, before, manifest, text } of steps) {
      if (applied.outcome === "unchanged") continue;
      if (before !== undefined) {
        const { document, origin } = before as Located;
        const own = edits.get(origin.file) ?? [];
        own.push({ document, base: origin.path, value: manifest });
        edits.set(origin.file, own);
      } else if (manifest !== undefined) {
        const file = await this.#newFile(applied, taken);
        taken.add(file);
        changes.push({ file, text: newText(manifest, text) });
      }
    }
    const texts = new Map(listing.sources.map(({ file, text }) => [file, text]));
    for (const [file, own] of edits) {
      changes.push({ file, text: editText(file, texts.get(file) ?? "", own) });
    }
    return changes;
  }

  /** A path for a new object that nothing has yet. */
  async #newFile({ kind, namespace, name }: ObjectKey, taken: ReadonlySet<string>): Promise<string> {
    const full = `${kind.toLowerCase()}-${namespace === "default" ? "" : `${namespace}.`}${name}`;
    const digest = createHash("sha256").update(full).digest("hex").slice(0, 12);
    const base = full.length <= FILE_NAME_MAX ? full : `${full.slice(0, FILE_NAME_MAX - 13)}-${digest}`;
    for (let n = 1; ; n++) {
      const file = join(this.directory, `${n === 1 ? base : `${base}.${n}`}.yaml`);
      const isThere = await access(file).then(
        () => true,
        () => false,
      );
      if (!isThere && !taken.has(file)) return file;
    }
  }
}

/** The author's text if it says the same, else the manifest printed. */
function newText(manifest: PlainMap, text: string | undefined): string {
  if (text === undefined) return printYaml(manifest);
  const body = text.replace(/^---[ \t]*\n/, "").replace(/^\s*\n/, "");
  try {
    if (isDeepStrictEqual(parse(body), manifest)) return body.endsWith("\n") ? body : `${body}\n`;
  } catch {
    // Not a text that stands alone.
  }
  return printYaml(manifest);
}

function withoutDocument({ document: _, ...object }: Located): StoredObject {
  return object;
}

function asStoreError(error: unknown, directory: string): StoreError {
  if (!(error instanceof SourceError)) return toStoreError(error, directory);
  return new StoreError("STORE_FAILED", error.message, { cause: error });
}

function only(applied: readonly Applied[]): Applied {
  const [one] = applied;
  if (one === undefined) throw new Error("a change has a result");
  return one;
}
