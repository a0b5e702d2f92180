// `fabgate plan --gateway NAME -f …`: what one gateway would do with these manifests, without doing anything.

import type { CommandModule } from "yargs";
import { type Plan, plan } from "../plan/plan.ts";
import { fileOption, requireFabric } from "./manifests.ts";
import { columns, type OutputFormat, outputOption, print } from "./output.ts";
import { communityAsnOption, prependOption, type SignalArguments, signalsOf } from "./signals.ts";

interface PlanArguments extends SignalArguments {
  readonly gateway: string;
  readonly file: string[];
  readonly output: OutputFormat;
}

export const planCommand: CommandModule<object, PlanArguments> = {
  command: "plan",
  describe: "show what a gateway would announce and carry",
  builder: (yargs) =>
    yargs
      .option("gateway", { string: true, demandOption: true, describe: "name of the gateway" })
      .option("file", fileOption)
      .option("output", outputOption)
      .option("community-asn", communityAsnOption)
      .option("prepend", prependOption),
  handler: async (args) => {
    const result = plan(await requireFabric(args.file), args.gateway, signalsOf(args));
    print(args.output, result, (wide) => planTable(result, wide));
  },
};

function planTable({ gateway, bgp, served, dataplane }: Plan, wide: boolean): string {
  const peerings = columns(
    ["peering", "group", "rank"],
    served.map(({ peering, group, rank }) => [peering, group, rank]),
  );
  const routes = columns(
    ["into", "prefix", "destination", "peering", "rank", ...(wide ? ["rd", "rt", "communities", "med"] : [])],
    bgp.announcements.map(({ into, destination, peering, rank, route }) => [
      into,
      route.prefix,
      destination.vpc,
      peering,
      rank,
      ...(wide ? [route.rd, route.routeTargets.join(","), route.communities.join(","), route.med ?? ""] : []),
    ]),
  );
  const sessions = columns(
    ["neighbor", "asn", "local"],
    bgp.peers.map((peer) => [peer.address, peer.asn, peer.localAddress ?? "-"]),
  );
  const head = `gateway ${gateway}: AS ${bgp.asn}, router id ${bgp.routerId}, VTEP ${dataplane.vtep.ip} ${dataplane.vtep.mac}\n`;
  return [head, sessions, peerings, routes].join("\n");
}
