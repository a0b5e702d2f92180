// `fabgate bfd --gateway NAME`: the BFD sessions of one gateway node, in a process of its own, logging JSON.

import { mkdir } from "node:fs/promises";
import type { CommandModule } from "yargs";
import { gatewayPaths } from "../paths.ts";

interface BfdArguments {
  readonly gateway: string;
}

export const bfdCommand: CommandModule<object, BfdArguments> = {
  command: "bfd",
  describe: "hold the BFD sessions of a gateway node",
  builder: (yargs) =>
    yargs.option("gateway", { string: true, demandOption: true, describe: "name of this gateway in the manifests" }),
  handler: async ({ gateway }) => {
    // The BFD daemon loads what it needs in the order in which packets need it.
    const { runBfd } = await import("../../bgp/bfd/daemon.ts");
    const { createLog } = await import("../log.ts");
    const paths = gatewayPaths(gateway);
    await mkdir(paths.runDirectory, { recursive: true, mode: 0o700 });
    const stop = new AbortController();
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => stop.abort());
    await runBfd({
      socketPath: paths.bfdSocket,
      stateFile: paths.bfdState,
      signal: stop.signal,
      log: createLog(gateway).child({ component: "bfd" }),
    });
    process.exit(0);
  },
};
