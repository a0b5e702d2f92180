// One expose block at a time: its form, what it exposes, and how the other side sees that. The result is what the rules
// across blocks, and later the fabric, work with.

import type { Path } from "../diagnostic.ts";
import type { Family } from "../prefix.ts";
import { type Interval, union } from "../prefix-set.ts";
import type { Report } from "../report.ts";
import type { ExposeSpec } from "../schema/peering.ts";
import type { Entry } from "../stream/objects.ts";
import { add, checkOneFamily, type ListContext, type Part, readAs, readIps } from "./prefix-list.ts";
import type { Side, TwoSided } from "./sides.ts";

export type NatKind = "static" | "masquerade" | "portForward";

export interface Block {
  readonly index: number;
  readonly path: Path;
  readonly isDefault: boolean;
  readonly spec: ExposeSpec;
  /** Included prefixes of `ips` in the order written. Empty for the default, and for blocks that are broken. */
  readonly parts: readonly Part[];
  /** What the other side sees: the parts of `as`, else `parts` themselves. */
  readonly publicParts: readonly Part[];
  /** Undefined without NAT, and where it is not clear which. */
  readonly nat: NatKind | undefined;
}

export interface ExposingSide extends Side {
  readonly blocks: readonly Block[];
}

export interface ExposingPeering {
  readonly entry: Entry<"GatewayPeering">;
  readonly sides: readonly [ExposingSide, ExposingSide];
}

export function readExposes({ entry, sides: [one, two] }: TwoSided, report: Report): ExposingPeering {
  return { entry, sides: [readSide(entry, one, report), readSide(entry, two, report)] };
}

/** Families that a side exposes as prefixes. */
export function familiesOf(side: ExposingSide): Set<Family> {
  return new Set(side.blocks.flatMap(({ parts }) => parts.map(({ cidr }) => cidr.family)));
}

/** The addresses of the parts, sorted and disjoint. */
export function addressesOf(parts: readonly Part[]): Interval[] {
  return union(parts.flatMap(({ rest }) => rest));
}

function readSide(entry: Entry<"GatewayPeering">, side: Side, report: Report): ExposingSide {
  const context = { entry, report, domain: side.domain };
  return { ...side, blocks: side.expose.map((spec, index) => readBlock(spec, index, side, context)) };
}

function readBlock(spec: ExposeSpec, index: number, side: Side, context: ListContext): Block {
  const path: Path = [...side.path, "expose", index];
  checkForm(spec, path, context);
  const head = { index, path, isDefault: spec.default, spec };
  if (spec.default) return { ...head, parts: [], publicParts: [], nat: undefined };
  const parts = spec.ips === undefined ? [] : readIps(spec.ips, [...path, "ips"], context);
  if (spec.as === undefined) return { ...head, parts, publicParts: parts, nat: undefined };
  const publicParts = readAs(spec.as, [...path, "as"], context);
  // Each list by itself is checked already.
  checkOneFamily([...parts.slice(0, 1), ...publicParts.slice(0, 1)], context);
  return { ...head, parts, publicParts, nat: natOf(spec) };
}

function natOf({ nat = {} }: ExposeSpec): NatKind | undefined {
  const kinds = (["static", "masquerade", "portForward"] as const).filter((kind) => nat[kind] !== undefined);
  return kinds.length === 1 ? kinds[0] : undefined;
}

/** Which fields may stand together. */
function checkForm({ default: isDefault, ips, as, nat }: ExposeSpec, path: Path, context: ListContext): void {
  if (isDefault) {
    const beside = Object.entries({ ips, as, nat }).flatMap(([key, value]) => (value === undefined ? [] : [key]));
    for (const key of beside) {
      add(context, "FG0601", [...path, key], "key", `default: true stands alone; ${key} cannot be beside it`);
    }
    return;
  }
  if (ips === undefined) {
    add(context, "FG0602", path, "value", "an expose block needs ips, or default: true");
  }
  if ((as === undefined) !== (nat === undefined)) {
    const [there, missing] = as === undefined ? ["nat", "as"] : ["as", "nat"];
    add(context, "FG0617", [...path, there], "key", `${there} needs ${missing} beside it`);
  }
  if (nat !== undefined) {
    const count = Object.values(nat).filter((one) => one !== undefined).length;
    const message = `nat has exactly one of static, masquerade and portForward, here are ${count}`;
    if (count !== 1) add(context, "FG0618", [...path, "nat"], "key", message);
  }
}
