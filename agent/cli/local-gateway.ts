// Which gateway's agent a command talks to: the named one, or the only one on this machine.

import { GatewayNotChosenError } from "../errors.ts";
import { gatewayPaths, localGateways } from "../paths.ts";

export const gatewayOption = {
  string: true,
  describe: "name of the gateway; may be left out where only one runs",
} as const;

/** Path of the agent's socket. @throws GatewayNotChosenError */
export function agentSocket(gateway: string | undefined): string {
  const local = localGateways();
  const chosen = gateway ?? (local.length === 1 ? local[0] : undefined);
  if (chosen === undefined) throw new GatewayNotChosenError(local);
  return gatewayPaths(chosen).agentSocket;
}
