// Printing objects: tables for people, JSON and YAML for programs.

import { stringify } from "yaml";

export const OUTPUT_FORMATS = ["table", "wide", "json", "yaml"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** The `-o` option, the same for every command that prints objects. */
export const outputOption = {
  alias: "o",
  choices: OUTPUT_FORMATS,
  default: "table" as OutputFormat,
  describe: "how to print",
} as const;

/** Prints a value as JSON or YAML, or as the text that `table` makes of it. */
export function print(format: OutputFormat, value: unknown, table: (wide: boolean) => string): void {
  process.stdout.write(render(format, value, table));
}

function render(format: OutputFormat, value: unknown, table: (wide: boolean) => string): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(value, null, 2)}\n`;
    case "yaml":
      return stringify(value);
    default:
      return table(format === "wide");
  }
}

/** Columns as wide as their widest cell, two blanks apart, headings in capitals. */
export function columns(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [headings.map((heading) => heading.toUpperCase()), ...rows.map((row) => row.map(String))];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
