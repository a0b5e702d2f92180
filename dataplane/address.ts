// Text to the numbers and bytes that lie in the maps. Used by the encoders; throws invalid-desired with the text that is wrong.
import { DataplaneError } from "./errors.ts";

/** "10.1.2.3" as a number. */
export function parseIpv4(text: string): number {
  let address = 0;
  let octet = -1;
  let dots = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 48 && code <= 57) {
      octet = (octet < 0 ? 0 : octet * 10) + code - 48;
      if (octet > 255) throw notAnAddress(text);
    } else if (code === 46 && octet >= 0 && dots < 3) {
      address = address * 256 + octet;
      octet = -1;
      dots++;
    } else {
      throw notAnAddress(text);
    }
  }
  if (dots !== 3 || octet < 0) throw notAnAddress(text);
  return address * 256 + octet;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export interface Ipv4Prefix {
  /** Host bits may be set. */
  readonly address: number;
  readonly length: number;
}

/** "10.1.0.0/16". */
export function parsePrefix(text: string): Ipv4Prefix {
  const slash = text.indexOf("/");
  const length = Number(text.slice(slash + 1));
  if (slash < 0 || slash === text.length - 1 || !Number.isInteger(length) || length < 0 || length > 32) {
    throw notAnAddress(text);
  }
  return { address: parseIpv4(text.slice(0, slash)), length };
}

export function formatPrefix({ address, length }: Ipv4Prefix): string {
  return `${formatIpv4(address)}/${length}`;
}

export function firstAddress({ address, length }: Ipv4Prefix): number {
  return length === 0 ? 0 : (address & (0xffffffff << (32 - length))) >>> 0;
}

export function addressCount({ length }: Ipv4Prefix): number {
  return 2 ** (32 - length);
}

/** Whether `inner` lies within `outer`. */
export function contains(outer: Ipv4Prefix, inner: Ipv4Prefix): boolean {
  const length = outer.length;
  return inner.length >= length && firstAddress({ ...inner, length }) === firstAddress(outer);
}

/** The fewest prefixes that hold `count` numbers from `first` on. */
export function coverRange(first: number, count: number): Ipv4Prefix[] {
  const prefixes: Ipv4Prefix[] = [];
  for (let at = first, left = count; left > 0; ) {
    let length = 32;
    while (length > 0 && at % 2 ** (33 - length) === 0 && 2 ** (33 - length) <= left) length--;
    prefixes.push({ address: at, length });
    at += 2 ** (32 - length);
    left -= 2 ** (32 - length);
  }
  return prefixes;
}

/**
 * The n-th address of one list is the n-th of the other, counted in the order written. As prefixes of `from` with what is to be added to an address,
 * modulo 2^32. Undefined if the lists have unequal numbers of addresses.
 */
export function pairAddresses(
  from: readonly Ipv4Prefix[],
  to: readonly Ipv4Prefix[],
): { prefix: Ipv4Prefix; offset: number }[] | undefined {
  const pairs: { prefix: Ipv4Prefix; offset: number }[] = [];
  let other = 0;
  let used = 0;
  for (const prefix of from) {
    const count = addressCount(prefix);
    for (let done = 0; done < count; ) {
      const target = to[other];
      if (target === undefined) return undefined;
      const length = Math.min(count - done, addressCount(target) - used);
      const start = firstAddress(prefix) + done;
      const offset = (firstAddress(target) + used - start) >>> 0;
      for (const part of coverRange(start, length)) pairs.push({ prefix: part, offset });
      done += length;
      used += length;
      if (used === addressCount(target)) {
        other++;
        used = 0;
      }
    }
  }
  return other === to.length ? pairs : undefined;
}

/** "02:00:00:00:00:01" as six bytes. */
export function parseMac(text: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) {
    throw new DataplaneError("invalid-desired", `"${text}" is not a MAC address`);
  }
  return Buffer.from(text.replaceAll(":", ""), "hex");
}

function notAnAddress(text: string): DataplaneError {
  const what = text.includes(":") ? "IPv6 is not supported yet" : "not an IPv4 address or prefix";
  return new DataplaneError("invalid-desired", `"${text}": ${what}`);
}
