// One line of the benchmark's table, and how it is made from measurements. Printed by table.ts, written as JSON by main.ts.
import { median, type Pair, pairedRatio, type Summary, summarise } from "./statistics.ts";

export interface Row {
  readonly suite: string;
  readonly name: string;
  readonly unit: string;
  /** Median. */
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
  /** What it should be, as text; null: measured without a goal. */
  readonly goal: string | null;
  /** null: no goal. */
  readonly met: boolean | null;
  /** What it was measured beside, in the same run. */
  readonly peer: string | null;
  readonly peerValue: number | null;
  /** value ÷ peerValue; where pairs were measured, the median of the pairs' ratios. */
  readonly ratio: number | null;
  /** One line that the number needs to be understood. */
  readonly note: string | null;
}

/** A limit for the value or for the ratio to the peer. */
export interface Goal {
  readonly of: "value" | "ratio";
  readonly limit: "at most" | "at least";
  readonly than: number;
}

export interface RowHead {
  readonly suite: string;
  readonly name: string;
  readonly unit: string;
  readonly goal?: Goal;
  readonly note?: string;
}

/** What a value was measured beside. */
export interface Beside {
  readonly peer: string;
  readonly value: number;
  readonly ratio: number;
}

export function rowOf(head: RowHead, { median, min, max, runs }: Summary, beside?: Beside): Row {
  const { goal } = head;
  const measured = goal?.of === "ratio" ? beside?.ratio : median;
  return {
    suite: head.suite,
    name: head.name,
    unit: head.unit,
    value: median,
    min,
    max,
    runs,
    goal: goal === undefined ? null : describeGoal(goal, head.unit, beside?.peer),
    met: goal === undefined || measured === undefined ? null : isMet(goal, measured),
    peer: beside?.peer ?? null,
    peerValue: beside?.value ?? null,
    ratio: beside?.ratio ?? null,
    note: head.note ?? null,
  };
}

/** A row of pairs measured in turn. */
export function rowOfPairs(head: RowHead, peer: string, pairs: readonly Pair[]): Row {
  const value = median(pairs.map((pair) => pair.peer));
  return rowOf(head, summarise(pairs.map((pair) => pair.ours)), { peer, value, ratio: pairedRatio(pairs) });
}

function isMet({ limit, than }: Goal, measured: number): boolean {
  return limit === "at most" ? measured <= than : measured >= than;
}

function describeGoal(goal: Goal, unit: string, peer: string | undefined): string {
  const sign = goal.limit === "at most" ? "≤" : "≥";
  return goal.of === "ratio" ? `${sign} ${goal.than} × ${peer}` : `${sign} ${goal.than} ${unit}`;
}
