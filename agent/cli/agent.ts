// `fabgate agent --gateway NAME --manifests DIR`: the agent of one gateway node, in the foreground, logging JSON.

import type { CommandModule } from "yargs";
import { communityAsnOption, prependOption, type SignalArguments, signalsOf } from "./signals.ts";
import { version } from "./version.ts";

const LOG_LEVELS = ["silent", "error", "warn", "info", "debug", "trace"] as const;
const ON_STOP = ["hand-over", "withdraw"] as const;

interface AgentArguments extends SignalArguments {
  readonly gateway: string;
  readonly manifests: string;
  readonly "on-stop": (typeof ON_STOP)[number];
  readonly "bfd-interval": number;
  readonly "bfd-multiplier": number;
  readonly "log-level": (typeof LOG_LEVELS)[number];
}

export const agentCommand: CommandModule<object, AgentArguments> = {
  command: "agent",
  describe: "run the agent of a gateway node",
  builder: (yargs) =>
    yargs
      .option("gateway", { string: true, demandOption: true, describe: "name of this gateway in the manifests" })
      .option("manifests", { string: true, demandOption: true, describe: "directory of manifests, watched" })
      .option("on-stop", {
        choices: ON_STOP,
        default: "hand-over" as const,
        describe: "on SIGTERM: leave routes and forwarding as they are, or take them back",
      })
      .option("bfd-interval", { number: true, default: 100, describe: "milliseconds between BFD packets, 10 to 60000" })
      .option("bfd-multiplier", { number: true, default: 3, describe: "BFD packets in a row that may be missing" })
      .option("log-level", { choices: LOG_LEVELS, default: "info" as const, describe: "least level that is logged" })
      .option("community-asn", communityAsnOption)
      .option("prepend", prependOption),
  handler: async (args) => {
    const { Agent } = await import("../agent.ts");
    const { createLog } = await import("../log.ts");
    const { gateway, manifests } = args;
    const bfd = { intervalMs: args.bfdInterval, multiplier: args.bfdMultiplier };
    const log = createLog(gateway, args.logLevel);
    const agent = new Agent({ gateway, manifests, version, signals: signalsOf(args), bfd, log });
    const stopped = new Promise<void>((resolve, reject) => {
      const stop = () => agent.stop(args.onStop).then(resolve, reject);
      process.once("SIGTERM", stop);
      process.once("SIGINT", stop);
    });
    await agent.start();
    await stopped;
    // Whatever still lingers in the event loop (a socket that is closing) must not hold a stopped agent.
    process.exit(0);
  },
};
