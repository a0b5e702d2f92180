// `fabgate get KIND|KIND/NAME…`: the stored objects, as kubectl shows them.

import type { CommandModule } from "yargs";
import {
  type Fabric,
  formatDiagnostic,
  type KindName,
  keyText,
  loadFabric,
  type ManifestObject,
  plainObject,
  printYaml,
} from "../../fabric-api/index.ts";
import { keyed, kindNames, select, targetsOf } from "./kinds.ts";
import { columns, OUTPUT_FORMATS } from "./output.ts";
import { parseSelector } from "./selector.ts";
import { manifestsOption, openStore } from "./stored.ts";
import { rowOf, TABLES } from "./tables.ts";

const FORMATS = [...OUTPUT_FORMATS, "name"] as const;

interface GetArguments {
  readonly what: string[];
  readonly manifests: string;
  readonly selector?: string | undefined;
  readonly output: (typeof FORMATS)[number];
}

export const getCommand: CommandModule<object, GetArguments> = {
  command: "get <what..>",
  describe: "list stored objects",
  builder: (yargs) =>
    yargs
      .positional("what", {
        array: true,
        type: "string",
        demandOption: true,
        describe: `KIND, KIND NAME…, KIND/NAME… or all; kinds: ${kindHelp()}`,
      })
      .option("manifests", manifestsOption)
      .option("selector", { alias: "l", string: true, describe: "labels: a=b,c!=d,e,!f,g in (h,i)" })
      .option("output", { alias: "o", choices: FORMATS, default: "table" as const, describe: "how to print" }),
  handler: async ({ what, manifests, selector, output }) => {
    const targets = targetsOf(what);
    const matches = selector === undefined ? () => true : parseSelector(selector);
    const { sources } = await openStore(manifests).list();
    const { objects, fabric, errors } = loadFabric(sources);
    for (const finding of errors) process.stderr.write(`${formatDiagnostic(finding, sources)}\n`);
    const selected = select(keyed(objects), targets).filter(({ object }) => matches(object.metadata.labels));
    if (selected.length === 0) process.stderr.write("no objects found\n");
    const isOne = selected.length === 1 && targets.length === 1 && targets[0]?.name !== undefined;
    const plain = selected.map(({ object }) => plainObject(object));
    const value = isOne ? plain[0] : { apiVersion: "v1", kind: "List", items: plain };
    switch (output) {
      case "json":
        process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
        return;
      case "yaml":
        process.stdout.write(printYaml(value));
        return;
      case "name":
        process.stdout.write(selected.map((one) => `${keyText(one)}\n`).join(""));
        return;
      default:
        process.stdout.write(
          tablesOf(
            selected.map(({ object }) => object),
            fabric,
            output === "wide",
          ),
        );
    }
  },
};

/** The kinds with their short names, for help. */
export function kindHelp(): string {
  return kindNames()
    .map(({ singular, shortNames }) => `${singular} (${shortNames.join(", ")})`)
    .join(", ");
}

/** One table for each kind; names carry their kind where there are several. Exported for its test. */
export function tablesOf(objects: readonly ManifestObject[], fabric: Fabric | undefined, wide: boolean): string {
  const kinds = [...new Set(objects.map(({ kind }) => kind))];
  const tables = kinds.map((kind) =>
    tableOf(
      kind,
      objects.filter((object) => object.kind === kind),
      fabric,
      wide,
      kinds.length > 1,
    ),
  );
  return tables.join("\n");
}

function tableOf(
  kind: KindName,
  objects: readonly ManifestObject[],
  fabric: Fabric | undefined,
  wide: boolean,
  prefixed: boolean,
): string {
  const spread = objects.some(({ metadata }) => metadata.namespace !== "default");
  const { narrow, extra } = TABLES[kind];
  const headings = [...(spread ? ["namespace"] : []), "name", ...narrow, ...(wide ? [...extra, "labels"] : [])];
  const rows = objects.map((object) => {
    const { name, namespace, labels } = object.metadata;
    const cells = rowOf(object, fabric);
    const labelText = Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(",");
    return [
      ...(spread ? [namespace] : []),
      prefixed ? `${kind.toLowerCase()}/${name}` : name,
      ...cells.slice(0, narrow.length),
      ...(wide ? [...cells.slice(narrow.length), labelText || "-"] : []),
    ];
  });
  return columns(headings, rows);
}
