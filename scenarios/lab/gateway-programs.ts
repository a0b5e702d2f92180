// What runs on a gateway node: gobgpd, the BFD speaker and the agent. On a real gateway systemd starts them.
import { execOnNode, startOnNode } from "./node.ts";
import type { ProcessId } from "./process-id.ts";

/** Directory of the manifests on every gateway node; a bind of the lab's working copy. */
export const GATEWAY_MANIFESTS = "/etc/fabgate/manifests";

export const GATEWAY_PROGRAMS = ["gobgpd", "bfd", "agent"] as const;
export type GatewayProgram = (typeof GATEWAY_PROGRAMS)[number];

/** Starts one of them on a node; output goes to `log`. */
export async function startGatewayProgram(
  program: GatewayProgram,
  gateway: string,
  init: ProcessId,
  log: string,
  env: Readonly<Record<string, string>>,
): Promise<ProcessId> {
  const runtime = `/run/fabgate/${gateway}`;
  if (program === "agent") {
    const argv = ["fabgate", "agent", "--gateway", gateway, "--manifests", GATEWAY_MANIFESTS];
    return startOnNode(init, argv, log, env);
  }
  if (program === "bfd") return startOnNode(init, ["fabgate", "bfd", "--gateway", gateway], log, env);
  // gobgpd refuses to start where a killed one left its socket.
  await execOnNode(init, ["sh", "-c", 'mkdir -p "$1" && rm -f "$1/gobgp.sock"', "sh", runtime]);
  const argv = ["gobgpd", "--api-hosts", `unix://${runtime}/gobgp.sock`, "--pprof-disable", "--log-plain"];
  return startOnNode(init, argv, log, env);
}
