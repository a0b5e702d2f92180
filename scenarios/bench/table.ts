// The benchmark's rows as text.
import type { Row } from "./row.ts";

const HEADINGS = ["suite", "what", "value", "min … max", "runs", "peer", "ratio", "goal"] as const;
const RIGHT = new Set(["value", "runs", "ratio"]);

/** Lines of a table; notes come below it, numbered. */
export function table(rows: readonly Row[]): string {
  const notes = [...new Set(rows.map((row) => row.note).filter((note) => note !== null))];
  const cells = rows.map((row) => [
    row.suite,
    row.note === null ? row.name : `${row.name} [${notes.indexOf(row.note) + 1}]`,
    `${number(row.value)} ${row.unit}`,
    `${number(row.min)} … ${number(row.max)}`,
    String(row.runs),
    row.peer === null ? "" : `${row.peer}${row.peerValue === null ? "" : `: ${number(row.peerValue)}`}`,
    row.ratio === null ? "" : `${number(row.ratio)}×`,
    row.goal === null ? "" : `${row.goal}: ${row.met ? "met" : "MISSED"}`,
  ]);
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...cells.map((line) => (line[column] ?? "").length)),
  );
  const line = (texts: readonly string[]) =>
    texts
      .map((text, column) => {
        const width = widths[column] ?? 0;
        return RIGHT.has(HEADINGS[column] ?? "") ? text.padStart(width) : text.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [
    line(HEADINGS),
    line(widths.map((width) => "─".repeat(width))),
    ...cells.map(line),
    ...notes.map((note, index) => `[${index + 1}] ${note}`),
  ].join("\n");
}

/** Three significant digits, large numbers with k or M. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${digits(value / 1e6)} M`;
  if (size >= 1e4) return `${digits(value / 1e3)} k`;
  return digits(value);
}

function digits(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
