// Reading manifests from files, directories and standard input.

import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Source } from "./diagnostic.ts";
import { compareBytes } from "./order.ts";
import { readPending } from "./store/journal.ts";
import { MAX_CHARACTERS } from "./stream/limits.ts";

/** Name of standard input, on the command line and in diagnostics. */
export const STDIN = "-";

export type SourceErrorCode = "SOURCE_NOT_FOUND" | "SOURCE_UNREADABLE" | "SOURCE_TOO_LARGE";

/** A source that cannot be read at all. The message is one line that says what to do. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly code: SourceErrorCode;
  readonly path: string;

  constructor(code: SourceErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.path = path;
  }
}

const MANIFEST_FILE = /\.(?:ya?ml|json)$/;

/**
 * Reads what the paths name, in their order: a file, a directory (recursively its *.yaml, *.yml and *.json in byte order of
 * their paths; names that begin with a dot are left out), or "-". A file named twice is read once. Of a directory that a
 * store is writing to, all changes that it made as one are seen, or none. Rejects with a SourceError.
 */
export async function readSources(
  paths: readonly string[],
  stdin: NodeJS.ReadableStream = process.stdin,
): Promise<Source[]> {
  const files = new Set<string>();
  const staged = new Map<string, string>();
  for (const path of paths) {
    if (path === STDIN || !(await isDirectory(path))) {
      files.add(path);
      continue;
    }
    const pending = await readPending(path);
    const listed = await listManifests(path);
    const known = pending ? [...new Set([...listed, ...pending.staged.keys()])].sort(compareBytes) : listed;
    for (const file of known) if (!pending?.removed.has(file)) files.add(file);
    for (const [file, text] of pending?.staged ?? []) staged.set(file, text);
  }
  const sources: Source[] = [];
  let left = MAX_CHARACTERS;
  for (const file of files) {
    const text = file === STDIN ? await readStream(stdin, left) : await readNewest(file, staged.get(file), left);
    left -= text.length;
    sources.push({ file, text });
  }
  return sources;
}

/** Manifest files under a directory in byte order of their paths. Directories that vanish meanwhile are left out. */
export async function listManifests(directory: string): Promise<string[]> {
  const files: string[] = [];
  for (const { directory: from, entries } of await walk(directory)) {
    for (const entry of entries) {
      if (!entry.isDirectory() && MANIFEST_FILE.test(entry.name)) files.push(join(from, entry.name));
    }
  }
  return files.sort(compareBytes);
}

/** The directory and all below it with what each holds, without names that begin with a dot. */
export async function walk(directory: string) {
  const found = [];
  const open = [directory];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const from = next;
    const entries = await readdir(from, { withFileTypes: true }).catch((error: unknown) => {
      if (from !== directory && isMissing(error)) return [];
      throw unreadable(from, error);
    });
    const visible = entries.filter(({ name }) => !name.startsWith("."));
    found.push({ directory: from, entries: visible });
    open.push(...visible.filter((entry) => entry.isDirectory()).map(({ name }) => join(from, name)));
  }
  return found;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await statOf(path)).isDirectory();
}

function statOf(path: string) {
  return stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

/** The staged text, or the file itself if that has been renamed to it meanwhile. */
async function readNewest(file: string, staged: string | undefined, left: number): Promise<string> {
  if (staged === undefined) return readText(file, left);
  return readText(staged, left).catch((error: unknown) => {
    if (error instanceof SourceError && error.code === "SOURCE_NOT_FOUND") return readText(file, left);
    throw error;
  });
}

async function readText(file: string, left: number): Promise<string> {
  const { size } = await statOf(file);
  // A character is of three bytes at most; a file that may have too many is read piece by piece, so that a huge one costs
  // no more memory than is allowed.
  if (size > left * 3) throw tooLarge(file);
  const reading = size > left ? readStream(createReadStream(file), left, file) : readFile(file, "utf8");
  const text = await reading.catch((error: unknown) => {
    throw error instanceof SourceError ? error : unreadable(file, error);
  });
  if (text.length > left) throw tooLarge(file);
  return text;
}

async function readStream(stream: NodeJS.ReadableStream, left: number, name = "standard input"): Promise<string> {
  stream.setEncoding("utf8");
  let text = "";
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > left) throw tooLarge(name);
  }
  return text;
}

function tooLarge(path: string): SourceError {
  const message = `${path}: manifests of more than ${MAX_CHARACTERS} characters together are not read`;
  return new SourceError("SOURCE_TOO_LARGE", path, message);
}

function unreadable(path: string, error: unknown): SourceError {
  if (isMissing(error))
    return new SourceError("SOURCE_NOT_FOUND", path, `${path}: no such file or directory`, { cause: error });
  const reason = error instanceof Error ? error.message : String(error);
  return new SourceError("SOURCE_UNREADABLE", path, `${path}: cannot be read: ${reason}`, { cause: error });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
