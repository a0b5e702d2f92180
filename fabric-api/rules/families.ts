// No NAT46 or NAT64: what one side exposes in an address family needs the other side to expose that family too.
// `default: true` is neutral: it is the destination for either family.

import type { Path } from "../diagnostic.ts";
import type { Report } from "../report.ts";
import { type ExposingPeering, familiesOf } from "./expose.ts";

export function checkFamilies({ entry, sides }: ExposingPeering, report: Report): void {
  const [one, two] = sides;
  for (const [from, to] of [
    [one, two],
    [two, one],
  ] as const) {
    if (to.blocks.length === 0 || to.blocks.some(({ isDefault }) => isDefault)) continue;
    const offered = familiesOf(to);
    // A side without any readable prefix is broken and reported already.
    if (offered.size === 0) continue;
    for (const family of familiesOf(from)) {
      if (offered.has(family)) continue;
      const path: Path = [...to.path, "expose"];
      const message = `${from.key} exposes IPv${family} but ${to.key} does not: addresses are not translated between families`;
      report.add({ code: "FG0612", at: entry.at(path, "key"), subject: entry, path, message });
    }
  }
}
