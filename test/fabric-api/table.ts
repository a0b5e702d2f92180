// Runs a table of YAML → findings as mocha tests.

import assert from "node:assert/strict";
import { type Code, loadFabric } from "../../fabric-api/index.ts";
import { BASE, brief, unmark } from "./streams.ts";

export interface Case {
  readonly is: string;
  /** With a » before each place where a finding is expected. Loaded after the base stream. */
  readonly yaml: string;
  /** "CODE path" in source order, one for each »; the path is left out where a finding has none. Empty: nothing is wrong. */
  readonly finds: readonly `${Code}${"" | ` ${string}`}`[];
  /** Texts that the first finding's message or hint contains. */
  readonly says?: readonly string[];
}

/** Codes that ran through any table. */
export const testedCodes = new Set<string>();

export function testTable(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const { is, yaml, finds, says } of cases) {
      for (const found of finds) testedCodes.add(found.slice(0, 6));
      it(is, () => {
        const { text, places } = unmark(yaml);
        const { errors, warnings, fabric } = loadFabric([BASE, { file: "case.yaml", text }]);
        const found = [...errors, ...warnings].sort((a, b) => a.line - b.line || a.column - b.column);
        const expected = finds.map((find, index) => `${find.slice(0, 6)} ${places[index]}${find.slice(6)}`);
        assert.deepEqual(
          found.map(brief),
          expected,
          found.map(({ message, hint }) => `${message} (${hint})`).join("\n"),
        );
        for (const one of found) assert.equal(one.file, "case.yaml");
        assert.equal(fabric !== undefined, errors.length === 0);
        for (const part of says ?? []) {
          const [first] = found;
          assert.ok(
            `${first?.message} ${first?.hint}`.includes(part),
            `"${part}" is not in: ${first?.message}; ${first?.hint}`,
          );
        }
      });
    }
  });
}
