// `default: true`: the destination of everything else, so a VPC can have one only, and two sides cannot be it for each other.

import type { Path } from "../diagnostic.ts";
import type { Report } from "../report.ts";
import type { Entry } from "../stream/objects.ts";
import type { Domain } from "../world.ts";
import type { ExposingPeering, ExposingSide } from "./expose.ts";

export function checkDefaults(peerings: readonly ExposingPeering[], report: Report): void {
  const firstFor = new Map<Domain, { entry: Entry<"GatewayPeering">; path: Path; side: ExposingSide }>();
  for (const { entry, sides } of peerings) {
    const [one, two] = sides;
    if (!hasDefault(one) && !hasDefault(two)) continue;
    const path = defaultOf(two);
    if (defaultOf(one) !== undefined && path !== undefined) {
      const message = `${one.key} and ${two.key} are each other's default; neither has a destination for the rest`;
      const other = { at: entry.at(defaultOf(one) ?? []), what: "the other" };
      report.add({ code: "FG0616", at: entry.at(path), subject: entry, path, message, other });
    }
    for (const [side, receiver] of [
      [one, two],
      [two, one],
    ] as const) {
      for (const { isDefault, path: blockPath } of side.blocks) {
        if (!isDefault) continue;
        const place: Path = [...blockPath, "default"];
        const earlier = firstFor.get(receiver.domain);
        if (earlier === undefined) {
          firstFor.set(receiver.domain, { entry, path: place, side });
          continue;
        }
        const message = `${receiver.domain.name} has a default already: ${earlier.side.key} of ${earlier.entry.name}`;
        const other = { at: earlier.entry.at(earlier.path), what: "the first" };
        report.add({ code: "FG0615", at: entry.at(place, "key"), subject: entry, path: place, message, other });
      }
    }
  }
}

function hasDefault({ blocks }: ExposingSide): boolean {
  return blocks.some(({ isDefault }) => isDefault);
}

function defaultOf(side: ExposingSide): Path | undefined {
  const block = side.blocks.find(({ isDefault }) => isDefault);
  return block === undefined ? undefined : [...block.path, "default"];
}
