import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyObjects, deleteObject, splitObjects } from "../../scenarios/lab/manifests.ts";

const object = (name: string, priority: number) =>
  `apiVersion: v1\nkind: Gateway\nmetadata: { name: ${name} }\nspec: { priority: ${priority} }\n`;

describe("the manifests of a lab", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "fabgate-manifests-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("have one file for each object, so that a step replaces just that object", () => {
    applyObjects(directory, splitObjects(`${object("a", 1)}---\n${object("b", 1)}`, "x"));
    applyObjects(directory, splitObjects(object("a", 2), "x"));
    assert.deepEqual(readdirSync(directory).sort(), ["gateway-a.yaml", "gateway-b.yaml"]);
    assert.match(readFileSync(join(directory, "gateway-a.yaml"), "utf8"), /priority: 2/);
    assert.match(readFileSync(join(directory, "gateway-b.yaml"), "utf8"), /priority: 1/);
  });

  it("may be lists, with and without a kind of their own", () => {
    const list = (kind: string) =>
      `apiVersion: v1\n${kind}items:\n  - { kind: VPCInfo, metadata: { name: v, namespace: fab } }\n`;
    for (const kind of ["", "kind: List\n"]) {
      assert.deepEqual(
        splitObjects(list(kind), "x").map(({ file }) => file),
        ["vpcinfo-fab.v.yaml"],
      );
    }
  });

  it("lose an object by delete, and say so if it was not there", () => {
    applyObjects(directory, splitObjects(object("a", 1), "x"));
    deleteObject(directory, "Gateway", "a");
    assert.deepEqual(readdirSync(directory), []);
    assert.throws(() => deleteObject(directory, "Gateway", "a"), /no Gateway a in the lab's manifests/);
  });

  it("must be objects with a kind and a name", () => {
    assert.throws(() => splitObjects("kind: Gateway\n", "x.yaml"), /x.yaml: an object without kind or metadata.name/);
    assert.throws(() => splitObjects("a: [\n", "x.yaml"), /^LabError: x.yaml: /);
  });
});
