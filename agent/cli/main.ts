#!/usr/bin/env node
// The command line `fabgate …`: one file a command. Exit status: 0 success, 1 the thing asked about is wrong, 2 usage,
// 3 a component cannot be reached. Results go to standard output, errors to standard error in one line that says what to do.

import yargs, { type Argv, type CommandModule } from "yargs";
import { hideBin } from "yargs/helpers";
import { exitCodeOf, messageOf } from "./failure.ts";
import { version } from "./version.ts";

const EXIT_USAGE = 2;
const STDIN = "-";

/** Adds a command to the parser. */
type Register = (parser: Argv) => Argv;

/**
 * In the order in which the help lists them. A command that is named is loaded alone: a BFD process that is started again has a
 * fraction of a second to be back, and a gateway node needs no lab.
 */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  validate: async () => register((await import("./validate.ts")).validateCommand),
  plan: async () => register((await import("./plan.ts")).planCommand),
  diff: async () => register((await import("./diff.ts")).diffCommand),
  apply: async () => register((await import("./apply.ts")).applyCommand),
  get: async () => register((await import("./get.ts")).getCommand),
  describe: async () => register((await import("./describe.ts")).describeCommand),
  delete: async () => register((await import("./delete.ts")).deleteCommand),
  crds: async () => register((await import("./crds.ts")).crdsCommand),
  agent: async () => register((await import("./agent.ts")).agentCommand),
  bfd: async () => register((await import("./bfd.ts")).bfdCommand),
  status: async () => register((await import("./status.ts")).statusCommand),
  counters: async () => register((await import("./counters.ts")).countersCommand),
  lab: async () => register((await import("../../scenarios/cli.ts")).labCommand),
};

function register<T>(command: CommandModule<object, T>): Register {
  return (parser) => parser.command(command);
}

async function run(words: readonly string[]): Promise<void> {
  const named = COMMANDS[words[0] ?? ""];
  if (named) {
    await parserFor(words, [await named()]).parseAsync();
    return;
  }
  const { chooseShell, completionsOf, withCompletion } = await import("./completion.ts");
  const completions = await completionsOf(words);
  if (completions !== undefined) {
    process.stdout.write(completions.map((word) => `${word}\n`).join(""));
    return;
  }
  chooseShell(words);
  const all = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  await withCompletion(parserFor(words, all)).parseAsync();
}

function parserFor(words: readonly string[], commands: readonly Register[]): Argv {
  const parser = yargs(words)
    .scriptName("fabgate")
    .parserConfiguration({ "populate--": true })
    .usage("$0 <command>\n\nA gateway for EVPN/VXLAN data-centre fabrics.")
    .demandCommand(1, "name a command")
    .strict()
    .version(version)
    .wrap(Math.min(120, process.stdout.columns ?? 120))
    .fail((message, error) => {
      if (error) throw error;
      process.stderr.write(`fabgate: ${message}; "fabgate --help" lists the commands and their options\n`);
      process.exit(EXIT_USAGE);
    });
  return commands.reduce((extended, add) => add(extended), parser as Argv);
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
  await run(withStandardInput(hideBin(process.argv)));
} catch (error) {
  process.stderr.write(`fabgate: ${messageOf(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
