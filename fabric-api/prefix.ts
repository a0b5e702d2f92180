// Addresses and prefixes as numbers: parsing (with ip-num), canonical text (RFC 5952), first and last address.
// Used by the schemas for formats and by the rules for arithmetic.

import { isIPv4, isIPv6 } from "node:net";
import { IPv4, IPv6 } from "ip-num";

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** A parsed prefix. `first` has all host bits zero, `last` all one. */
export interface Cidr {
  readonly family: Family;
  readonly length: number;
  readonly first: bigint;
  readonly last: bigint;
  /** The address as written was not `first`. */
  readonly hostBits: boolean;
}

/** Bits of an address. */
export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** A bare IPv4 or IPv6 address without zone, or undefined. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: new IPv4(text).getValue() };
  if (text.includes("%") || !isIPv6(text)) return undefined;
  return { family: 6, value: new IPv6(dottedTailToHex(text)).getValue() };
}

/** "address/length", or undefined. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  const bits = bitsOf(address.family);
  if (length > bits) return undefined;
  const hostMask = (1n << BigInt(bits - length)) - 1n;
  const hostBits = (address.value & hostMask) !== 0n;
  const first = address.value - (address.value & hostMask);
  return { family: address.family, length, first, last: first + hostMask, hostBits };
}

/** Whether the text is a prefix with a length; cheaper than parsing it. */
export function isCidr(text: string): boolean {
  const match = /^([0-9A-Fa-f:.]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  if (match?.[1] === undefined) return false;
  const length = Number(match[2]);
  return isIPv4(match[1]) ? length <= 32 : isIPv6(match[1]) && length <= 128;
}

export function formatAddress({ family, value }: Address): string {
  return family === 4 ? formatIpv4(value) : formatIpv6(value);
}

/** Canonical text, host bits zero: "10.1.0.0/24", "2001:db8::/48". */
export function formatCidr(cidr: { readonly family: Family; readonly first: bigint; readonly length: number }): string {
  return `${formatAddress({ family: cidr.family, value: cidr.first })}/${cidr.length}`;
}

function formatIpv4(value: bigint): string {
  const n = Number(value);
  return `${(n >>> 24) & 255}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as "::". */
function formatIpv6(value: bigint): string {
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((value >> shift) & 0xffffn).toString(16));
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === "0") length++;
    if (length > bestLength) [bestStart, bestLength] = [start, length];
  }
  if (bestStart < 0) return groups.join(":");
  return `${groups.slice(0, bestStart).join(":")}::${groups.slice(bestStart + bestLength).join(":")}`;
}

/** ip-num reads hexadecimal groups only after a zero-compressed prefix; "64:ff9b::1.2.3.4" is brought into that form. */
function dottedTailToHex(text: string): string {
  const colon = text.lastIndexOf(":");
  const tail = text.slice(colon + 1);
  if (!tail.includes(".")) return text;
  const value = new IPv4(tail).getValue();
  return `${text.slice(0, colon + 1)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}
