// The two sides of a peering: who they are, and that no two peerings join the same pair.

import type { Path } from "../diagnostic.ts";
import { Memo } from "../memo.ts";
import type { Report } from "../report.ts";
import type { ExposeSpec } from "../schema/peering.ts";
import type { Entry } from "../stream/objects.ts";
import { type Domain, EXTERNAL_PREFIX, expectFound, type World } from "../world.ts";

/** One side as written, and whom it means. */
export interface Side {
  readonly entry: Entry<"GatewayPeering">;
  /** Key in the manifest. */
  readonly key: string;
  readonly domain: Domain;
  readonly expose: readonly ExposeSpec[];
  /** Path of the side in its peering. */
  readonly path: Path;
}

/** A peering whose two sides are known. */
export interface TwoSided {
  readonly entry: Entry<"GatewayPeering">;
  readonly sides: readonly [Side, Side];
  /** Equal for equal pairs of sides. */
  readonly pair: string;
}

const twoSided = new Memo<Entry<"GatewayPeering">, TwoSided | undefined>();

export function checkSides(world: World, report: Report): TwoSided[] {
  const result: TwoSided[] = [];
  const firstOfPair = new Map<string, Entry<"GatewayPeering">>();
  for (const entry of world.peerings) {
    if (entry.object === undefined) continue;
    const meant = Object.keys(entry.object.spec.peering).map((key) => {
      const resolution = world.domain(key, entry.namespace);
      return "found" in resolution ? resolution.found : undefined;
    });
    const peering = twoSided.reporting(entry, meant, report, () => readSides(entry, world, report));
    if (peering === undefined) continue;
    result.push(peering);
    const { sides, pair } = peering;
    const earlier = firstOfPair.get(pair);
    const path: Path = ["spec", "peering"];
    if (earlier === undefined) {
      firstOfPair.set(pair, entry);
    } else if (sides[0].domain !== sides[1].domain) {
      const message = `${sides[0].key} and ${sides[1].key} are already peered by ${earlier.name}`;
      const other = { at: earlier.at(path), what: "the first" };
      const hint = "put all that the two expose into one peering";
      report.add({ code: "FG0503", at: entry.at(path), subject: entry, path, message, other, hint });
    }
  }
  return result;
}

function readSides(entry: Entry<"GatewayPeering">, world: World, report: Report): TwoSided | undefined {
  const peering = entry.object?.spec.peering ?? {};
  const path: Path = ["spec", "peering"];
  const keys = Object.keys(peering);
  if (keys.length !== 2) {
    const message = `a peering has exactly two sides, this one has ${keys.length}`;
    report.add({ code: "FG0501", at: entry.at(path), subject: entry, path, message });
  }
  const sides = Object.entries(peering).map(([key, { expose }]): Side | undefined => {
    const sidePath: Path = [...path, key];
    const at = entry.at(sidePath, "key");
    if (expose.length === 0) {
      const message = `side ${key} exposes nothing; it needs at least one expose block`;
      report.add({ code: "FG0504", at, subject: entry, path: sidePath, message });
    }
    const isExternal = key.startsWith(EXTERNAL_PREFIX);
    const what = isExternal ? "External or VPCInfo" : "VPCInfo";
    const hint = isExternal ? `an External is referred to as ${EXTERNAL_PREFIX}NAME` : undefined;
    const finding = { code: "FG0502" as const, at, subject: entry, path: sidePath, value: key, hint };
    const found = world.domain(key, entry.namespace);
    const domain = expectFound(found, report, finding, what, world.domainNames);
    return domain === undefined ? undefined : { entry, key, domain, expose, path: sidePath };
  });
  const [one, two] = sides;
  if (keys.length !== 2 || one === undefined || two === undefined) return undefined;
  if (one.domain === two.domain) {
    const message = `both sides mean ${one.domain.name}`;
    report.add({ code: "FG0501", at: entry.at(path), subject: entry, path, message });
  }
  const [first, second] = [one.domain.name, two.domain.name].sort();
  return { entry, sides: [one, two], pair: `${first} ${second}` };
}
