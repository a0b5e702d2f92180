// The table of codes and the tables of cases agree.

import assert from "node:assert/strict";
import { CODES } from "../../fabric-api/index.ts";
import { testedCodes } from "./table.ts";
import "./acl.test.ts";
import "./nat.test.ts";
import "./rules.test.ts";
import "./structure.test.ts";

describe("the table of codes", () => {
  it("has a case for every code, and no case a code that is not there", () => {
    assert.deepEqual([...testedCodes].sort(), Object.keys(CODES).sort());
  });

  it("says each rule in one line", () => {
    for (const { rule } of Object.values(CODES)) assert.match(rule, /^[^\n]{10,120}$/);
  });
});
