// Idle times of flows. RFC 5382 (TCP), RFC 4787 (UDP) and RFC 5508 (ICMP) set the least that a NAT must wait.

import type { FlowTimeouts } from "./fabric.ts";

/** Where a manifest sets none: TCP 2 h 4 min established and 4 min transitory, UDP 5 min, ICMP 60 s. */
export const DEFAULT_TIMEOUTS: FlowTimeouts = {
  tcpEstablishedMs: 7_440_000,
  tcpTransitoryMs: 240_000,
  udpMs: 300_000,
  icmpMs: 60_000,
};

/** `idleTimeout` of a manifest, in whole milliseconds and at least one, is that of all but transitory TCP. */
export function flowTimeouts(idleTimeoutMs: number | undefined): FlowTimeouts {
  if (idleTimeoutMs === undefined) return DEFAULT_TIMEOUTS;
  const idleMs = Math.max(1, Math.round(idleTimeoutMs));
  return { ...DEFAULT_TIMEOUTS, tcpEstablishedMs: idleMs, udpMs: idleMs, icmpMs: idleMs };
}
