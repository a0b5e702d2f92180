// `nat` of an expose block.

import { z } from "zod";
import { duration } from "./common.ts";
import { parsePorts } from "./formats.ts";

/** "N" or "A-B". */
export const ports = z
  .string()
  .refine(
    (text) => parsePorts(text) !== undefined,
    'must be a port "N" or a range "A-B" within 1–65535, without blanks',
  );

const forwarded = z.strictObject({
  proto: z.enum(["tcp", "udp", ""]).default(""),
  port: ports,
  as: ports,
});

export const nat = z.strictObject({
  static: z.strictObject({}).optional(),
  masquerade: z.strictObject({ idleTimeout: duration.optional() }).optional(),
  portForward: z.strictObject({ idleTimeout: duration.optional(), ports: z.array(forwarded).min(1) }).optional(),
});

export type NatSpec = z.output<typeof nat>;
