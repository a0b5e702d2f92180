// Which exposed prefixes may not overlap: blocks of one side with each other, and what different peers expose to one
// receiving VPC. Each is one sweep over sorted intervals.

import type { Code } from "../codes.ts";
import { formatCidr } from "../prefix.ts";
import { type Owned, sweepOverlaps } from "../prefix-set.ts";
import type { Report } from "../report.ts";
import type { Entry } from "../stream/objects.ts";
import type { Domain } from "../world.ts";
import type { ExposingPeering, ExposingSide, Part } from "./expose.ts";
import { isEverything } from "./special-ranges.ts";

interface ExposedInterval extends Owned<unknown> {
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
      const ofSide: ExposedInterval[] = [];
      const received = listOf(towards, receiver.domain);
      for (const { index, parts } of side.blocks) {
        for (const part of parts) {
          order++;
          for (const { family, first, last } of part.rest) {
            const exposed = { family, first, last, entry, side, part, order };
            ofSide.push({ ...exposed, owner: index });
            received.push({ ...exposed, owner: side.domain });
          }
        }
      }
      reportOverlaps(ofSide, report, "FG0613", (other) => `${prefixOf(other)} of another block of ${side.key}`);
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

function reportOverlaps(
  intervals: readonly ExposedInterval[],
  report: Report,
  code: Code,
  describe: (earlier: ExposedInterval) => string,
): void {
  const reported = new Map<Part, Set<Part>>();
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
