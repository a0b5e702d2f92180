// "Did you mean": the nearest of the known words by edit distance (insert, delete, replace, swap of neighbours).

/** Words longer than this are not compared: nobody mistypes a known name into 64 characters. */
const MAX_WORD = 64;
/** A stream may hold thousands of names; the first ones of a length that can be near are compared. */
const MAX_CANDIDATES = 5000;

/** The known word nearest to `word`, or undefined if none is near enough to be a slip. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > MAX_WORD) return undefined;
  const lower = word.toLowerCase();
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  let compared = 0;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) > limit || compared++ > MAX_CANDIDATES) continue;
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? theOneThatBegins(lower, known);
}

/** "warn" is too far from "warning" to be a slip, but there is nothing else that it can mean. */
function theOneThatBegins(lower: string, known: Iterable<string>): string | undefined {
  if (lower.length < 3) return undefined;
  const [only, ...more] = [...known].filter((candidate) => candidate.toLowerCase().startsWith(lower));
  return more.length === 0 ? only : undefined;
}

/** The hint for an unknown word: the nearest known one, or a list of all when there are few. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean ${near}?`;
  if (known.length === 0 || known.length > 12) return undefined;
  return `known here: ${[...known].sort().join(", ")}`;
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
