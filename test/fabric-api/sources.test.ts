// Reading and watching real files.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { readSources, type Source, SourceError, watchDirectory } from "../../fabric-api/index.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fabric-api-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function write(name: string, text: string): Promise<void> {
  const path = join(directory, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, text);
}

/** Writes elsewhere and renames, so that nobody sees it half. */
async function replace(name: string, text: string): Promise<void> {
  await write(".new", text);
  await rename(join(directory, ".new"), join(directory, name));
}

const namesOf = (sources: readonly Source[]) => sources.map(({ file }) => file.slice(directory.length + 1));

describe("reading sources", () => {
  it("takes files as named and directories recursively, in byte order, only manifests", async () => {
    for (const name of [
      "b.yaml",
      "a/z.yml",
      "a/y.json",
      "B.yaml",
      "a.yaml",
      "a/readme.md",
      ".hidden.yaml",
      ".git/c.yaml",
      "x.yaml~",
    ]) {
      await write(name, name);
    }
    await write("note.txt", "named");
    await symlink(join(directory, "note.txt"), join(directory, "link.yaml"));
    const sources = await readSources([join(directory, "note.txt"), directory, join(directory, "b.yaml")]);
    assert.deepEqual(namesOf(sources), ["note.txt", "B.yaml", "a.yaml", "a/y.json", "a/z.yml", "b.yaml", "link.yaml"]);
    assert.equal(sources[3]?.text, "a/y.json");
  });

  it("takes - for standard input", async () => {
    await write("a.yaml", "file");
    const sources = await readSources(
      ["-", join(directory, "a.yaml")],
      Readable.from([Buffer.from("x: \u00e9").subarray(0, 4), Buffer.from("x: \u00e9").subarray(4)]),
    );
    assert.deepEqual(
      sources.map(({ file, text }) => [file === "-" ? "-" : "file", text]),
      [
        ["-", "x: \u00e9"],
        ["file", "file"],
      ],
    );
  });

  it("says which path does not exist", async () => {
    const path = join(directory, "none.yaml");
    await assert.rejects(readSources([path]), (error) => {
      assert.ok(error instanceof SourceError);
      assert.deepEqual(
        [error.code, error.path, error.message],
        ["SOURCE_NOT_FOUND", path, `${path}: no such file or directory`],
      );
      return true;
    });
  });

  it("counts characters, not bytes", async () => {
    const [fits, tooMany] = [join(directory, "fits.yaml"), join(directory, "too-many.yaml")];
    await writeFile(fits, "\u20ac".repeat(12 * 1024 * 1024));
    await writeFile(tooMany, "a".repeat(32 * 1024 * 1024 + 1));
    assert.equal((await readSources([fits]))[0]?.text.length, 12 * 1024 * 1024);
    await assert.rejects(readSources([tooMany]), { code: "SOURCE_TOO_LARGE" });
  });

  it("does not read what is too large", async () => {
    const endless = new Readable({
      read() {
        this.push("a".repeat(1 << 20));
      },
    });
    await assert.rejects(readSources(["-"], endless), { code: "SOURCE_TOO_LARGE" });
  });
});

describe("watching a directory", () => {
  let abort: AbortController;
  let seen: { sources: Source[]; at: number }[];
  let errors: unknown[];
  let watching: Promise<void>;

  /** Waits for the condition, polling, at most five seconds. */
  async function until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + 5000;
    while (!holds()) {
      assert.ok(
        performance.now() < deadline,
        `never: ${what}; saw ${JSON.stringify(seen.map(({ sources }) => sources))}`,
      );
      await delay(1);
    }
  }

  const texts = () =>
    Object.fromEntries((seen.at(-1)?.sources ?? []).map(({ file, text }) => [file.slice(directory.length + 1), text]));
  const shows = (expected: Record<string, string>) => () => JSON.stringify(texts()) === JSON.stringify(expected);

  function start(resyncMs?: number): void {
    const options = {
      onError: (error: unknown) => void errors.push(error),
      ...(resyncMs === undefined ? {} : { resyncMs }),
    };
    watching = watchDirectory(
      directory,
      (sources) => seen.push({ sources, at: performance.now() }),
      abort.signal,
      options,
    );
  }

  beforeEach(() => {
    abort = new AbortController();
    seen = [];
    errors = [];
    watching = Promise.resolve();
  });

  afterEach(async () => {
    abort.abort();
    await watching;
  });

  it("hands over what is there, then each change: new, changed, moved, deleted, in new directories too", async () => {
    await write("a.yaml", "1");
    start(60_000);
    await until("first", shows({ "a.yaml": "1" }));
    await write("a.yaml", "2");
    await until("changed", shows({ "a.yaml": "2" }));
    await write("sub/deep/b.yaml", "3");
    await until("new in new directories", shows({ "a.yaml": "2", "sub/deep/b.yaml": "3" }));
    await write("sub/deep/b.yaml", "4");
    await until("changed there", shows({ "a.yaml": "2", "sub/deep/b.yaml": "4" }));
    await rename(join(directory, "a.yaml"), join(directory, "sub/a.yaml"));
    await until("moved", shows({ "sub/a.yaml": "2", "sub/deep/b.yaml": "4" }));
    await rm(join(directory, "sub/deep"), { recursive: true });
    await until("deleted", shows({ "sub/a.yaml": "2" }));
    await write("sub/deep/b.yaml", "5");
    await until("made anew", shows({ "sub/a.yaml": "2", "sub/deep/b.yaml": "5" }));
    await rm(join(directory, "sub"), { recursive: true });
    await write("sub/c.yaml", "6");
    await until("a directory replaced at once", shows({ "sub/c.yaml": "6" }));
    await write("sub/c.yaml", "7");
    await until("changed in the one that replaced it", shows({ "sub/c.yaml": "7" }));
    assert.deepEqual(errors, []);
  });

  it("tells of a written file within 50 ms, as the median of 15", async () => {
    start(60_000);
    await until("first", () => seen.length === 1);
    const latenciesMs: number[] = [];
    for (let n = 0; n < 15; n++) {
      const count = seen.length;
      const before = performance.now();
      await write("a.yaml", `a: ${n}\n`);
      await until("change", () => seen.length > count);
      latenciesMs.push((seen.at(-1)?.at ?? 0) - before);
    }
    const median = latenciesMs.sort((a, b) => a - b)[7] ?? Number.POSITIVE_INFINITY;
    assert.ok(median <= 50, `latencies ${latenciesMs.map((ms) => ms.toFixed(1)).join(" ")} ms`);
  });

  it("says nothing when nothing changed, and nothing twice", async () => {
    await write("a.yaml", "1");
    start(5);
    await until("first", () => seen.length === 1);
    await replace("a.yaml", "1");
    await write("readme.md", "no manifest");
    await replace("b.yaml", "2");
    await until("real change", shows({ "a.yaml": "1", "b.yaml": "2" }));
    assert.equal(seen.length, 2);
  });

  it("finds by comparison what no event told", async () => {
    const away = `${directory}-away`;
    await mkdir(away);
    try {
      await writeFile(join(away, "a.yaml"), "1");
      await symlink(join(away, "a.yaml"), join(directory, "a.yaml"));
      start(20);
      await until("first", shows({ "a.yaml": "1" }));
      // inotify watches the directory, not where a link in it points to.
      await writeFile(join(away, "a.yaml"), "2");
      await until("resync", shows({ "a.yaml": "2" }));
    } finally {
      await rm(away, { recursive: true });
    }
  });

  it("survives files that come and go while it reads", async () => {
    start(20);
    for (let n = 0; n < 150; n++) {
      await write(`f${n % 7}.yaml`, String(n));
      if (n % 3 === 0) await unlink(join(directory, `f${n % 7}.yaml`));
      if (n % 10 === 0) await delay(1);
    }
    await write("last.yaml", "end");
    await until("the end", () => texts()["last.yaml"] === "end" && texts()["f2.yaml"] === "149");
    assert.deepEqual(errors, []);
  });

  it("reports a directory that vanishes, keeps what it handed over, and goes on when it is back", async () => {
    await write("a.yaml", "1");
    start(20);
    await until("first", shows({ "a.yaml": "1" }));
    await rm(directory, { recursive: true });
    await until("error", () => errors.length > 0);
    assert.equal((errors[0] as SourceError).code, "SOURCE_NOT_FOUND");
    await write("a.yaml", "2");
    await until("back", shows({ "a.yaml": "2" }));
    await write("a.yaml", "3");
    await until("watched again", shows({ "a.yaml": "3" }));
    assert.ok(seen.every(({ sources }) => sources.length > 0 || errors.length > 0));
  });
});
