// The BFD control packet on the wire (RFC 5880 section 4.1). machine.ts makes and consumes these; table.ts decodes what arrives.
// Pure. What section 6.8.6 tells to discard by looking at the packet alone is decided here, in the order of that section.

import type { DiscardReason } from "./discard.ts";

/** In the order of their codes on the wire. */
export const SESSION_STATES = ["AdminDown", "Down", "Init", "Up"] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** Diagnostic codes (RFC 5880 section 4.1) that this speaker gives; others may be received. */
export const diagnostic = {
  none: 0,
  detectionTimeExpired: 1,
  neighborSignaledDown: 3,
  administrativelyDown: 7,
} as const;

const DIAGNOSTIC_NAMES = [
  "no diagnostic",
  "control detection time expired",
  "echo function failed",
  "neighbor signaled session down",
  "forwarding plane reset",
  "path down",
  "concatenated path down",
  "administratively down",
  "reverse concatenated path down",
] as const;

/** What a diagnostic code means, in RFC 5880's words. */
export function diagnosticName(code: number): string {
  return DIAGNOSTIC_NAMES[code] ?? `diagnostic ${code}`;
}

export const BFD_VERSION = 1;
/** UDP port of single-hop control packets (RFC 5881 section 4). */
export const BFD_PORT = 3784;
/** Bytes of the packet without authentication. */
export const MANDATORY_LENGTH = 24;
/** Length is one byte: no packet is longer. */
export const MAX_LENGTH = 255;

const FLAG_POLL = 0x20;
const FLAG_FINAL = 0x10;
const FLAG_CONTROL_PLANE_INDEPENDENT = 0x08;
const FLAG_AUTHENTICATION = 0x04;
const FLAG_DEMAND = 0x02;
const FLAG_MULTIPOINT = 0x01;

/** A control packet without what every valid one has in common (version, length, no multipoint). Intervals in microseconds. */
export interface ControlPacket {
  readonly diagnostic: number;
  readonly state: SessionState;
  readonly poll: boolean;
  readonly final: boolean;
  readonly controlPlaneIndependent: boolean;
  readonly demand: boolean;
  readonly detectMult: number;
  readonly myDiscriminator: number;
  readonly yourDiscriminator: number;
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  readonly requiredMinEchoRxUs: number;
  /** The A bit: an authentication section follows, which auth.ts reads. */
  readonly authenticated: boolean;
}

export type Decoded =
  | { readonly packet: ControlPacket; readonly bytes: Buffer; readonly discard?: undefined }
  | { readonly discard: DiscardReason };

/** The mandatory section. `authentication`: bytes of the section that will follow; 0 for none. */
export function encodePacket(packet: ControlPacket, authenticationLength = 0): Buffer {
  const bytes = Buffer.alloc(MANDATORY_LENGTH + authenticationLength);
  bytes[0] = (BFD_VERSION << 5) | packet.diagnostic;
  bytes[1] =
    (SESSION_STATES.indexOf(packet.state) << 6) |
    (packet.poll ? FLAG_POLL : 0) |
    (packet.final ? FLAG_FINAL : 0) |
    (packet.controlPlaneIndependent ? FLAG_CONTROL_PLANE_INDEPENDENT : 0) |
    (packet.authenticated ? FLAG_AUTHENTICATION : 0) |
    (packet.demand ? FLAG_DEMAND : 0);
  bytes[2] = packet.detectMult;
  bytes[3] = bytes.length;
  bytes.writeUInt32BE(packet.myDiscriminator, 4);
  bytes.writeUInt32BE(packet.yourDiscriminator, 8);
  bytes.writeUInt32BE(packet.desiredMinTxUs, 12);
  bytes.writeUInt32BE(packet.requiredMinRxUs, 16);
  bytes.writeUInt32BE(packet.requiredMinEchoRxUs, 20);
  return bytes;
}

/** Reads a UDP payload; `bytes` of the result is the packet without what may follow it. Never throws. */
export function decodePacket(payload: Buffer): Decoded {
  if (payload.length < MANDATORY_LENGTH) return { discard: "too-short" };
  const flags = payload.readUInt8(1);
  const length = payload.readUInt8(3);
  const authenticated = (flags & FLAG_AUTHENTICATION) !== 0;
  if (payload.readUInt8(0) >> 5 !== BFD_VERSION) return { discard: "version" };
  if (length < (authenticated ? MANDATORY_LENGTH + 2 : MANDATORY_LENGTH)) return { discard: "length" };
  if (length > payload.length) return { discard: "length-beyond-payload" };
  const detectMult = payload.readUInt8(2);
  if (detectMult === 0) return { discard: "detect-mult-zero" };
  if (flags & FLAG_MULTIPOINT) return { discard: "multipoint" };
  const myDiscriminator = payload.readUInt32BE(4);
  if (myDiscriminator === 0) return { discard: "my-discriminator-zero" };
  const state = SESSION_STATES[flags >> 6] ?? "AdminDown";
  const yourDiscriminator = payload.readUInt32BE(8);
  if (yourDiscriminator === 0 && state !== "Down" && state !== "AdminDown")
    return { discard: "your-discriminator-zero" };
  return {
    bytes: payload.subarray(0, length),
    packet: {
      diagnostic: payload.readUInt8(0) & 0x1f,
      state,
      poll: (flags & FLAG_POLL) !== 0,
      final: (flags & FLAG_FINAL) !== 0,
      controlPlaneIndependent: (flags & FLAG_CONTROL_PLANE_INDEPENDENT) !== 0,
      demand: (flags & FLAG_DEMAND) !== 0,
      detectMult,
      myDiscriminator,
      yourDiscriminator,
      desiredMinTxUs: payload.readUInt32BE(12),
      requiredMinRxUs: payload.readUInt32BE(16),
      requiredMinEchoRxUs: payload.readUInt32BE(20),
      authenticated,
    },
  };
}
