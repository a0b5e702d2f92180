// `fabgate diff -f …`: what `apply` would change, per gateway, for a reviewer. Changes nothing.

import type { CommandModule } from "yargs";
import { type Fabric, readSources } from "../../fabric-api/index.ts";
import { UnknownGatewayError } from "../errors.ts";
import { compareFabrics } from "../plan/compare.ts";
import { pruneOption } from "./apply.ts";
import { diffText } from "./diff-text.ts";
import { fileOption } from "./manifests.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";
import { communityAsnOption, prependOption, type SignalArguments, signalsOf } from "./signals.ts";
import { intend, manifestsOption, openStore, requireValid } from "./stored.ts";

interface DiffArguments extends SignalArguments {
  readonly file: string[];
  readonly manifests: string;
  readonly gateway?: string | undefined;
  readonly prune: boolean;
  readonly output: OutputFormat;
}

const NO_FABRIC: Fabric = { gateways: [], groups: [], vpcs: [], peerings: [] };

export const diffCommand: CommandModule<object, DiffArguments> = {
  command: "diff",
  describe: "show what apply would change: routes, policy, sessions of each gateway",
  builder: (yargs) =>
    yargs
      .option("file", fileOption)
      .option("manifests", manifestsOption)
      .option("gateway", { string: true, describe: "only this gateway" })
      .option("prune", pruneOption)
      .option("output", outputOption)
      .option("community-asn", communityAsnOption)
      .option("prepend", prependOption),
  handler: async (args) => {
    const { file, manifests, gateway, prune, output } = args;
    const stream = await readSources(file, process.stdin);
    const { before, after, sources, outcomes } = intend(await openStore(manifests).list(), stream, { prune });
    requireValid(after, sources);
    // What is stored and invalid is in force nowhere that can be told from here.
    if (before.fabric === undefined) {
      process.stderr.write(`warning: what ${manifests} holds now is invalid; the comparison is with nothing\n`);
    }
    const all = compareFabrics(before.fabric ?? NO_FABRIC, after.fabric ?? NO_FABRIC, signalsOf(args));
    const gateways = gateway === undefined ? all : all.filter((one) => one.gateway === gateway);
    if (gateway !== undefined && gateways.length === 0) {
      throw new UnknownGatewayError(
        gateway,
        all.map((one) => one.gateway),
      );
    }
    print(output, { objects: outcomes, gateways }, () => diffText(outcomes, gateways));
  },
};
