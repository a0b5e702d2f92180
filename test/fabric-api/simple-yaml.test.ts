// The fast reader reads manifests, and whatever it reads it reads as the library does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { parseAllDocuments } from "yaml";
import { toPlain } from "../../fabric-api/stream/plain.ts";
import { readSimpleYaml } from "../../fabric-api/stream/simple-yaml.ts";
import { BASE, peering } from "./streams.ts";

const FIXTURE = readFileSync(`${import.meta.dirname}/fixtures/older-spelling.yaml`, "utf8");
const DOCUMENTS = [
  ...FIXTURE.split(/^(?=---)/m),
  ...BASE.text.split(/^(?=---)/m),
  "---\na: 1 # one\n\n# two\nb:\n- x\n-   y: [1, -2, {z: 'q', w: \"r\"}]\n    v: null\n- true\nc:\n  d:\n\n  e: a b c\n",
];

/** Loads with the library; undefined if it finds anything wrong. */
function readWithLibrary(text: string): { value: unknown } | undefined {
  const documents = parseAllDocuments(text, { uniqueKeys: false, logLevel: "silent" });
  const [document, ...more] = "empty" in documents ? [] : documents;
  if (document === undefined || more.length > 0 || document.errors.length + document.warnings.length > 0)
    return undefined;
  const problems: Parameters<typeof toPlain>[1] = [];
  const value = toPlain(document, problems);
  return problems.length > 0 ? undefined : { value };
}

function checkAgreement(text: string): boolean {
  const simple = readSimpleYaml(text);
  if (simple !== undefined) assert.deepEqual(simple, readWithLibrary(text), JSON.stringify(text));
  return simple !== undefined;
}

describe("the fast reader", () => {
  it("reads manifests in plain style, so that the library need not", () => {
    for (const text of DOCUMENTS) assert.ok(checkAgreement(text), text);
    assert.ok(checkAgreement(peering("p", { "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]" })));
  });

  for (const text of [
    "a: &x 1\nb: *x\n",
    "a: |\n  b\n",
    "a: b\n  c\n",
    "a: 'it''s'\n",
    'a: "\\n"\n',
    "a: 1.5\n",
    "a: 0x10\n",
    "a: 010\n",
    "a: .inf\n",
    "a: ~\n",
    "? a\n: b\n",
    "a: 1\na: 2\n",
    "null: 1\n",
    "__proto__: 1\n",
    "a: {b}\n",
    "a: [b: c]\n",
    "- a\n",
    "a\n",
    "a: b: c\n",
    "a:b\n",
    "a: b #c\n  d\n",
    "a: !t b\n",
    "a:\n  b: 1\n c: 2\n",
    "a: é\n",
    "a: [1,\n 2]\n",
    "a: 1e3\n",
    "a: - b\n",
    "a: b\n---\nc: d\n",
    "",
    "# only\n",
  ]) {
    it(`leaves ${JSON.stringify(text)} to the library, or agrees with it`, () => {
      assert.equal(checkAgreement(text), text === "a: b #c\n  d\n" ? false : readSimpleYaml(text) !== undefined);
      if (/[&*|!?é~]|0x|010|inf|1e3|1\.5|__proto__/.test(text)) assert.equal(readSimpleYaml(text), undefined);
    });
  }

  it("agrees with the library about any edit of a manifest", () => {
    const junk = fc.oneof(
      fc.string({ maxLength: 3, unit: fc.constantFrom(..."ab01 :-#,[]{}'\"\n&*!|>%@`?.~/") }),
      fc.constantFrom(
        "\n  ",
        "\n",
        "  ",
        "- ",
        ": ",
        " #",
        "null",
        "true",
        "1e3",
        "0x1",
        "-1",
        "1_0",
        "+1",
        "1:2",
        "a:",
        ":a",
        "\n---\n",
        "\n...\n",
        "'",
        '"',
      ),
    );
    const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.nat(4), put: junk });
    let read = 0;
    fc.assert(
      fc.property(fc.constantFrom(...DOCUMENTS), fc.array(edit, { minLength: 1, maxLength: 3 }), (base, edits) => {
        const text = edits.reduce((now, { at, drop, put }) => {
          const offset = Math.floor(at * now.length);
          return now.slice(0, offset) + put + now.slice(offset + drop);
        }, base);
        if (checkAgreement(text)) read++;
      }),
      { numRuns: 3000 },
    );
    assert.ok(read > 300, `only ${read} of 3000 were within the subset`);
  });

  it("agrees with the library about small texts", () => {
    const unit = fc.constantFrom(
      "a",
      "b",
      "1",
      "0",
      " ",
      "  ",
      ":",
      ": ",
      "-",
      "- ",
      "#",
      ",",
      "[",
      "]",
      "{",
      "}",
      "'",
      '"',
      "\n",
      "\n  ",
      ".",
      "/",
      "e",
      "x",
      "+",
      "~",
      "null",
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => void checkAgreement(`a: ${text}`)),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => void checkAgreement(`a:\n  - ${text}`)),
      { numRuns: 5000 },
    );
  });
});
