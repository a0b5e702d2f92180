// Why a received packet is not used. Each is a counter; the names are stable, they are part of the API and of the metrics.

export const DISCARD_REASONS = [
  /** IP TTL is not 255 (RFC 5881 section 5): the packet has crossed a router. Counted by the kernel, see filter.ts. */
  "ttl",
  /** UDP payload of fewer than 24 bytes. */
  "too-short",
  /** BFD version is not 1. */
  "version",
  /** Length field less than 24, or than 26 with the A bit. */
  "length",
  "length-beyond-payload",
  "detect-mult-zero",
  "multipoint",
  "my-discriminator-zero",
  /** Your Discriminator 0 while the state is neither Down nor AdminDown. */
  "your-discriminator-zero",
  /** Your Discriminator is not one of ours. */
  "unknown-discriminator",
  /** Your Discriminator is one of ours, the sender is not that session's neighbour. */
  "wrong-peer",
  /** Your Discriminator 0, and no session is configured with this sender. */
  "unknown-peer",
  /** A bit set, session without authentication. */
  "auth-unexpected",
  /** A bit clear, session with authentication. */
  "auth-missing",
  /** Another authentication type than the session's. */
  "auth-type",
  "auth-key-id",
  /** Length of the authentication section does not fit the type or the packet. */
  "auth-length",
  /** Sequence number outside the window that follows the last one accepted. */
  "auth-sequence",
  /** Password or digest is wrong. */
  "auth-mismatch",
  /** The session is administratively down here. */
  "admin-down",
  /** A receive queue was full: the packet was never looked at. Counted by the kernel. */
  "overflow",
] as const;

export type DiscardReason = (typeof DISCARD_REASONS)[number];
