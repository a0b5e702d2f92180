// Which exposed prefixes may not overlap: blocks of one side with each other, and what different peers expose to one
// receiving VPC. Each is one sweep over sorted intervals.

import type { Code } from "../codes.ts";
import { formatCidr } from "../prefix.ts";
import { type Owned, sweepOverlaps } from "../prefix-set.ts";
import type { Report } from "../report.ts";
import type { Entry } from "../stream/objects.ts";
import type { Domain } from "../world.ts";
import type { Block, ExposingPeering, ExposingSide } from "./expose.ts";
import type { Part } from "./prefix-list.ts";
import { isEverything } from "./special-ranges.ts";

interface ExposedInterval<Owner = unknown> extends Owned<Owner> {
  readonly entry: Entry<"GatewayPeering">;
  readonly side: ExposingSide;
  readonly part: Part;
  /** Position in the stream: the later one of a pair is reported. */
  readonly order: number;
}

export function checkOverlaps(peerings: readonly ExposingPeering[], report: Report): void {
  const towards = new Map<Domain, ExposedInterval[]>();
  let order = 0;
  for (const { entry, sides } of peerings) {
    const [one, two] = sides;
    for (const [side, receiver] of [
      [one, two],
      [two, one],
    ] as const) {
      const privately: ExposedInterval<Block>[] = [];
      const publicly: ExposedInterval<Block>[] = [];
      const received = listOf(towards, receiver.domain);
      for (const block of side.blocks) {
        const intervalsOf = (part: Part) => part.rest.map((network) => ({ ...network, entry, side, part, order }));
        for (const part of block.parts) {
          order++;
          for (const exposed of intervalsOf(part)) privately.push({ ...exposed, owner: block });
        }
        for (const part of block.publicParts) {
          order++;
          for (const exposed of intervalsOf(part)) {
            publicly.push({ ...exposed, owner: block });
            received.push({ ...exposed, owner: side.domain });
          }
        }
      }
      if (side.blocks.length > 1) checkBlocks(side, [privately, publicly], report);
    }
  }
  for (const [receiver, intervals] of towards) {
    reportOverlaps(
      intervals,
      report,
      "FG0614",
      (other) => `${prefixOf(other)}, which ${other.side.key} exposes to ${receiver.name} too`,
    );
  }
}

/**
 * Blocks of one side may not overlap, except masquerade with portForward: forwarded ports are reserved out of the pool. So
 * each of the two is compared with the rest by itself; what both comparisons find is reported once.
 */
function checkBlocks(side: ExposingSide, lists: readonly (readonly ExposedInterval<Block>[])[], report: Report): void {
  const hasBoth = (["masquerade", "portForward"] as const).every((kind) => side.blocks.some(({ nat }) => nat === kind));
  const reported: Reported = new Map();
  for (const intervals of lists) {
    for (const left of hasBoth ? ["masquerade", "portForward"] : [undefined]) {
      const compared = intervals.filter(({ owner }) => left === undefined || owner.nat !== left);
      const describe = (other: ExposedInterval) => `${prefixOf(other)} of another block of ${side.key}`;
      reportOverlaps(compared, report, "FG0613", describe, reported);
    }
  }
}

type Reported = Map<Part, Set<Part>>;

function reportOverlaps(
  intervals: readonly ExposedInterval[],
  report: Report,
  code: Code,
  describe: (earlier: ExposedInterval) => string,
  reported: Reported = new Map(),
): void {
  sweepOverlaps(intervals, (a, b) => {
    const [later, earlier] = a.order > b.order ? [a, b] : [b, a];
    const known = reported.get(later.part) ?? new Set();
    if (known.has(earlier.part)) return;
    reported.set(later.part, known.add(earlier.part));
    const { entry, part } = later;
    const everything = isEverything(part.cidr) || isEverything(earlier.part.cidr);
    report.add({
      code,
      at: entry.at(part.path),
      subject: entry,
      path: part.path,
      value: prefixOf(later),
      message: `${prefixOf(later)} overlaps ${describe(earlier)}`,
      hint: everything ? "default: true may overlap, 0.0.0.0/0 and ::/0 may not" : undefined,
      other: { at: earlier.entry.at(earlier.part.path), what: "the other" },
    });
  });
}

function prefixOf({ part }: ExposedInterval): string {
  return formatCidr(part.cidr);
}

function listOf(map: Map<Domain, ExposedInterval[]>, key: Domain): ExposedInterval[] {
  const list = map.get(key) ?? [];
  if (list.length === 0) map.set(key, list);
  return list;
}
