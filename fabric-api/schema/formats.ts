// Text formats of the API's fields: names, addresses, MAC addresses, durations, ports, protocols.
// The schemas check with these, the rules parse with these.

import { parseAddress, parseCidr } from "../prefix.ts";

/** RFC 1123 subdomain, as Kubernetes names objects. */
export const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** 6 octets as colon, dash or dotted groups, in lower case with colons; undefined if the text is something else. */
export function parseMac(text: string): string | undefined {
  const separated = /^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i.test(text);
  const dotted = /^[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}$/i.test(text);
  if (!separated && !dotted) return undefined;
  const digits = text.toLowerCase().replace(/[^0-9a-f]/g, "");
  return digits.match(/../g)?.join(":");
}

/** A MAC address that one node can have: not a group address, not zero. */
export function isUnicastMac(text: string): boolean {
  const mac = parseMac(text);
  if (mac === undefined || mac === "00:00:00:00:00:00") return false;
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
}

/** Address of a node: not unspecified, loopback, multicast, reserved or broadcast. Link-local counts as unicast. */
export function isUnicastAddress(text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined) return false;
  if (address.family === 6) return address.value > 1n && address.value >> 120n !== 0xffn;
  const first = address.value >> 24n;
  return first !== 0n && first !== 127n && first < 224n;
}

/** "a.b.c.d/32" or an IPv6 address with /128: one unicast address written as a prefix. */
export function isUnicastHost(text: string): boolean {
  const cidr = parseCidr(text);
  return cidr !== undefined && cidr.first === cidr.last && isUnicastAddress(text.slice(0, text.indexOf("/")));
}

const DURATION_UNITS_MS = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3 } as const;

/** Milliseconds of a Go duration ("2m0s", "1.5h"), or undefined. */
export function parseDurationMs(text: string): number | undefined {
  if (text.length > 64 || !/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
    totalMs += Number(amount) * DURATION_UNITS_MS[unit as keyof typeof DURATION_UNITS_MS];
  }
  return totalMs;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** "N" or "A-B" with 1 ≤ A ≤ B ≤ 65535, or undefined. */
export function parsePorts(text: string): PortRange | undefined {
  const match = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? { first, last } : undefined;
}

/** Protocol of an ACL rule: tcp, udp, icmp, or "0"…"255". */
export function isProtocol(text: string): boolean {
  return /^(?:tcp|udp|icmp)$/.test(text) || (/^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255);
}
