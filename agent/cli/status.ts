// `fabgate status`: what this gateway serves, or why not. Exit status 1 while a condition is not True.

import type { CommandModule } from "yargs";
import type { AgentStatus } from "../api/messages.ts";
import { agentSocket, gatewayOption } from "./local-gateway.ts";
import { columns, type OutputFormat, outputOption, print } from "./output.ts";

interface StatusArguments {
  readonly gateway?: string | undefined;
  readonly output: OutputFormat;
}

export const statusCommand: CommandModule<object, StatusArguments> = {
  command: "status",
  describe: "show what a gateway serves, its sessions and conditions",
  builder: (yargs) => yargs.option("gateway", gatewayOption).option("output", outputOption),
  handler: async ({ gateway, output }) => {
    const { fetchStatus } = await import("../api/client.ts");
    const status = await fetchStatus(agentSocket(gateway));
    print(output, status, () => statusTable(status));
    if (status.conditions.some((condition) => condition.status !== "True")) process.exitCode = 1;
  },
};

function statusTable(status: AgentStatus): string {
  const { bgp, manifests } = status;
  const head = [
    `gateway ${status.gateway} (fabgate ${status.version}, pid ${status.pid})`,
    `manifests ${manifests.directory}, generation ${manifests.generation}`,
    `routes announced ${bgp.announced}, learned ${bgp.learned}${bgp.stale ? " (from before gobgpd was lost)" : ""}`,
    `flows ${status.flows.live} of ${status.flows.capacity}, masqueraded endpoints ${status.flows.mappings}`,
    ...manifests.errors,
  ];
  return [
    `${head.join("\n")}\n`,
    columns(
      ["peering", "group", "rank", "role", "announced", "why not"],
      status.peerings.map((row) => [
        row.peering,
        row.group,
        row.rank,
        row.role,
        `${row.announced}/${row.wanted}`,
        row.reasons.join(", "),
      ]),
    ),
    columns(
      ["uplink", "link", "mtu", "dataplane", "why not"],
      status.uplinks.map((row) => [row.name, row.up ? "up" : "down", row.mtu, row.dataplane, row.reason]),
    ),
    columns(
      ["neighbor", "asn", "state", "bfd", "since"],
      bgp.peers.map((peer) => [
        peer.address,
        peer.asn,
        peer.state,
        peer.bfd || "-",
        new Date(peer.sinceMs).toISOString(),
      ]),
    ),
    columns(
      ["condition", "status", "reason", "message"],
      status.conditions.map((row) => [row.type, row.status, row.reason, row.message]),
    ),
  ].join("\n");
}
