// Lists of prefixes as sequences of addresses "in the order written", which is how static NAT pairs them.

import { compareIntervals, type Interval, type Network, subtract } from "./prefix-set.ts";

interface Listed {
  readonly network: Network;
  /** Networks inside it that hold their addresses earlier in the list. */
  readonly holes: Network[];
}

/**
 * The addresses of all networks in the order of the list, as intervals; an address that occurs again counts where it stands
 * first. O(n log n): two prefixes are either disjoint or one inside the other.
 */
export function inOrder(networks: readonly Network[]): Interval[] {
  const sorted = networks
    .map((network, index) => ({ network, index }))
    .sort((a, b) => compareIntervals(a.network, b.network) || a.index - b.index);
  const kept: Listed[] = [];
  // The networks around the present one, outermost first, each with the least index so far.
  const around: { network: Network; least: number; listed: Listed | undefined }[] = [];
  for (const { network, index } of sorted) {
    while (around.length > 0 && !holds(around.at(-1)?.network, network)) around.pop();
    const outer = around.at(-1);
    const earlier = outer !== undefined && outer.least < index;
    const own: Listed | undefined = earlier ? undefined : { network, holes: [] };
    if (own !== undefined) {
      kept[index] = own;
      outer?.listed?.holes.push(network);
    }
    // A network that counts for nothing passes on the one around it.
    around.push({ network, least: Math.min(index, outer?.least ?? index), listed: own ?? outer?.listed });
  }
  return kept.flatMap(({ network, holes }) => subtract(network, holes));
}

/** Cuts two sequences of equally many addresses into stretches of equal size. */
export function pair(left: readonly Interval[], right: readonly Interval[]): [Interval, Interval][] {
  const result: [Interval, Interval][] = [];
  const rest = [...right].reverse();
  for (const { family, first, last } of left) {
    for (let at = first; at <= last; ) {
      const other = rest.pop();
      if (other === undefined) return result;
      const mine = last - at + 1n;
      const theirs = other.last - other.first + 1n;
      const size = mine < theirs ? mine : theirs;
      result.push([
        { family, first: at, last: at + size - 1n },
        { ...other, last: other.first + size - 1n },
      ]);
      if (theirs > size) rest.push({ ...other, first: other.first + size });
      at += size;
    }
  }
  return result;
}

function holds(outer: Network | undefined, inner: Network): boolean {
  return outer !== undefined && outer.family === inner.family && outer.last >= inner.last;
}
