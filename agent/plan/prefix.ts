// Addresses and prefixes that validation or gobgpd has already accepted, as intervals of addresses.

import { bitsOf, type Cidr, parseAddress, parseCidr } from "../../fabric-api/prefix.ts";

/** Parses a prefix, or an address as its host prefix. Throws on anything else: the text was checked before. */
export function cidr(text: string): Cidr {
  const parsed = parseCidr(text.includes("/") ? text : hostPrefix(text));
  if (!parsed) throw new Error(`not a prefix: ${text}`);
  return parsed;
}

/** "10.0.0.1" → "10.0.0.1/32". */
export function hostPrefix(address: string): string {
  const parsed = parseAddress(address);
  if (!parsed) throw new Error(`not an address: ${address}`);
  return `${address}/${bitsOf(parsed.family)}`;
}

/** True when every address of `inner` is one of `outer`. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;
}
