// Address ranges that are never exposed: no host of a VPC can be reached there through a gateway (RFC 6890).

import { type Cidr, parseCidr } from "../prefix.ts";
import type { Interval } from "../prefix-set.ts";

interface SpecialRange {
  readonly prefix: string;
  readonly meaning: string;
}

const SPECIAL_RANGES: readonly (SpecialRange & { readonly cidr: Cidr })[] = (
  [
    ["0.0.0.0/8", "this network"],
    ["127.0.0.0/8", "loopback"],
    ["169.254.0.0/16", "link-local"],
    ["224.0.0.0/4", "multicast"],
    ["240.0.0.0/4", "reserved"],
    ["::/128", "unspecified"],
    ["::1/128", "loopback"],
    ["fe80::/10", "link-local"],
    ["ff00::/8", "multicast"],
  ] as const
).flatMap(([prefix, meaning]) => {
  const cidr = parseCidr(prefix);
  return cidr === undefined ? [] : [{ prefix, meaning, cidr }];
});

/** The first special range that has addresses in the interval. */
export function specialRangeIn({ family, first, last }: Interval): SpecialRange | undefined {
  return SPECIAL_RANGES.find(({ cidr }) => cidr.family === family && cidr.first <= last && first <= cidr.last);
}

/** 0.0.0.0/0 or ::/0. */
export function isEverything(cidr: Cidr): boolean {
  return cidr.length === 0;
}
