// GatewayGroup.spec: empty, gateways declare their membership themselves.

import { z } from "zod";

export const gatewayGroupSpec = z.strictObject({}).default({});
