// What main.ts knows of a suite.
import type { Row } from "../row.ts";

export interface SuiteContext {
  /** Aborted on Ctrl-C: a suite stops at the next measurement and removes what it made. */
  readonly signal: AbortSignal;
  /** Says what is going on, on stderr. */
  readonly progress: (text: string) => void;
}

export interface Suite {
  readonly name: string;
  /** Measures. Throws if something it needs is missing: rows are never left out silently. */
  run(context: SuiteContext): Promise<Row[]>;
}
