// `fabgate delete KIND NAME…` and `fabgate delete -f …`: takes objects out of the stored manifests, all of them or none.

import type { CommandModule } from "yargs";
import { formatDiagnostic, loadFabric, objectsIn, readSources } from "../../fabric-api/index.ts";
import { InvalidManifestsError, NoObjectsError, UsageError } from "../errors.ts";
import { dryRunOption } from "./apply.ts";
import { deletionOf } from "./deletion.ts";
import { kindHelp } from "./get.ts";
import { selectOne, type Target, targetsOf } from "./kinds.ts";
import { fileOption } from "./manifests.ts";
import { decideAndWrite, manifestsOption, openStore } from "./stored.ts";

interface DeleteArguments {
  readonly what?: string[] | undefined;
  readonly file?: string[] | undefined;
  readonly manifests: string;
  readonly cascade: boolean;
  readonly "dry-run": boolean;
}

export const deleteCommand: CommandModule<object, DeleteArguments> = {
  command: "delete [what..]",
  describe: "delete stored objects that nothing refers to",
  builder: (yargs) =>
    yargs
      .positional("what", {
        array: true,
        type: "string",
        describe: `KIND NAME… or KIND/NAME…; kinds: ${kindHelp()}`,
      })
      .option("file", { ...fileOption, demandOption: false, describe: "delete the objects that these manifests name" })
      .option("manifests", manifestsOption)
      .option("cascade", {
        boolean: true,
        default: false,
        describe: "also delete peerings that refer to what is deleted, and end memberships in deleted groups",
      })
      .option("dry-run", dryRunOption),
  handler: async ({ what = [], file = [], manifests, cascade, dryRun }) => {
    const targets = file.length > 0 ? await targetsIn(file) : targetsOf(what);
    if (file.length > 0 && what.length > 0) throw new UsageError("name objects, or files with -f, not both");
    if (targets.some(({ name }) => name === undefined))
      throw new UsageError("name the objects: KIND NAME… or KIND/NAME…");
    const outcomes = await decideAndWrite(openStore(manifests), (listing) => {
      const objects = [...new Set(targets.map((target) => selectOne(listing.objects, target)))];
      const deletion = deletionOf(listing, objects, cascade);
      // What was wrong before may stay so; nothing may become wrong.
      const { errors } = loadFabric(deletion.sources);
      if (errors.length > loadFabric(listing.sources).errors.length) {
        for (const error of errors) process.stderr.write(`${formatDiagnostic(error, deletion.sources)}\n`);
        throw new InvalidManifestsError(errors.length);
      }
      return { changes: dryRun === true ? [] : deletion.changes, result: deletion.outcomes };
    });
    const suffix = dryRun === true ? " (dry run)" : "";
    process.stdout.write(outcomes.map(({ object, outcome }) => `${object} ${outcome}${suffix}\n`).join(""));
  },
};

async function targetsIn(files: readonly string[]): Promise<Target[]> {
  const objects = objectsIn(await readSources(files, process.stdin));
  if (objects.length === 0) throw new NoObjectsError();
  return objects.map(({ kind, namespace, name }) => ({ kinds: [kind], namespace, name }));
}
