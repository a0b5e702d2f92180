// Durations in scenario files: "1ms", "300ms", "5s", "2m".
import { z } from "zod";

const UNITS_MS = { ms: 1, s: 1000, m: 60_000 } as const;

/** A positive duration, parsed to milliseconds. */
export const duration = z
  .string({ error: 'a duration such as "300ms" or "5s"' })
  .regex(/^[0-9]+(\.[0-9]+)?(ms|s|m)$/, 'a duration such as "300ms" or "5s"')
  .transform((text) => {
    const unit = /[a-z]+$/.exec(text)?.[0] as keyof typeof UNITS_MS;
    return Number.parseFloat(text) * UNITS_MS[unit];
  });
