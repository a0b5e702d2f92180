#!/usr/bin/env node
// The command line `fabgate …`: one file a command. Exit status: 0 success, 1 the thing asked about is wrong, 2 usage,
// 3 a component cannot be reached. Results go to standard output, errors to standard error in one line that says what to do.

import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { STDIN } from "../../fabric-api/index.ts";
import { agentCommand } from "./agent.ts";
import { applyCommand } from "./apply.ts";
import { chooseShell, completionsOf, withCompletion } from "./completion.ts";
import { countersCommand } from "./counters.ts";
import { crdsCommand } from "./crds.ts";
import { deleteCommand } from "./delete.ts";
import { describeCommand } from "./describe.ts";
import { diffCommand } from "./diff.ts";
import { exitCodeOf, messageOf } from "./failure.ts";
import { getCommand } from "./get.ts";
import { planCommand } from "./plan.ts";
import { statusCommand } from "./status.ts";
import { validateCommand } from "./validate.ts";
import { version } from "./version.ts";

const EXIT_USAGE = 2;

const words = withStandardInput(hideBin(process.argv));
async function run(): Promise<void> {
  const completions = await completionsOf(words);
  if (completions !== undefined) {
    process.stdout.write(completions.map((word) => `${word}\n`).join(""));
    return;
  }
  chooseShell(words);
  const parser = yargs(words)
    .scriptName("fabgate")
    .usage("$0 <command>\n\nA gateway for EVPN/VXLAN data-centre fabrics.")
    .command(validateCommand)
    .command(planCommand)
    .command(diffCommand)
    .command(applyCommand)
    .command(getCommand)
    .command(describeCommand)
    .command(deleteCommand)
    .command(crdsCommand)
    .command(agentCommand)
    .command(statusCommand)
    .command(countersCommand)
    .demandCommand(1, "name a command")
    .strict()
    .version(version)
    .wrap(Math.min(120, process.stdout.columns ?? 120))
    .fail((message, error) => {
      if (error) throw error;
      process.stderr.write(`fabgate: ${message}; "fabgate --help" lists the commands and their options\n`);
      process.exit(EXIT_USAGE);
    });
  // A gateway node has no lab: it is loaded where it is asked for, or to be listed.
  if (words[0] === undefined || words[0] === "lab" || words[0].startsWith("-")) {
    parser.command((await import("../../scenarios/cli.ts")).labCommand);
  }
  await withCompletion(parser).parseAsync();
}

/** `-f -` as the parser understands it: an option that takes several values takes none that looks like an option. */
function withStandardInput(given: readonly string[]): string[] {
  const isFile = (word: string | undefined) => word === "-f" || word === "--file";
  return given.flatMap((word, index) => {
    if (isFile(word) && given[index + 1] === STDIN) return [];
    return word === STDIN && isFile(given[index - 1]) ? [`--file=${STDIN}`] : [word];
  });
}

try {
  await run();
} catch (error) {
  process.stderr.write(`fabgate: ${messageOf(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
