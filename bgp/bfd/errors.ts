/** Stable codes of what can go wrong with the BFD speaker. */
export type BfdErrorCode =
  /** A session configuration that cannot be used. */
  | "invalid"
  /** A system call on a socket failed; the message names it and the errno. */
  | "socket"
  /** Another BFD speaker has the port in this network namespace. */
  | "port-in-use"
  /** `fabgate bfd` does not answer. */
  | "not-connected"
  /** `fabgate bfd` answered with an error. */
  | "refused"
  /** The client was closed. */
  | "closed";

export class BfdError extends Error {
  readonly code: BfdErrorCode;

  constructor(code: BfdErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BfdError";
    this.code = code;
  }
}
