// GatewayPeering.spec: two sides and what each exposes. How fields combine is checked by ../rules.

import { z } from "zod";
import { acl } from "./acl.ts";
import { cidr, objectName } from "./common.ts";
import { nat } from "./nat.ts";

const included = z.strictObject({
  cidr: cidr.optional(),
  not: cidr.optional(),
  vpcSubnet: z.string().min(1).optional(),
});

const translated = z.strictObject({ cidr: cidr.optional(), not: cidr.optional() });

const expose = z.strictObject({
  default: z.boolean().default(false),
  ips: z.array(included).optional(),
  as: z.array(translated).optional(),
  nat: nat.optional(),
});

const side = z.strictObject({ expose: z.array(expose).default([]) });

export const gatewayPeeringSpec = z.strictObject({
  gatewayGroup: objectName.default("default"),
  peering: z.record(z.string(), side),
  acl: acl.optional(),
});

export type ExposeSpec = z.output<typeof expose>;
export type IncludedSpec = z.output<typeof included>;
