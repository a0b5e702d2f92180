// How a command that fails ends: one line for the terminal and the exit status.

/** The error in one line, its stable code in front where it has one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  const line = error.message.split("\n").join(" ");
  return typeof code === "string" ? `${code}: ${line}` : line;
}

/** Errors that carry an `exitCode` choose it; all others are 1. */
export function exitCodeOf(error: unknown): number {
  const exitCode = (error as { exitCode?: unknown } | undefined)?.exitCode;
  return typeof exitCode === "number" ? exitCode : 1;
}
