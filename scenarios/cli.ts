// `fabgate lab up|down|run|exec|list`: fabrics in network namespaces, and scenarios on them.
import type { CommandModule } from "yargs";
import { LabError } from "./lab/errors.ts";
import { Lab } from "./lab/lab.ts";
import { conditionOf, labNames, readState } from "./lab/state.ts";
import { runScenario, type StepResult } from "./run/runner.ts";
import { findScenario, readScenario, scenarioNames } from "./run/scenario.ts";
import { lossTableText, stepLine } from "./run/text.ts";

const outputOption = {
  alias: "o",
  choices: ["table", "json"] as const,
  default: "table" as "table" | "json",
  describe: "how to print",
};
const scenarioOption = { type: "string", demandOption: true, describe: "a scenario's name, or its directory" } as const;
const nameOption = { type: "string", describe: "the lab's name (default: the topology's)" } as const;

const SIGNALLED: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

const up: CommandModule<object, { scenario: string; name?: string | undefined }> = {
  command: "up <scenario>",
  describe: "bring a scenario's fabric up and leave it running",
  builder: (yargs) => yargs.positional("scenario", scenarioOption).option("name", nameOption),
  handler: async ({ scenario: which, name }) => {
    const scenario = readScenario(findScenario(which));
    const startMs = performance.now();
    await untilSignal(async (signal) => {
      const lab = await Lab.up({
        topologyFile: scenario.topologyFile,
        ...(name === undefined ? {} : { name }),
        manifests: scenario.manifests,
        owned: false,
        signal,
      });
      const nodes = lab.nodes.map((node) => node.name).join(" ");
      process.stdout.write(
        `lab ${lab.name} is up after ${Math.round(performance.now() - startMs)} ms: ${nodes}\n` +
          `manifests that its gateways watch: ${lab.manifestsDirectory}\n` +
          `fabgate lab exec --lab ${lab.name} ${lab.nodes[0]?.name} -- COMMAND    fabgate lab down ${lab.name}\n`,
      );
    });
  },
};

const down: CommandModule<object, { name?: string | undefined; all: boolean }> = {
  command: "down [name]",
  describe: "take a lab down: processes, namespaces, links",
  builder: (yargs) =>
    yargs
      .positional("name", { type: "string", describe: "the lab's name" })
      .option("all", { type: "boolean", default: false, describe: "all labs" }),
  handler: async ({ name, all }) => {
    if ((name !== undefined) === all) throw new LabError("ERR_LAB_USAGE", "name a lab, or give --all");
    const names = name === undefined ? labNames() : [name];
    for (const each of names) {
      if (!labNames().includes(each))
        throw new LabError("ERR_LAB_USAGE", `no lab ${each} (${labNames().join(", ") || "none is up"})`);
      await Lab.remove(each);
      process.stdout.write(`lab ${each} is down\n`);
    }
  },
};

const run: CommandModule<
  object,
  { scenario: string; output: "table" | "json"; keep: boolean; name?: string | undefined }
> = {
  command: "run <scenario>",
  describe: "run a scenario: exit status 0 only if every step holds",
  builder: (yargs) =>
    yargs
      .positional("scenario", scenarioOption)
      .option("output", outputOption)
      .option("keep", { type: "boolean", default: false, describe: "leave the lab up afterwards" })
      .option("name", nameOption),
  handler: async ({ scenario: which, output, keep, name }) => {
    const scenario = readScenario(findScenario(which));
    // With -o json, standard output is for the result alone.
    const say = (text: string) => (output === "json" ? process.stderr : process.stdout).write(`${text}\n`);
    say(`${scenario.name}: ${scenario.description}`);
    await untilSignal(async (signal) => {
      const result = await runScenario(scenario, {
        ...(name === undefined ? {} : { name }),
        keep,
        signal,
        onUp: (upMs) =>
          say(`ok   ${`${Math.round(upMs)} ms`.padStart(9)}  lab up: ${scenario.topology.nodes.length} nodes`),
        onStep: (step: StepResult) => say(stepLine(step)),
        onDiagnosis: ({ summary, directory }) => say(`\n${summary.join("\n")}\n\nall of it: ${directory}`),
      });
      const table = lossTableText(result.lossWindows);
      if (table !== "") say(`\n${table}`);
      const held = result.steps.filter((step) => step.ok).length;
      say(
        `\n${scenario.name}: ${result.ok ? "all" : "only"} ${held} steps hold, ${(result.durationMs / 1000).toFixed(1)} s`,
      );
      if (output === "json") process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
      if (!result.ok) process.exitCode = 1;
    });
  },
};

const exec: CommandModule<object, { node: string; command?: string[] | undefined; lab?: string | undefined }> = {
  command: "exec <node> [command..]",
  describe: "run a command on a node of a running lab",
  builder: (yargs) =>
    yargs
      .positional("node", { type: "string", demandOption: true, describe: "the node's name" })
      .positional("command", { type: "string", array: true, describe: "after --, the command" })
      .option("lab", { type: "string", describe: "the lab's name (default: the only one)" }),
  handler: async ({ node, command, lab: name, ...rest }) => {
    const after = (rest as { "--"?: string[] })["--"] ?? [];
    const argv = [...(command ?? []), ...after].map(String);
    if (argv.length === 0) throw new LabError("ERR_LAB_USAGE", `give a command: fabgate lab exec ${node} -- COMMAND`);
    process.exitCode = await Lab.open(name ?? onlyLab()).execInteractive(node, argv);
  },
};

const list: CommandModule<object, { output: "table" | "json" }> = {
  command: "list",
  describe: "list the scenarios, and the labs that are running",
  builder: (yargs) => yargs.option("output", outputOption),
  handler: ({ output }) => {
    const scenarios = scenarioNames().map((name) => {
      const { description, topology } = readScenario(findScenario(name));
      return { name, nodes: topology.nodes.length, description };
    });
    const labs = labNames().map((name) => ({ name, condition: conditionOf(readState(name)) }));
    if (output === "json") {
      process.stdout.write(`${JSON.stringify({ scenarios, labs }, undefined, 2)}\n`);
      return;
    }
    const width = Math.max(...scenarios.map(({ name }) => name.length), "SCENARIO".length);
    process.stdout.write(`${"SCENARIO".padEnd(width)}  NODES  WHAT IT SHOWS\n`);
    for (const { name, nodes, description } of scenarios) {
      process.stdout.write(`${name.padEnd(width)}  ${String(nodes).padStart(5)}  ${description}\n`);
    }
    process.stdout.write(labs.length === 0 ? "\nno lab is running\n" : "\nLAB\n");
    for (const { name, condition } of labs) process.stdout.write(`${name}  ${condition}\n`);
  },
};

export const labCommand: CommandModule = {
  command: "lab",
  describe: "fabrics in network namespaces: bring up, try, break",
  builder: (yargs) =>
    yargs.command(up).command(down).command(run).command(exec).command(list).demandCommand(1, "name a lab command"),
  handler: () => {
    // One of the commands below it runs.
  },
};

function onlyLab(): string {
  const running = labNames().filter((name) => conditionOf(readState(name)) !== "leftover");
  const [only] = running;
  if (only === undefined || running.length > 1) {
    throw new LabError(
      "ERR_LAB_USAGE",
      running.length === 0 ? "no lab is running" : `say which with --lab: ${running.join(", ")}`,
    );
  }
  return only;
}

/** Runs something that cleans up after itself when it is aborted, and aborts it on Ctrl-C or a polite kill. */
async function untilSignal(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  let received: string | undefined;
  const abort = (name: NodeJS.Signals) => {
    received ??= name;
    controller.abort(new LabError("ERR_LAB_UNREACHABLE", `stopped by ${name}`));
  };
  const names = Object.keys(SIGNALLED) as NodeJS.Signals[];
  for (const name of names) process.on(name, abort);
  try {
    await work(controller.signal);
  } catch (error) {
    if (received === undefined) throw error;
    process.stderr.write(`stopped by ${received}; the lab is down\n`);
    process.exitCode = SIGNALLED[received] ?? 1;
  } finally {
    for (const name of names) process.off(name, abort);
  }
}
