// `fabgate describe KIND NAME`: an object with everything around it.

import type { CommandModule } from "yargs";
import { loadFabric, referencesOf } from "../../fabric-api/index.ts";
import { describeText } from "./describe-text.ts";
import { kindHelp } from "./get.ts";
import { keyed, select, targetsOf } from "./kinds.ts";
import { manifestsOption, openStore } from "./stored.ts";

interface DescribeArguments {
  readonly what: string[];
  readonly manifests: string;
}

export const describeCommand: CommandModule<object, DescribeArguments> = {
  command: "describe <what..>",
  describe: "show objects with what refers to them, ranks, and what is announced where",
  builder: (yargs) =>
    yargs
      .positional("what", {
        array: true,
        type: "string",
        demandOption: true,
        describe: `KIND NAME… or KIND/NAME…; kinds: ${kindHelp()}`,
      })
      .option("manifests", manifestsOption),
  handler: async ({ what, manifests }) => {
    const targets = targetsOf(what);
    const { sources } = await openStore(manifests).list();
    const { objects, fabric, errors, warnings } = loadFabric(sources);
    const surroundings = {
      ...(fabric === undefined ? {} : { fabric }),
      references: referencesOf(objects),
      findings: [...errors, ...warnings],
    };
    const texts = select(keyed(objects), targets).map(({ object }) => describeText(object, surroundings));
    if (texts.length === 0) process.stderr.write("no objects found\n");
    process.stdout.write(texts.join("\n\n"));
  },
};
