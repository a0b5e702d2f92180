// Route selection among the paths to one destination (RFC 4271 section 9.1.2.2), ending in equal-cost paths instead of one
// winner: the dataplane spreads flows over all that are left. Used by rib.ts.

import type { PathAttributes } from "./route.ts";

/** GRACEFUL_SHUTDOWN (RFC 8326): its paths are used only while there is no other. */
export const GRACEFUL_SHUTDOWN = 0xffff0000;

/** LOCAL_PREF of a path that carries none. */
export const DEFAULT_LOCAL_PREF = 100;

/**
 * The best of `paths`, all of equal rank: highest LOCAL_PREF, shortest AS path, lowest origin, then, among paths of the same
 * neighbouring AS, lowest MED. Keeps the order of the input.
 */
export function bestPaths<P extends { readonly attributes: PathAttributes }>(paths: readonly P[]): readonly P[] {
  if (paths.length < 2) return paths;
  let left = lowest(paths, ({ attributes }) => -preference(attributes));
  left = lowest(left, ({ attributes }) => attributes.asPathLength);
  left = lowest(left, ({ attributes }) => attributes.origin);
  const lowestMed = new Map<number, number>();
  for (const { attributes } of left) {
    const as = attributes.asPath[0] ?? 0;
    lowestMed.set(as, Math.min(lowestMed.get(as) ?? Number.POSITIVE_INFINITY, attributes.med ?? 0));
  }
  return left.filter(({ attributes }) => (attributes.med ?? 0) === lowestMed.get(attributes.asPath[0] ?? 0));
}

function preference(attributes: PathAttributes): number {
  return attributes.communities.includes(GRACEFUL_SHUTDOWN) ? 0 : (attributes.localPref ?? DEFAULT_LOCAL_PREF);
}

function lowest<P>(paths: readonly P[], rank: (path: P) => number): readonly P[] {
  let best = Number.POSITIVE_INFINITY;
  for (const path of paths) best = Math.min(best, rank(path));
  return paths.filter((path) => rank(path) === best);
}
