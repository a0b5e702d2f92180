// `fabgate apply -f …`: puts a stream of manifests into the stored ones, all of it or nothing.

import type { CommandModule } from "yargs";
import { readSources, STDIN } from "../../fabric-api/index.ts";
import { compareFabrics } from "../plan/compare.ts";
import { fileOption } from "./manifests.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";
import { decideAndWrite, intend, manifestsOption, openStore, requireValid } from "./stored.ts";

interface ApplyArguments {
  readonly file: string[];
  readonly manifests: string;
  readonly prune: boolean;
  readonly "dry-run": boolean;
  readonly output: OutputFormat;
}

export const dryRunOption = {
  boolean: true,
  default: false,
  describe: "say what would be done, and do nothing",
} as const;

export const pruneOption = {
  boolean: true,
  default: false,
  describe: "also delete every stored object that the stream does not have",
} as const;

export const applyCommand: CommandModule<object, ApplyArguments> = {
  command: "apply",
  describe: "put manifests into the stored ones: all of them, or none",
  builder: (yargs) =>
    yargs
      .option("file", fileOption)
      .option("manifests", manifestsOption)
      .option("prune", pruneOption)
      .option("dry-run", dryRunOption)
      .option("output", outputOption)
      .example(`$0 apply -f peerings.yaml --dry-run`, "check, and list what would change")
      .example(`$0 apply -f ${STDIN} --prune`, "make the stored manifests what standard input says"),
  handler: async ({ file, manifests, prune, dryRun, output }) => {
    const stream = await readSources(file, process.stdin);
    const { outcomes, after } = await decideAndWrite(openStore(manifests), (listing) => {
      const intent = intend(listing, stream, { prune });
      requireValid(intent.after, intent.sources);
      return { changes: dryRun === true ? [] : intent.changes, result: intent };
    });
    const suffix = dryRun === true ? " (dry run)" : "";
    print(output, outcomes, () => outcomes.map(({ object, outcome }) => `${object} ${outcome}${suffix}\n`).join(""));
    if (after.fabric === undefined) return;
    for (const { refused } of compareFabrics(after.fabric, after.fabric)) {
      for (const message of refused) process.stderr.write(`warning: ${message}; the gateway keeps the plan it has\n`);
    }
  },
};
