// Errors of the lab. The code says which exit status the command line makes of it.

/** invalid: the scenario or topology is wrong (1); usage: the request is (2); unreachable: a component or tool failed (3). */
export type LabErrorCode = "ERR_LAB_INVALID" | "ERR_LAB_USAGE" | "ERR_LAB_UNREACHABLE";

const EXIT_CODES: Readonly<Record<LabErrorCode, number>> = {
  ERR_LAB_INVALID: 1,
  ERR_LAB_USAGE: 2,
  ERR_LAB_UNREACHABLE: 3,
};

export class LabError extends Error {
  readonly code: LabErrorCode;
  /** Exit status of a command that ends with this error. */
  readonly exitCode: number;

  constructor(code: LabErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "LabError";
    this.code = code;
    this.exitCode = EXIT_CODES[code];
  }
}
