// Which neighbours BFD has declared dead. Pure. A session that was never Up, or that somebody switched off, says nothing about
// the path (RFC 5882 sections 3.2 and 4.1): only a session that was Up and failed does.

import type { SessionReport } from "../../bgp/bfd/messages.ts";

type Report = Pick<SessionReport, "key" | "state" | "reason" | "ups">;

const FAILURES: readonly SessionReport["reason"][] = ["detection-time-expired", "neighbor-down"];
const SWITCHED_OFF: readonly SessionReport["reason"][] = ["neighbor-admin-down", "admin-down", "admin-up"];

/** The failed neighbours' addresses after these reports; those not reported stay as they were. */
export function bfdFailures(before: ReadonlySet<string>, reports: readonly Report[]): ReadonlySet<string> {
  const failed = new Set(before);
  for (const { key, state, reason, ups } of reports) {
    if (state === "Up" || SWITCHED_OFF.includes(reason)) failed.delete(key.peer);
    else if (ups > 0 && FAILURES.includes(reason)) failed.add(key.peer);
    // Anything else is the handshake on the way back: the neighbour counts as before until it is Up.
  }
  return failed;
}
