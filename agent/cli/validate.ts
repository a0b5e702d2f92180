// `fabgate validate -f …`: every rule of the manifest API, all findings in one run.

import type { CommandModule } from "yargs";
import { loadFabric, readSources } from "../../fabric-api/index.ts";
import { InvalidManifestsError, StrictWarningsError } from "../errors.ts";
import { fileOption, loadAndReport } from "./manifests.ts";

interface ValidateArguments {
  readonly file: string[];
  readonly strict: boolean;
  readonly output: "table" | "json";
}

export const validateCommand: CommandModule<object, ValidateArguments> = {
  command: "validate",
  describe: "check manifests",
  builder: (yargs) =>
    yargs
      .option("file", fileOption)
      .option("strict", { boolean: true, default: false, describe: "warnings fail too" })
      .option("output", {
        alias: "o",
        choices: ["table", "json"] as const,
        default: "table" as const,
        describe: "how to print",
      }),
  handler: async ({ file, strict, output }) => {
    if (output === "json") {
      const { fabric, errors, warnings } = loadFabric(await readSources(file, process.stdin));
      const valid = fabric !== undefined && !(strict && warnings.length > 0);
      process.stdout.write(`${JSON.stringify({ valid, errors, warnings }, null, 2)}\n`);
      if (!valid) process.exitCode = 1;
      return;
    }
    const { fabric, errors, warnings, objects } = await loadAndReport(file);
    if (!fabric) throw new InvalidManifestsError(errors.length);
    if (strict && warnings.length > 0) throw new StrictWarningsError(warnings.length);
    const warned = warnings.length > 0 ? `, ${warnings.length} warning${warnings.length === 1 ? "" : "s"}` : "";
    process.stdout.write(`valid: ${objects.length} objects${warned}\n`);
  },
};
