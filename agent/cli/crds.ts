// `fabgate crds`: the kinds as Kubernetes custom resource definitions, for `kubectl apply -f -`.

import type { CommandModule } from "yargs";
import { crds, printYaml } from "../../fabric-api/index.ts";

interface CrdsArguments {
  readonly output: "yaml" | "json";
}

export const crdsCommand: CommandModule<object, CrdsArguments> = {
  command: "crds",
  describe: "print the kinds as Kubernetes CustomResourceDefinitions",
  builder: (yargs) =>
    yargs.option("output", {
      alias: "o",
      choices: ["yaml", "json"] as const,
      default: "yaml" as const,
      describe: "how to print",
    }),
  handler: ({ output }) => {
    const definitions = crds();
    const list = { apiVersion: "v1", kind: "List", items: definitions };
    process.stdout.write(
      output === "json" ? `${JSON.stringify(list, null, 2)}\n` : definitions.map((crd) => printYaml(crd)).join("---\n"),
    );
  },
};
