// `fabgate counters`: packets and bytes per peering and direction, drops by reason.

import type { CommandModule } from "yargs";
import type { AgentCounters } from "../api/messages.ts";
import { agentSocket, gatewayOption } from "./local-gateway.ts";
import { columns, type OutputFormat, outputOption, print } from "./output.ts";

interface CountersArguments {
  readonly gateway?: string | undefined;
  readonly output: OutputFormat;
}

export const countersCommand: CommandModule<object, CountersArguments> = {
  command: "counters",
  describe: "show what a gateway forwarded and dropped, per peering and direction",
  builder: (yargs) => yargs.option("gateway", gatewayOption).option("output", outputOption),
  handler: async ({ gateway, output }) => {
    const { fetchCounters } = await import("../api/client.ts");
    const counters = await fetchCounters(agentSocket(gateway));
    print(output, counters, () => countersTable(counters));
  },
};

function countersTable(counters: AgentCounters): string {
  const directions = columns(
    ["peering", "from", "to", "packets in", "bytes in", "packets out", "bytes out", "drops"],
    counters.directions.map((row) => [
      row.peering,
      row.from,
      row.to,
      row.in.packets,
      row.in.bytes,
      row.out.packets,
      row.out.bytes,
      dropsText(row.drops),
    ]),
  );
  return `${directions}\nnot of a peering: ${dropsText(counters.unattributedDrops)}; passed to the kernel: ${counters.passed}\n`;
}

function dropsText(drops: Readonly<Record<string, number>>): string {
  const shown = Object.entries(drops).map(([reason, packets]) => `${reason} ${packets}`);
  return shown.length > 0 ? shown.join(", ") : "-";
}
