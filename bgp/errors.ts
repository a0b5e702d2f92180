/** Stable codes of what can go wrong between us and gobgpd. */
export type BgpErrorCode =
  /** gobgpd cannot be reached; the desired state is kept and applied when it can. */
  | "not-connected"
  /** gobgpd answered with an error. */
  | "refused"
  /** A route, peer or other value that cannot be put into BGP. */
  | "invalid"
  /** The speaker was stopped before the state was applied. */
  | "stopped";

export class BgpError extends Error {
  readonly code: BgpErrorCode;

  constructor(code: BgpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BgpError";
    this.code = code;
  }
}

/** What of a thrown value is worth logging. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
