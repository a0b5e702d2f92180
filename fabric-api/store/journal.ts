// Several files changed as one. New texts are first written, whole and synced, beside the files that they will replace; then
// one file, the journal, says what is to be renamed and removed. From the moment it has its name the change has happened:
// readers look through it (sources.ts), and whoever writes next finishes what a crash left of it. Before that moment
// nothing has happened, whatever runs out. One file alone needs no journal: its rename is the moment.

import { mkdir, open, readdir, readFile, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { StoreError } from "./store.ts";

const JOURNAL_FILE = ".fabgate.journal";
/** Ends the names of texts that are not in force yet; they begin with a dot, so nobody takes them for manifests. */
const STAGED_SUFFIX = ".fabgate-new";

/** Files that are written and synced at the same time. */
const AT_ONCE = 32;

/** A file's new text; undefined removes the file. */
export interface FileChange {
  readonly file: string;
  readonly text: string | undefined;
}

/** A committed change that is not finished. Paths are absolute or relative as the directory was. */
export interface Pending {
  /** File → where its text is until it is renamed. */
  readonly staged: ReadonlyMap<string, string>;
  readonly removed: ReadonlySet<string>;
}

interface Journal {
  readonly renames: readonly { readonly from: string; readonly to: string }[];
  readonly removes: readonly string[];
}

/** What a committed change of the directory still has to do; undefined nearly always. */
export async function readPending(directory: string): Promise<Pending | undefined> {
  const journal = await readJournal(directory);
  if (journal === undefined) return undefined;
  return {
    staged: new Map(journal.renames.map(({ from, to }) => [join(directory, to), join(directory, from)])),
    removed: new Set(journal.removes.map((file) => join(directory, file))),
  };
}

/** Finishes what a crashed writer had committed. To be called under the lock. */
export async function recover(directory: string): Promise<void> {
  const journal = await readJournal(directory);
  if (journal !== undefined) await finish(directory, journal);
}

/** Changes all files or none. To be called under the lock. @throws StoreError */
export async function commit(directory: string, changes: readonly FileChange[]): Promise<void> {
  const staged: { from: string; to: string }[] = [];
  const removes: string[] = [];
  try {
    for (let start = 0; start < changes.length; start += AT_ONCE) {
      // All of them end before anything is said: what is staged must be known to be cleaned up.
      const results = await Promise.allSettled(
        changes.slice(start, start + AT_ONCE).map(async ({ file, text }) => {
          // A link stays a link: what it points to is replaced.
          const target = await realpath(file).catch(() => resolve(file));
          if (text === undefined) removes.push(target);
          else staged.push({ from: await stage(target, text), to: target });
        }),
      );
      for (const result of results) if (result.status === "rejected") throw result.reason;
    }
    const root = await realpath(directory);
    const journal = {
      renames: staged.map(({ from, to }) => ({ from: relative(root, from), to: relative(root, to) })),
      removes: removes.map((file) => relative(root, file)),
    };
    if (changes.length > 1) {
      const path = join(root, JOURNAL_FILE);
      const text = JSON.stringify(journal);
      staged.push({ from: `${path}${STAGED_SUFFIX}`, to: "" });
      await writeSynced(`${path}${STAGED_SUFFIX}`, text, undefined);
      await rename(`${path}${STAGED_SUFFIX}`, path);
      await syncDirectory(root);
      // From here on the journal is the truth, and what it names must stay.
      staged.length = 0;
    }
    await finish(root, journal);
  } catch (error) {
    for (const { from } of staged) await unlink(from).catch(() => {});
    throw toStoreError(error, directory);
  }
}

async function finish(directory: string, { renames, removes }: Journal): Promise<void> {
  const touched = new Set<string>();
  for (const { from, to } of renames) {
    await rename(join(directory, from), join(directory, to)).catch(ignoreMissing);
    touched.add(dirname(join(directory, to)));
  }
  for (const file of removes) {
    await unlink(join(directory, file)).catch(ignoreMissing);
    touched.add(dirname(join(directory, file)));
  }
  for (const each of touched) await syncDirectory(each);
  await unlink(join(directory, JOURNAL_FILE)).catch(ignoreMissing);
}

/** Writes the text beside the file, with the file's owner and mode, synced. Returns the path. */
async function stage(file: string, text: string): Promise<string> {
  const directory = dirname(file);
  await mkdir(directory, { recursive: true });
  const staged = join(directory, `.${basename(file)}${STAGED_SUFFIX}`);
  const before = await stat(file).catch(() => undefined);
  await writeSynced(staged, text, before);
  return staged;
}

async function writeSynced(
  path: string,
  text: string,
  like: { readonly mode: number; readonly uid: number; readonly gid: number } | undefined,
): Promise<void> {
  try {
    // What a crashed writer left under this name may have another owner or mode.
    await unlink(path).catch(ignoreMissing);
    const handle = await open(path, "wx", like === undefined ? 0o644 : like.mode & 0o777);
    try {
      await handle.writeFile(text);
      if (like !== undefined) {
        await handle.chown(like.uid, like.gid).catch(() => {});
        await handle.chmod(like.mode & 0o777);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readJournal(directory: string): Promise<Journal | undefined> {
  const path = join(directory, JOURNAL_FILE);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw toStoreError(error, directory);
  }
  return JSON.parse(text) as Journal;
}

/** Removes texts that a crashed writer staged and never committed. To be called under the lock, after `recover`. */
export async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith(".") && name.endsWith(STAGED_SUFFIX)) await unlink(join(directory, name)).catch(ignoreMissing);
  }
}

/** An error of the file system in words that say what to do. */
export function toStoreError(error: unknown, directory: string): StoreError {
  if (error instanceof StoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const make = (code: ConstructorParameters<typeof StoreError>[0], message: string) =>
    new StoreError(code, `${directory}: ${message}`, { cause: error });
  switch (codeOf(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return make("STORE_FULL", "no space left, nothing was changed; make room and try again");
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return make("STORE_NOT_WRITABLE", `cannot be written: ${reason}`);
    case "ENOENT":
      return make(
        "STORE_MISSING",
        `no such directory; make it with "mkdir -p ${directory}", or name another with --manifests`,
      );
    default:
      return make("STORE_FAILED", reason);
  }
}

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
