// Sets of addresses as sorted intervals: subtraction, the prefixes that cover an interval exactly, overlaps by one sweep.
// Everything is exact for IPv4 and IPv6 and O(n log n); nothing compares all pairs.

import { bitsOf, type Cidr, type Family } from "./prefix.ts";

/** Addresses `first`…`last`, both included. */
export interface Interval {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** An interval that is one prefix. */
export interface Network extends Interval {
  readonly length: number;
}

/** Order by family, then first address, then larger interval first. */
export function compareIntervals(a: Interval, b: Interval): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  if (a.last !== b.last) return a.last > b.last ? -1 : 1;
  return 0;
}

/** Sorted, disjoint, non-adjacent intervals with the same addresses. */
export function union(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const next of [...intervals].sort(compareIntervals)) {
    const last = result.at(-1);
    if (last !== undefined && last.family === next.family && next.first <= last.last + 1n) {
      if (next.last > last.last) result[result.length - 1] = { ...last, last: next.last };
    } else {
      result.push({ family: next.family, first: next.first, last: next.last });
    }
  }
  return result;
}

/** What `holes` (a result of `union`) leave of `interval`, in order. */
export function subtract(interval: Interval, holes: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  const { family, last } = interval;
  let first = interval.first;
  for (let i = firstReaching(holes, interval); i < holes.length; i++) {
    const hole = holes[i];
    if (hole === undefined || hole.family !== family || hole.first > last) break;
    if (hole.first > first) result.push({ family, first, last: hole.first - 1n });
    if (hole.last >= last) return result;
    first = hole.last + 1n;
  }
  result.push({ family, first, last });
  return result;
}

/** The part of `interval` that is in `set` (a result of `union`), in order. */
export function intersect(interval: Interval, set: readonly Interval[]): Interval[] {
  const { family, first, last } = interval;
  const result: Interval[] = [];
  for (let i = firstReaching(set, interval); i < set.length; i++) {
    const one = set[i];
    if (one === undefined || one.family !== family || one.first > last) break;
    const start = one.first > first ? one.first : interval.first;
    const end = one.last < last ? one.last : interval.last;
    result.push({ family, first: start, last: end });
  }
  return result;
}

/** The fewest prefixes that hold exactly the interval's addresses, in order. */
export function cover({ family, first, last }: Interval): Network[] {
  const bits = bitsOf(family);
  const result: Network[] = [];
  let start = first;
  while (start <= last) {
    let hostBits = 0;
    while (hostBits < bits) {
      const size = 1n << BigInt(hostBits + 1);
      if (start % size !== 0n || start + size - 1n > last) break;
      hostBits++;
    }
    const next = start + (1n << BigInt(hostBits));
    result.push({ family, first: start, last: next - 1n, length: bits - hostBits });
    start = next;
  }
  return result;
}

/** What `not` prefixes leave of one included prefix: itself if nothing cuts it, else the smallest split. */
export function exclude(included: Cidr, holes: readonly Interval[]): Network[] {
  const rest = subtract(included, holes);
  const only = rest[0];
  if (rest.length === 1 && only?.first === included.first && only.last === included.last) {
    const { family, first, last, length } = included;
    return [{ family, first, last, length }];
  }
  return rest.flatMap(cover);
}

/** Number of addresses in a union. */
export function sizeOf(intervals: readonly Interval[]): bigint {
  return intervals.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}

/** An interval that belongs to somebody: a block of a side, a peer of a VPC, a subnet. */
export interface Owned<Owner> extends Interval {
  readonly owner: Owner;
}

/**
 * Calls back with each interval that overlaps an earlier one (in sorted order) of another owner, and the farthest-reaching
 * such one. Every overlapping owner is reported at least once; not every pair, which could be quadratic.
 */
export function sweepOverlaps<T extends Owned<unknown>>(
  intervals: readonly T[],
  report: (later: T, earlier: T) => void,
) {
  // The farthest-reaching interval so far, and the farthest of all other owners.
  let far: T | undefined;
  let farOther: T | undefined;
  for (const next of [...intervals].sort(compareIntervals)) {
    const rival = far !== undefined && far.owner !== next.owner ? far : farOther;
    if (rival !== undefined && rival.family === next.family && rival.last >= next.first) report(next, rival);
    if (far === undefined || far.family !== next.family) {
      far = next;
      farOther = undefined;
    } else if (far.owner === next.owner) {
      if (next.last > far.last) far = next;
    } else if (next.last > far.last) {
      farOther = far;
      far = next;
    } else if (farOther === undefined || next.last > farOther.last) {
      farOther = next;
    }
  }
}

/** Index of the first hole that ends at or after the interval's start. */
function firstReaching(holes: readonly Interval[], interval: Interval): number {
  let low = 0;
  let high = holes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const hole = holes[middle];
    const before =
      hole === undefined ||
      hole.family < interval.family ||
      (hole.family === interval.family && hole.last < interval.first);
    if (before) low = middle + 1;
    else high = middle;
  }
  return low;
}
