// The agent's log: one JSON object a line on standard output, times in ISO 8601.

import { type Logger, pino, stdTimeFunctions } from "pino";

export type Log = Logger;

export function createLog(gateway: string, level = "info"): Log {
  return pino({ level, base: { gateway, pid: process.pid }, timestamp: stdTimeFunctions.isoTime });
}
