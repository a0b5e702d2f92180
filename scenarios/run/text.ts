// A scenario's results as text for the terminal.
import type { LossRow } from "./loss-table.ts";
import type { StepResult } from "./runner.ts";

export function stepLine(result: StepResult): string {
  if (result.kind === "show") return `\n  ${result.text}`;
  const time = `${result.durationMs} ms`.padStart(9);
  const line = `${result.ok ? "ok  " : "FAIL"} ${time}  ${result.text}`;
  if (!result.ok) return `${line}\n                 ${result.error}`;
  const seen = measuredText(result);
  return seen === "" ? line : `${line}: ${seen}`;
}

function measuredText({ measured }: StepResult): string {
  if (typeof measured?.lossWindowMs === "number") {
    return `loss window ${measured.lossWindowMs.toFixed(1)} ms, ${measured.lost} of ${measured.sent} lost`;
  }
  if (typeof measured?.medianRttMs === "number") return `round trip ${measured.medianRttMs.toFixed(2)} ms`;
  if (typeof measured?.bitsPerSecond === "number") return `${(measured.bitsPerSecond / 1e9).toFixed(1)} Gbit/s`;
  if (Array.isArray(measured?.seenAs)) return `seen as ${measured.seenAs.join(", ")}`;
  return "";
}

/** The rows in columns; empty if there are none. */
export function lossTableText(rows: readonly LossRow[]): string {
  if (rows.length === 0) return "";
  const cells = [
    ["loss window", "samples", "min ms", "median ms", "max ms", "lost", "resolution ms"],
    ...rows.map((row) => [
      row.label,
      String(row.samples),
      ...[row.minMs, row.medianMs, row.maxMs].map((ms) => ms.toFixed(1)),
      String(row.lost),
      row.resolutionMs.toFixed(1),
    ]),
  ];
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length))) ?? [];
  return cells
    .map((row) =>
      row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join("  "),
    )
    .join("\n");
}
