// Which exposed prefixes may not overlap: blocks of one side with each other, and what different peers expose to one
// receiving VPC. Each is one sweep over sorted intervals.

import type { Code } from "../codes.ts";
import { Memo } from "../memo.ts";
import { formatCidr } from "../prefix.ts";
import { type Owned, sweepOverlaps } from "../prefix-set.ts";
import type { Report } from "../report.ts";
import type { Domain } from "../world.ts";
import type { Block, ExposingPeering, ExposingSide } from "./expose.ts";
import type { Part } from "./prefix-list.ts";
import { isEverything } from "./special-ranges.ts";

/** One part as it is exposed. */
interface Exposed {
  readonly side: ExposingSide;
  readonly block: Block;
  readonly part: Part;
  /** Position in the stream: the later one of a pair is reported. */
  readonly order: number;
}

/** Of a part, with whom it may overlap: its own block, or its own VPC. */
interface ExposedInterval extends Owned<Block | Domain> {
  readonly exposed: Exposed;
}

/** Blocks of each side with each other, privately and publicly. */
export function checkBlockOverlaps({ sides }: ExposingPeering, report: Report): void {
  for (const side of sides) {
    if (side.blocks.length < 2) continue;
    const listed = [
      side.blocks.flatMap((block) => block.parts.map((part) => ({ side, block, part }))),
      side.blocks.flatMap((block) => block.publicParts.map((part) => ({ side, block, part }))),
    ];
    const lists = listed.map((list) => list.flatMap((one, order) => intervalsOf({ ...one, order }, one.block)));
    checkBlocks(side, lists, report);
  }
}

/** What different peers expose to one VPC. */
export function checkTowards(peerings: readonly ExposingPeering[], report: Report): void {
  const towards = new Map<Domain, ExposingSide[]>();
  for (const { sides } of peerings) {
    const [one, two] = sides;
    listOf(towards, two.domain).push(one);
    listOf(towards, one.domain).push(two);
  }
  for (const [receiver, sides] of towards) {
    checkedTowards.reporting(receiver, sides, report, () => checkReceived(receiver, sides, report));
  }
}

const checkedTowards = new Memo<Domain, void>();

function checkReceived(receiver: Domain, sides: readonly ExposingSide[], report: Report): void {
  let order = 0;
  const intervals = sides.flatMap((side) =>
    side.blocks.flatMap((block) =>
      block.publicParts.flatMap((part) => intervalsOf({ side, block, part, order: order++ }, side.domain)),
    ),
  );
  const describe = ({ exposed }: ExposedInterval) =>
    `${prefixOf(exposed)}, which ${exposed.side.key} exposes to ${receiver.name} too`;
  reportOverlaps(intervals, report, "FG0614", describe);
}

function intervalsOf(exposed: Exposed, owner: Block | Domain): ExposedInterval[] {
  return exposed.part.rest.map(({ family, first, last }) => ({ family, first, last, owner, exposed }));
}

/**
 * Blocks of one side may not overlap, except masquerade with portForward: forwarded ports are reserved out of the pool. So
 * each of the two is compared with the rest by itself; what both comparisons find is reported once.
 */
function checkBlocks(side: ExposingSide, lists: readonly (readonly ExposedInterval[])[], report: Report): void {
  const hasBoth = (["masquerade", "portForward"] as const).every((kind) => side.blocks.some(({ nat }) => nat === kind));
  const reported: Reported = new Map();
  for (const intervals of lists) {
    for (const left of hasBoth ? ["masquerade", "portForward"] : [undefined]) {
      const compared = intervals.filter(({ exposed }) => left === undefined || exposed.block.nat !== left);
      const describe = ({ exposed }: ExposedInterval) => `${prefixOf(exposed)} of another block of ${side.key}`;
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
    const [last, first] = a.exposed.order > b.exposed.order ? [a, b] : [b, a];
    const { exposed: later } = last;
    const { exposed: earlier } = first;
    const known = reported.get(later.part) ?? new Set();
    if (known.has(earlier.part)) return;
    reported.set(later.part, known.add(earlier.part));
    const { part } = later;
    const { entry } = later.side;
    const everything = isEverything(part.cidr) || isEverything(earlier.part.cidr);
    report.add({
      code,
      at: entry.at(part.path),
      subject: entry,
      path: part.path,
      value: prefixOf(later),
      message: `${prefixOf(later)} overlaps ${describe(first)}`,
      hint: everything ? "default: true may overlap, 0.0.0.0/0 and ::/0 may not" : undefined,
      other: { at: earlier.side.entry.at(earlier.part.path), what: "the other" },
    });
  });
}

function prefixOf({ part }: Exposed): string {
  return formatCidr(part.cidr);
}

function listOf(map: Map<Domain, ExposingSide[]>, key: Domain): ExposingSide[] {
  const list = map.get(key) ?? [];
  if (list.length === 0) map.set(key, list);
  return list;
}
