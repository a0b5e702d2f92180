// Statistics of repeated measurements. The machine changes its speed for minutes at a time, so two sides are compared pair by pair, and the
// middle of the pairs' ratios counts.

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** Middle value, or the mean of the two middle ones. RangeError without values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (lower === undefined || upper === undefined) throw new RangeError("no values to summarise");
  return (lower + upper) / 2;
}

/** RangeError without values. */
export function summarise(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), runs: values.length };
}

/** Measurements of ours and of the peer, taken in turn. */
export interface Pair<T = number> {
  readonly ours: T;
  readonly peer: T;
}

/** Median of ours ÷ peer over the pairs. */
export function pairedRatio(pairs: readonly Pair[]): number {
  return median(pairs.map(({ ours, peer }) => ours / peer));
}

/** Measures A B, B A, A B, …, so that neither side always comes first. */
export async function alternate<T>(runs: number, ours: () => Promise<T>, peer: () => Promise<T>): Promise<Pair<T>[]> {
  const pairs: Pair<T>[] = [];
  for (let run = 0; run < runs; run++) {
    if (run % 2 === 0) {
      const first = await ours();
      pairs.push({ ours: first, peer: await peer() });
    } else {
      const first = await peer();
      pairs.push({ ours: await ours(), peer: first });
    }
  }
  return pairs;
}
