// Schemas that several kinds share. Messages complete the sentence "FIELD …".

import { z } from "zod";
import { isCidr } from "../prefix.ts";
import { DNS_LABEL, DNS_SUBDOMAIN, parseDurationMs } from "./formats.ts";

const nameMessage =
  "must be a DNS name: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit";

/** metadata.name, and every reference to it. */
export const objectName = z.string().max(253, { abort: true }).regex(DNS_SUBDOMAIN, nameMessage);

export const namespaceName = z.string().max(63, { abort: true }).regex(DNS_LABEL, nameMessage);

/** A prefix with length; host bits may be set (they are cleared with a warning). */
export const cidr = z.string().refine(isCidr, "must be a prefix like 10.1.0.0/24");

/** Unsigned 32-bit number. */
export const u32 = z.int().min(0).max(4294967295);

/** Autonomous system number. */
export const asn = z.int().min(1).max(4294967295);

export const vni = z.int().min(1).max(16777215);

/** MTU in bytes. 68 is the least that IPv4 allows. */
export const mtu = z.int().min(68).max(65535);

/** Go duration greater than zero. */
export const duration = z
  .string()
  .refine(
    (text) => (parseDurationMs(text) ?? 0) > 0,
    'must be a duration greater than zero like "2m0s", "90s" or "1h30m"',
  );

/** Accepted and never read: what a cluster adds to an object. */
export const ignored = z.unknown().optional();
