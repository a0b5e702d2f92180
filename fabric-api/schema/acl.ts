// `acl` of a peering.

import { z } from "zod";
import { cidr } from "./common.ts";
import { DNS_SUBDOMAIN, isProtocol } from "./formats.ts";
import { ports } from "./nat.ts";

const endpoint = z.strictObject({
  cidr: cidr.optional(),
  vpcSubnet: z.string().min(1).optional(),
  ports: ports.optional(),
});

const match = z.strictObject({
  src: z.array(endpoint).optional(),
  dst: z.array(endpoint).optional(),
  proto: z.string().refine(isProtocol, 'must be tcp, udp, icmp, or a quoted number "0"–"255"').optional(),
});

const rule = z.strictObject({
  name: z.string().max(64, { abort: true }).regex(DNS_SUBDOMAIN, "must be a DNS-style name").optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  action: z.enum(["allow", "deny"]),
  match: match.optional(),
  scope: z.enum(["flow", "packet"]).default("flow"),
  log: z.boolean().default(false),
});

export const acl = z.strictObject({
  default: z.enum(["deny-unless-exposed", "deny"]).default("deny-unless-exposed"),
  rules: z.array(rule).default([]),
});

export type AclSpec = z.output<typeof acl>;
export type AclRuleSpec = z.output<typeof rule>;
export type AclEndpointSpec = z.output<typeof endpoint>;
