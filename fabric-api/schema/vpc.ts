// VPCInfo.spec and External.spec: the routing domains.

import { z } from "zod";
import { cidr, vni } from "./common.ts";

export const vpcInfoSpec = z.strictObject({
  vni,
  subnets: z.record(z.string().min(1), z.strictObject({ cidr })).default({}),
});

export const externalSpec = z
  .strictObject({
    ipv4Namespace: z.string().optional(),
    inboundCommunity: z.string().optional(),
    outboundCommunity: z.string().optional(),
    static: z.strictObject({ prefixes: z.array(cidr) }).optional(),
    vni: vni.optional(),
  })
  .default({});
