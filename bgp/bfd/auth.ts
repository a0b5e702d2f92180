// Authentication sections (RFC 5880 sections 4.2–4.4, 6.7): simple password, keyed SHA1 and meticulous keyed SHA1. machine.ts signs and
// checks with these. Pure; the sequence numbers live in the session.

import { createHash, timingSafeEqual } from "node:crypto";
import type { DiscardReason } from "./discard.ts";
import { MANDATORY_LENGTH } from "./packet.ts";

/** Types with their codes on the wire. The MD5 ones are left out: RFC 5880 advises against them. */
const AUTH_TYPE_CODES = { "simple-password": 1, "keyed-sha1": 4, "meticulous-keyed-sha1": 5 } as const;

export type AuthType = keyof typeof AUTH_TYPE_CODES;

export interface AuthConfig {
  readonly type: AuthType;
  /** 0–255. */
  readonly keyId: number;
  /** Password of 1–16 bytes, or SHA1 key of 1–20 bytes, as UTF-8. */
  readonly key: string;
}

const SHA1_LENGTH = 28;
const DIGEST_LENGTH = 20;
/** Bytes of the section before the password. */
const PASSWORD_HEADER = 3;
const PASSWORD_MAX = 16;
const AT_KEY_ID = MANDATORY_LENGTH + 2;
const AT_SEQUENCE = MANDATORY_LENGTH + 4;
const AT_DIGEST = MANDATORY_LENGTH + 8;
/** Sequence numbers are accepted up to this many detection multipliers ahead (RFC 5880 section 6.7.4). */
const WINDOW_DETECT_MULTS = 3;

/** What is wrong with an authentication configuration; undefined if nothing is. */
export function authProblem(auth: AuthConfig): string | undefined {
  if (!Object.hasOwn(AUTH_TYPE_CODES, auth.type)) return `unknown authentication type ${JSON.stringify(auth.type)}`;
  if (!Number.isInteger(auth.keyId) || auth.keyId < 0 || auth.keyId > 255) return "key id must be 0 to 255";
  const length = Buffer.byteLength(auth.key);
  const max = auth.type === "simple-password" ? PASSWORD_MAX : DIGEST_LENGTH;
  if (length < 1 || length > max) return `key must have 1 to ${max} bytes, it has ${length}`;
  return undefined;
}

/** Bytes that authentication adds to a packet. */
export function authLength(auth: AuthConfig | undefined): number {
  if (!auth) return 0;
  return auth.type === "simple-password" ? PASSWORD_HEADER + Buffer.byteLength(auth.key) : SHA1_LENGTH;
}

/** Fills in the section at the end of a packet that encodePacket made with authLength(). */
export function sign(packet: Buffer, auth: AuthConfig, sequence: number): void {
  packet[MANDATORY_LENGTH] = AUTH_TYPE_CODES[auth.type];
  packet[MANDATORY_LENGTH + 1] = authLength(auth);
  packet[AT_KEY_ID] = auth.keyId;
  if (auth.type === "simple-password") {
    packet.write(auth.key, MANDATORY_LENGTH + PASSWORD_HEADER);
    return;
  }
  packet.writeUInt32BE(sequence, AT_SEQUENCE);
  digest(packet, auth.key).copy(packet, AT_DIGEST);
}

export type Verified =
  | { readonly sequence: number | undefined; readonly discard?: undefined }
  | { readonly discard: DiscardReason };

/**
 * Checks a packet with the A bit. `lastSequence`: the last one accepted, undefined if none is known. The result has the sequence
 * number to remember. Unlike the letter of RFC 5880 a number is believed only after its digest was right: a forged first packet
 * must not set the window.
 */
export function verify(
  packet: Buffer,
  auth: AuthConfig,
  detectMult: number,
  lastSequence: number | undefined,
): Verified {
  const length = packet.readUInt8(MANDATORY_LENGTH + 1);
  if (packet.readUInt8(MANDATORY_LENGTH) !== AUTH_TYPE_CODES[auth.type]) return { discard: "auth-type" };
  if (length !== packet.length - MANDATORY_LENGTH || length <= PASSWORD_HEADER) return { discard: "auth-length" };
  if (packet.readUInt8(AT_KEY_ID) !== auth.keyId) return { discard: "auth-key-id" };
  if (auth.type === "simple-password") {
    const right = equal(packet.subarray(MANDATORY_LENGTH + PASSWORD_HEADER), Buffer.from(auth.key));
    return right ? { sequence: undefined } : { discard: "auth-mismatch" };
  }
  if (length !== SHA1_LENGTH) return { discard: "auth-length" };
  const sequence = packet.readUInt32BE(AT_SEQUENCE);
  if (lastSequence !== undefined) {
    const ahead = (sequence - lastSequence) >>> 0;
    const least = auth.type === "meticulous-keyed-sha1" ? 1 : 0;
    if (ahead < least || ahead > WINDOW_DETECT_MULTS * detectMult) return { discard: "auth-sequence" };
  }
  const right = equal(packet.subarray(AT_DIGEST), digest(packet, auth.key));
  return right ? { sequence } : { discard: "auth-mismatch" };
}

/** SHA1 over the packet with the key, padded with zeros, where the digest goes. */
function digest(packet: Buffer, key: string): Buffer {
  const keyed = Buffer.from(packet);
  keyed.fill(0, AT_DIGEST);
  keyed.write(key, AT_DIGEST);
  return createHash("sha1").update(keyed).digest();
}

function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
