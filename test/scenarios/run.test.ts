// Every scenario that comes with fabgate, run as its users run it: by the built command line.
import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../../scenarios/lab/command.ts";
import { packageRoot } from "../../scenarios/lab/paths.ts";
import type { ScenarioResult } from "../../scenarios/run/runner.ts";
import { scenarioNames } from "../../scenarios/run/scenario.ts";

const fabgate = join(packageRoot, "dist/agent/cli/main.js");

describe("fabgate lab run", function () {
  this.timeout(300_000);
  // A shared machine may stand still for longer than the fabric's timers allow: what fails once is shown, and run once more.
  this.retries(1);

  for (const name of scenarioNames()) {
    it(`${name}: every step holds`, async () => {
      const lab = `${name}-${process.pid}`;
      const { code, stdout, stderr } = await run(process.execPath, [
        fabgate,
        "lab",
        "run",
        name,
        "--name",
        lab,
        "-o",
        "json",
      ]);
      if (code !== 0) process.stderr.write(`${stderr}\n`);
      assert.equal(code, 0, `${name} does not hold`);
      const result = JSON.parse(stdout) as ScenarioResult;
      assert.equal(result.ok, true);
      assert.ok(result.steps.length > 0 && result.steps.every((step) => step.ok));
    });
  }

  it("ends with 2 and the names of the scenarios there are, if it is asked for another", async () => {
    const { code, stderr } = await run(process.execPath, [fabgate, "lab", "run", "nonsense"]);
    assert.equal(code, 2);
    assert.match(stderr, /no scenario "nonsense"; there are: active-backup,/);
  });
});
