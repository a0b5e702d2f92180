// Gateway.spec: one gateway node.

import { z } from "zod";
import { isCidr } from "../prefix.ts";
import { asn, mtu, objectName, u32 } from "./common.ts";
import { isUnicastAddress, isUnicastHost, isUnicastMac } from "./formats.ts";

/** Longest name of a Linux interface (IFNAMSIZ without the final zero). */
const IFNAME_MAX = 15;

const interfaceMessage = `must be a name of 1–${IFNAME_MAX} characters without '/', ':' and blanks, not "." or ".."`;

// The pattern goes into the CRDs, whose regular expressions know no lookahead.
const interfaceName = z
  .string()
  .regex(/^[^/:\s]{1,15}$/, { error: interfaceMessage, abort: true })
  .refine((text) => text !== "." && text !== "..", interfaceMessage);

const uplink = z.strictObject({
  ips: z.array(z.string().refine(isCidr, "must be an address with prefix length like 172.30.8.1/31")).min(1),
  kernel: interfaceName.optional(),
  pci: z
    .string()
    .regex(/^(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]$/, "must be a PCI address like 0000:02:00.1")
    .optional(),
  mtu: mtu.optional(),
});

const neighbor = z.strictObject({
  ip: z.string().refine(isUnicastAddress, "must be a unicast address without prefix length like 172.30.8.0"),
  asn,
  source: z.string().optional(),
});

const membership = z.strictObject({ name: objectName, priority: u32.default(0) });

const level = z.enum(["off", "error", "warning", "info", "debug", "trace"]);

const logs = z.strictObject({
  default: level.optional(),
  tags: z.record(z.string(), level).optional(),
  rateLimit: z.strictObject({ burst: u32.default(50), replenishPerSecond: u32.default(5) }).optional(),
});

export const gatewaySpec = z.strictObject({
  asn,
  protocolIP: z
    .string()
    .refine(
      (text) => isUnicastHost(text) && text.endsWith("/32"),
      "must be one IPv4 unicast address like 172.30.8.2/32",
    ),
  vtepIP: z.string().refine(isUnicastHost, "must be one unicast address like 172.30.12.2/32"),
  vtepMAC: z.string().refine(isUnicastMac, "must be a unicast MAC address that is not zero, like ca:fe:ba:be:00:02"),
  vtepMTU: mtu.optional(),
  interfaces: z.record(interfaceName, uplink),
  neighbors: z.array(neighbor).min(1),
  groups: z.array(membership).optional(),
  /** Flows that the flow table holds. */
  flowTableCapacity: z.int().min(1).max(4294967295).default(1_048_576),
  workers: z.int().min(1).max(64).optional(),
  logs: logs.optional(),
  profiling: z.strictObject({ enabled: z.boolean().default(false) }).optional(),
});
