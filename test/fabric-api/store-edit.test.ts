// Edits of hand-written texts, for any value: what is read back is what was meant, and comments and neighbours survive.

import assert from "node:assert/strict";
import fc from "fast-check";
import { parse, parseAllDocuments } from "yaml";
import { editText } from "../../fabric-api/store/edit.ts";
import { objectsIn } from "../../fabric-api/store/index.ts";

const FIRST = "# neighbour before\nkind: VPCInfo\nmetadata:   {name: first}\n";
const LAST = "---\nkind:    VPCInfo # neighbour after\nmetadata: {name: 'last'}\n";
const MIDDLE = `---
# about the object
kind: VPCInfo   # its kind
metadata:
  name: middle
# about the spec
spec:
  vni: 5   # a number
  list:
  - a   # the first
  # before the second
  - {b: c}
`;

const word = fc.oneof(
  fc.stringMatching(/^[a-z0-9 :#{}[\]'"-]{0,12}$/),
  fc.constantFrom("", "true", "22", "0x10", "~", "- a", "a: b", "# no comment", "line\nbreak", "ü", "yes"),
);
const scalar = fc.oneof(word, fc.integer(), fc.boolean());
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie("any"), { maxKeys: 4 }),
  ),
})).any;

describe("editing a document among others", () => {
  const text = FIRST + MIDDLE + LAST;
  const middle = () => {
    const found = objectsIn([{ file: "x.yaml", text }]).find(({ name }) => name === "middle");
    assert.ok(found);
    return found;
  };

  it("writes exactly what is meant and leaves the neighbours as they are", () => {
    const fields = fc.record(
      { vni: value, list: fc.array(value, { maxLength: 4 }), more: value },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fields, (spec) => {
        const wanted = { kind: "VPCInfo", metadata: { name: "middle" }, spec: structuredClone(spec) };
        const edited = editText("x.yaml", text, [{ document: middle().document, base: [], value: wanted }]) ?? "";
        assert.ok(edited.startsWith(FIRST) && edited.endsWith(LAST));
        assert.deepEqual(parseAllDocuments(edited)[1]?.toJS(), JSON.parse(JSON.stringify(wanted)));
        for (const comment of ["# about the object", "# its kind", "# about the spec"])
          assert.ok(edited.includes(comment));
      }),
      { numRuns: 300 },
    );
  });

  it("changes a number or a word and nothing else", () => {
    fc.assert(
      fc.property(scalar, (vni) => {
        const wanted = { kind: "VPCInfo", metadata: { name: "middle" }, spec: { vni, list: ["a", { b: "c" }] } };
        const edited = editText("x.yaml", text, [{ document: middle().document, base: [], value: wanted }]) ?? "";
        const line = /^ {2}vni: (.*) {3}# a number$/m.exec(edited);
        assert.ok(line?.[1] !== undefined, edited);
        assert.equal(parse(line[1]), vni);
        assert.equal(edited.replace(line[0], "  vni: 5   # a number"), text);
      }),
    );
  });
});
