// `fabgate validate -f …`: every rule of the manifest API, all findings in one run.

import type { CommandModule } from "yargs";
import { loadFabric, readSources } from "../../fabric-api/index.ts";
import { InvalidManifestsError } from "../errors.ts";
import { fileOption, loadAndReport } from "./manifests.ts";

interface ValidateArguments {
  readonly file: string[];
  readonly output: "table" | "json";
}

export const validateCommand: CommandModule<object, ValidateArguments> = {
  command: "validate",
  describe: "check manifests",
  builder: (yargs) =>
    yargs.option("file", fileOption).option("output", {
      alias: "o",
      choices: ["table", "json"] as const,
      default: "table" as const,
      describe: "how to print",
    }),
  handler: async ({ file, output }) => {
    if (output === "json") {
      const { fabric, errors, warnings } = loadFabric(await readSources(file, process.stdin));
      process.stdout.write(`${JSON.stringify({ valid: fabric !== undefined, errors, warnings }, null, 2)}\n`);
      if (!fabric) process.exitCode = 1;
      return;
    }
    const { fabric, errors, warnings, objects } = await loadAndReport(file);
    if (!fabric) throw new InvalidManifestsError(errors.length);
    const warned = warnings.length > 0 ? `, ${warnings.length} warnings` : "";
    process.stdout.write(`valid: ${objects.length} objects${warned}\n`);
  },
};
