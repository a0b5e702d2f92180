// Errors of the benchmarks.

/** missing: something that has to be there is not; failed: a measurement gave nonsense or did not end. */
export type BenchErrorCode = "ERR_BENCH_MISSING" | "ERR_BENCH_FAILED";

export class BenchError extends Error {
  readonly code: BenchErrorCode;

  constructor(code: BenchErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "BenchError";
    this.code = code;
  }
}
