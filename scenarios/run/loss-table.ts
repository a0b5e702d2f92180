// The table of loss windows: one row for each label, over all samples of it.
import { type Loss, median } from "../probe/loss.ts";

export interface LossRow {
  readonly label: string;
  readonly samples: number;
  readonly minMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
  /** Packets lost in all samples. */
  readonly lost: number;
  /** Longest time between two sends of the streams: the measurement is no finer. */
  readonly resolutionMs: number;
}

/** Rows in the order in which the labels first appear. Times are rounded to a tenth of a millisecond. */
export function lossTable(samples: readonly { readonly label: string; readonly loss: Loss }[]): LossRow[] {
  return [...new Set(samples.map(({ label }) => label))].map((label) => {
    const losses = samples.filter((sample) => sample.label === label).map(({ loss }) => loss);
    const windows = losses.map((loss) => loss.lossWindowMs).sort((a, b) => a - b);
    return {
      label,
      samples: losses.length,
      minMs: tenth(windows[0] ?? 0),
      medianMs: tenth(median(windows)),
      maxMs: tenth(windows.at(-1) ?? 0),
      lost: losses.reduce((sum, loss) => sum + loss.lost, 0),
      resolutionMs: tenth(Math.max(...losses.map((loss) => loss.longestSendGapMs))),
    };
  });
}

function tenth(ms: number): number {
  return Math.round(ms * 10) / 10;
}
