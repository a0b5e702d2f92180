// The directory store: the compliance suite, and what is special about files that people write too.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadFabric, readSources } from "../../fabric-api/index.ts";
import { DirectoryStore, StoreError } from "../../fabric-api/store/index.ts";
import { commit } from "../../fabric-api/store/journal.ts";
import { LOCK_FILE } from "../../fabric-api/store/lock.ts";
import { describeStore, until, vpcKey, vpcManifest } from "./store-compliance.ts";

const run = promisify(execFile);

async function temporary(): Promise<string> {
  return mkdtemp(join(tmpdir(), "store-"));
}

describeStore("a directory", async () => {
  const directory = await temporary();
  return {
    store: new DirectoryStore(directory),
    other: new DirectoryStore(directory),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
});

const HAND_WRITTEN = `# Owned by the network team.

apiVersion: gateway.githedgehog.com/v1alpha1
kind: VPCInfo
metadata: {name: vpc-1}   # the first
spec:
  vni: 1   # never change this
  subnets:
    # servers
    default: {cidr: 10.1.0.0/24}
---
# vpc-2 belongs to somebody else
apiVersion:   gateway.githedgehog.com/v1alpha1
kind: VPCInfo
metadata:
    name: "vpc-2"
spec: { vni: 2,
        subnets: {} }
...
---
apiVersion: gateway.githedgehog.com/v1alpha1
kind: List
items:
# two in a list
- kind: VPCInfo
  metadata: {name: vpc-3}
  spec: {vni: 3}
- kind: VPCInfo   # the last
  metadata: {name: vpc-4}
  spec: {vni: 4}
`;

describe("a directory of hand-written files", () => {
  let directory: string;
  let store: DirectoryStore;
  const path = (name: string) => join(directory, name);
  const text = (name = "net.yaml") => readFile(path(name), "utf8");
  const files = async () => (await readdir(directory)).filter((name) => name !== LOCK_FILE).sort();
  const manifestOf = async (name: string) => structuredClone((await store.get(vpcKey(name)))?.manifest) ?? {};

  beforeEach(async () => {
    directory = await temporary();
    store = new DirectoryStore(directory);
    await writeFile(path("net.yaml"), HAND_WRITTEN);
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("reads objects of documents and lists", async () => {
    const { objects } = await store.list();
    assert.deepEqual(
      objects.map(({ name, origin }) => `${name} ${origin.document} ${origin.path.join(".")}`),
      ["vpc-1 0 ", "vpc-2 1 ", "vpc-3 2 items.0", "vpc-4 2 items.1"],
    );
  });

  it("changes a value where it stands and not one byte besides", async () => {
    await store.put({
      ...(await manifestOf("vpc-1")),
      spec: { vni: 11, subnets: { default: { cidr: "10.9.0.0/24" } } },
    });
    assert.equal(await text(), HAND_WRITTEN.replace("vni: 1 ", "vni: 11 ").replace("10.1.0.0", "10.9.0.0"));
    await store.put({ ...(await manifestOf("vpc-2")), spec: { vni: 22, subnets: {} } });
    const list = { ...(await manifestOf("vpc-4")), spec: { vni: 44 } };
    await store.put(list);
    const expected = HAND_WRITTEN.replace("vni: 1 ", "vni: 11 ").replace("10.1.0.0", "10.9.0.0");
    assert.equal(await text(), expected.replace("vni: 2,", "vni: 22,").replace("vni: 4", "vni: 44"));
    assert.deepEqual(await files(), ["net.yaml"]);
  });

  it("keeps comments where a field or list item comes or goes, and other documents byte for byte", async () => {
    const subnets = { default: { cidr: "10.1.0.0/24" }, db: { cidr: "10.1.1.0/24" } };
    await store.put({ ...(await manifestOf("vpc-1")), spec: { vni: 1, subnets } });
    const changed = HAND_WRITTEN.replace(
      "    default: {cidr: 10.1.0.0/24}\n",
      "    default: {cidr: 10.1.0.0/24}\n    db:\n      cidr: 10.1.1.0/24\n",
    );
    const normalised = (value: string) => value.replace(/ +#/g, " #");
    assert.equal(normalised(await text()), normalised(changed));
    assert.equal((await text()).slice((await text()).indexOf("---")), HAND_WRITTEN.slice(HAND_WRITTEN.indexOf("---")));
  });

  it("deletes a document with what belongs to it and keeps what does not", async () => {
    await store.delete(vpcKey("vpc-1"));
    const rest = HAND_WRITTEN.slice(HAND_WRITTEN.indexOf("---"));
    assert.equal(await text(), `# Owned by the network team.\n\n${rest}`);
    await store.delete(vpcKey("vpc-3"));
    assert.ok((await text()).includes("# vpc-2 belongs to somebody else\n"));
    assert.deepEqual(
      (await store.list()).objects.map(({ name }) => name),
      ["vpc-2", "vpc-4"],
    );
    assert.ok((await text()).includes("# the last"));
  });

  it("removes a file of which nothing is left, and only then", async () => {
    await writeFile(path("one.yaml"), "kind: VPCInfo\nmetadata: {name: only}\n");
    await writeFile(path("two.yaml"), "# licence\n\nkind: VPCInfo\nmetadata: {name: headed}\n");
    await store.apply([
      { op: "delete", key: vpcKey("only") },
      { op: "delete", key: vpcKey("headed") },
    ]);
    assert.deepEqual(await files(), ["net.yaml", "two.yaml"]);
    assert.equal(await text("two.yaml"), "# licence\n\n");
  });

  it("writes a new object into a file of its own, with its author's comments, and never over another file", async () => {
    const manifest = vpcManifest("vpc-9", 9);
    const written = `# ninth\napiVersion: gateway.githedgehog.com/v1alpha1\nkind: VPCInfo\nmetadata: {name: vpc-9}\nspec: {vni: 9, subnets: {default: {cidr: 10.1.0.0/24}}}\n`;
    await store.apply([{ op: "put", manifest, text: `---\n${written}` }]);
    assert.equal(await text("vpcinfo-vpc-9.yaml"), written);
    await writeFile(path("vpcinfo-vpc-8.yaml"), "# notes\n");
    await store.apply([{ op: "put", manifest: vpcManifest("vpc-8", 8), text: "something: else\n" }]);
    assert.equal(await text("vpcinfo-vpc-8.yaml"), "# notes\n");
    assert.deepEqual((await store.get(vpcKey("vpc-8")))?.manifest, vpcManifest("vpc-8", 8));
    const longest = "a".repeat(253);
    await store.put(vpcManifest(longest, 10));
    assert.equal((await store.get(vpcKey(longest)))?.name, longest);
  });

  it("edits JSON as JSON, follows links, and keeps modes", async () => {
    await writeFile(path("a.json"), JSON.stringify({ kind: "List", items: [vpcManifest("j", 7)] }, null, 4));
    await mkdir(path(".away"));
    await writeFile(path(".away/secret.yaml"), "kind: VPCInfo\nmetadata: {name: linked}\nspec: {vni: 5}\n");
    await chmod(path(".away/secret.yaml"), 0o600);
    await symlink(path(".away/secret.yaml"), path("link.yaml"));
    await store.put(vpcManifest("j", 8));
    assert.equal(await text("a.json"), `${JSON.stringify({ kind: "List", items: [vpcManifest("j", 8)] }, null, 4)}\n`);
    await store.put({ kind: "VPCInfo", metadata: { name: "linked" }, spec: { vni: 6 } });
    assert.ok((await lstat(path("link.yaml"))).isSymbolicLink());
    assert.equal(await text(".away/secret.yaml"), "kind: VPCInfo\nmetadata: {name: linked}\nspec: {vni: 6}\n");
    assert.equal((await stat(path(".away/secret.yaml"))).mode & 0o777, 0o600);
  });

  it("refuses what it could only change with loss", async () => {
    await writeFile(
      path("anchors.yaml"),
      "kind: List\nitems:\n- {kind: VPCInfo, metadata: {name: a}, spec: &s {vni: 5}}\n- {kind: VPCInfo, metadata: {name: b}, spec: *s}\n",
    );
    const before = await text("anchors.yaml");
    await assert.rejects(store.delete(vpcKey("a")), { code: "STORE_NOT_EDITABLE" });
    // It would change b too.
    const changed = { kind: "VPCInfo", metadata: { name: "a" }, spec: { vni: 6 } };
    await assert.rejects(store.put(changed), { code: "STORE_NOT_EDITABLE" });
    assert.equal(await text("anchors.yaml"), before);
  });

  it("infers nothing from a half-written file", async () => {
    await writeFile(path("half.yaml"), "kind: VPCInfo\nmetadata: {name: vp");
    for (const attempt of [store.list(), store.put(vpcManifest("vpc-9", 9)), store.delete(vpcKey("vpc-1"))]) {
      await assert.rejects(attempt, (error: unknown) => {
        assert.ok(error instanceof StoreError);
        assert.equal(error.code, "STORE_UNREADABLE");
        assert.match(error.message, /half\.yaml:2:\d+: .*repair or remove the file, nothing was changed$/);
        return true;
      });
    }
    assert.equal(await text(), HAND_WRITTEN);
  });

  it("names both places of an object that is written twice", async () => {
    await writeFile(path("again.yaml"), "kind: VPCInfo\nmetadata: {name: vpc-1}\n");
    await assert.rejects(store.put(vpcManifest("vpc-1", 5)), {
      code: "STORE_AMBIGUOUS",
      message: `vpcinfo/vpc-1 is written twice, in ${path("again.yaml")} (document 1) and ${path("net.yaml")} (document 1); remove one of them`,
    });
  });

  it("says what to do when there is no directory", async () => {
    const missing = new DirectoryStore(path("nowhere"));
    for (const attempt of [missing.list(), missing.put(vpcManifest("a", 1))]) {
      await assert.rejects(attempt, { code: "STORE_MISSING", exitCode: 3, message: /mkdir -p/ });
    }
    await assert.rejects(new DirectoryStore(path("net.yaml")).list(), { code: "STORE_MISSING" });
  });
});

describe("the lock of a directory", () => {
  let directory: string;
  let holder: ChildProcess | undefined;

  beforeEach(async () => {
    directory = await temporary();
  });

  afterEach(async () => {
    holder?.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true });
  });

  it("makes a second writer wait, then name the first; the end of the first frees it, however it ends", async () => {
    const script = `
      import { withLock } from ${JSON.stringify(join(import.meta.dirname, "../../fabric-api/store/lock.ts"))};
      await withLock(process.argv[1], 1000, async () => { console.log("held"); await new Promise((r) => setTimeout(r, 60000)); });`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script, directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    holder = child;
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += String(chunk);
    });
    await until("the lock is held", () => said.includes("held"), 15_000);
    const impatient = new DirectoryStore(directory, { lockTimeoutMs: 100 });
    await assert.rejects(impatient.put(vpcManifest("a", 1)), (error: unknown) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, "STORE_LOCKED");
      assert.ok(error.message.includes(`process ${child.pid} `), error.message);
      return true;
    });
    // Readers need no lock.
    assert.deepEqual((await impatient.list()).objects, []);
    child.kill("SIGKILL");
    assert.equal((await new DirectoryStore(directory).put(vpcManifest("a", 1))).outcome, "created");
  });
});

describe("a directory store that meets trouble", () => {
  let directory: string;
  const VALID = "apiVersion: gateway.githedgehog.com/v1alpha1\nkind: VPCInfo\n";

  beforeEach(async () => {
    directory = await realpath(await temporary());
    await run("mount", ["-t", "tmpfs", "-o", "size=64k", "none", directory]);
    for (const name of ["a", "b"]) {
      await writeFile(join(directory, `${name}.yaml`), `${VALID}metadata: {name: ${name}}\nspec: {vni: 1}\n`);
    }
  });

  afterEach(async () => {
    await run("umount", [directory]);
    await rm(directory, { recursive: true, force: true });
  });

  const contents = async () =>
    Promise.all(["a.yaml", "b.yaml"].map((name) => readFile(join(directory, name), "utf8"))).then((texts) =>
      texts.join(),
    );

  it("changes nothing and says so when the disk is full", async () => {
    const store = new DirectoryStore(directory);
    await store.put({ ...vpcManifest("a", 1), metadata: { name: "a", annotations: {} } });
    const before = await contents();
    const filler = join(directory, "filler");
    await writeFile(filler, Buffer.alloc(1 << 20)).catch(() => {});
    // Room for one of the two texts.
    await truncate(filler, (await stat(filler)).size - 8192);
    const annotations = { note: "x".repeat(20_000) };
    await assert.rejects(
      store.apply([
        { op: "put", manifest: vpcManifest("a", 2) },
        { op: "put", manifest: { ...vpcManifest("b", 2), metadata: { name: "b", annotations } } },
      ]),
      { code: "STORE_FULL", exitCode: 3 },
    );
    assert.equal(await contents(), before);
    await rm(filler);
    assert.deepEqual((await readdir(directory)).sort(), [LOCK_FILE, "a.yaml", "b.yaml"]);
    assert.equal((await store.put(vpcManifest("a", 2))).outcome, "configured");
  });

  it("says that it may not write", async () => {
    await run("mount", ["-o", "remount,ro", directory]);
    const store = new DirectoryStore(directory);
    await assert.rejects(store.put(vpcManifest("a", 2)), { code: "STORE_NOT_WRITABLE", exitCode: 3 });
    assert.equal((await store.list()).objects.length, 2);
  });

  it("shows readers a committed change that a crash left unfinished, and the next writer finishes it", async () => {
    // What a writer leaves that dies between its journal and the first rename, and, for b, right after it.
    await writeFile(join(directory, ".a.yaml.fabgate-new"), `${VALID}metadata: {name: a}\nspec: {vni: 10}\n`);
    await writeFile(join(directory, ".c.yaml.fabgate-new"), `${VALID}metadata: {name: c}\nspec: {vni: 30}\n`);
    const renames = ["a", "c"].map((name) => ({ from: `.${name}.yaml.fabgate-new`, to: `${name}.yaml` }));
    await writeFile(join(directory, ".fabgate.journal"), JSON.stringify({ renames, removes: ["b.yaml"] }));
    const shown = async () => {
      const { objects } = loadFabric(await readSources([directory]));
      return objects.map(({ metadata, spec }) => `${metadata.name} ${"vni" in spec ? spec.vni : ""}`);
    };
    assert.deepEqual(await shown(), ["a 10", "c 30"]);
    const store = new DirectoryStore(directory);
    assert.deepEqual(
      (await store.list()).objects.map(({ name }) => name),
      ["a", "c"],
    );
    await store.put({ ...vpcManifest("d", 40) });
    assert.deepEqual(await shown(), ["a 10", "c 30", "d 40"]);
    assert.deepEqual((await readdir(directory)).sort(), [LOCK_FILE, "a.yaml", "c.yaml", "vpcinfo-d.yaml"]);
  });

  it("keeps a committed change whose files cannot all be renamed, and finishes it when they can", async () => {
    await mkdir(join(directory, "c.yaml"));
    const changes = ["a", "c"].map((name) => ({
      file: join(directory, `${name}.yaml`),
      text: `${VALID}metadata: {name: ${name}}\n`,
    }));
    await assert.rejects(commit(directory, [...changes, { file: join(directory, "b.yaml"), text: undefined }]), {
      code: "STORE_FAILED",
      exitCode: 3,
    });
    await rm(join(directory, "c.yaml"), { recursive: true });
    const store = new DirectoryStore(directory);
    assert.deepEqual(
      (await store.list()).objects.map(({ name }) => name),
      ["a", "c"],
    );
    await store.put(vpcManifest("d", 4));
    assert.deepEqual((await readdir(directory)).sort(), [LOCK_FILE, "a.yaml", "c.yaml", "vpcinfo-d.yaml"]);
  });

  it("forgets what a writer left that died before it committed", async () => {
    await writeFile(join(directory, ".a.yaml.fabgate-new"), "half");
    const store = new DirectoryStore(directory);
    assert.equal((await store.list()).objects.length, 2);
    await store.put(vpcManifest("b", 2));
    assert.deepEqual((await readdir(directory)).sort(), [LOCK_FILE, "a.yaml", "b.yaml"]);
  });
});
