// Where a gateway's run-time files are (design.md, "Processes on a gateway node").

import { readdirSync } from "node:fs";

export const RUN_DIRECTORY = "/run/fabgate";
export const PIN_DIRECTORY = "/sys/fs/bpf/fabgate";

export interface GatewayPaths {
  readonly runDirectory: string;
  readonly agentSocket: string;
  readonly gobgpSocket: string;
  readonly bfdSocket: string;
  /** What `fabgate bfd` keeps over a restart of itself. */
  readonly bfdState: string;
  readonly pinDirectory: string;
}

export function gatewayPaths(
  gateway: string,
  runDirectory = RUN_DIRECTORY,
  pinDirectory = PIN_DIRECTORY,
): GatewayPaths {
  const own = `${runDirectory}/${gateway}`;
  return {
    runDirectory: own,
    agentSocket: `${own}/agent.sock`,
    gobgpSocket: `${own}/gobgp.sock`,
    bfdSocket: `${own}/bfd.sock`,
    bfdState: `${own}/bfd.state`,
    pinDirectory: `${pinDirectory}/${gateway}`,
  };
}

/** Gateways that have a run directory on this machine. */
export function localGateways(runDirectory = RUN_DIRECTORY): string[] {
  try {
    return readdirSync(runDirectory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch {
    return [];
  }
}
