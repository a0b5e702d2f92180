// What the kernel decides about a BFD packet before this process sees it, as classic BPF. node:dgram cannot read the TTL of a packet,
// and IP_MINTTL is for TCP only; a filter on the socket reads the IP header.
//
// receiver.ts has four sockets on port 3784 in one SO_REUSEPORT group; the selector sorts each packet into one of them, so that a
// flood of one kind fills only that kind's queue:
//   TTL not 255                                         sink: dropped, counted by the kernel (RFC 5881 section 5)
//   Your Discriminator and sender of a session          established: read at once
//   Your Discriminator 0, sender is some neighbour      setup: read at a bounded rate
//   anything else                                       unsolicited: read at a bounded rate, to count what it is
// A session is recognised by Your Discriminator XOR sender: one comparison a session, and as hard to guess as the discriminator. It
// is a sieve only: table.ts checks both.

import type { FilterProgram } from "./libc.ts";

/** Sockets of the group, in the order in which they are bound. */
export const QUEUES = ["unsolicited", "established", "setup", "sink"] as const;
export type Queue = (typeof QUEUES)[number];

/** Sessions that the selector can tell apart: the kernel takes 4096 instructions, a session needs one, a neighbour one. */
export const MAX_SELECTED = 1900;

// Opcodes: class | size or operation | mode or source.
const LOAD_BYTE = 0x30;
const LOAD_WORD = 0x20;
const A_TO_X = 0x07;
const XOR_X = 0xac;
const JUMP = 0x05;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;

/** Offset of the IP header for loads (SKF_NET_OFF). */
const NETWORK = -0x100000;
const IP_TTL = NETWORK + 8;
const IP_SOURCE = NETWORK + 12;
/** From the start of the UDP payload, which is where loads of a selector count from. */
const YOUR_DISCRIMINATOR = 8;
const ACCEPT_WHOLE = 0xffff;
/** A conditional jump reaches 255 instructions: so many comparisons share the return that follows them. */
const COMPARISONS_PER_RETURN = 250;

export interface Selected {
  readonly discriminator: number;
  /** Neighbour's address as a number. */
  readonly peer: number;
}

/** Drops everything. */
export const dropAll: FilterProgram = instruction(RETURN, 0);

/** Drops what has a TTL other than 255: on every socket as well, for packets that the group does not sort (broadcast). */
export const onlyTtl255: FilterProgram = Buffer.concat([
  instruction(LOAD_BYTE, IP_TTL),
  instruction(JUMP_IF_EQUAL, 255, 0, 1),
  instruction(RETURN, ACCEPT_WHOLE),
  instruction(RETURN, 0),
]);

/** Sorts packets into the queues. Sessions beyond MAX_SELECTED stay unsolicited, which works at a bounded rate. */
export function selector(sessions: readonly Selected[]): FilterProgram {
  const selected = sessions.slice(0, MAX_SELECTED);
  const unsolicited = instruction(RETURN, QUEUES.indexOf("unsolicited"));
  const established = [
    instruction(A_TO_X, 0),
    instruction(LOAD_WORD, IP_SOURCE),
    instruction(XOR_X, 0),
    ...oneOf(
      selected.map(({ discriminator, peer }) => (discriminator ^ peer) >>> 0),
      "established",
    ),
    unsolicited,
  ];
  const setup = [
    instruction(LOAD_WORD, IP_SOURCE),
    ...oneOf([...new Set(selected.map(({ peer }) => peer))], "setup"),
    unsolicited,
  ];
  return Buffer.concat([
    instruction(LOAD_BYTE, IP_TTL),
    instruction(JUMP_IF_EQUAL, 255, 1, 0),
    instruction(RETURN, QUEUES.indexOf("sink")),
    // A payload that is too short for this ends the program with 0: unsolicited.
    instruction(LOAD_WORD, YOUR_DISCRIMINATOR),
    instruction(JUMP_IF_EQUAL, 0, 0, 1),
    instruction(JUMP, established.length),
    ...established,
    ...setup,
  ]);
}

/** Returns `queue` if the accumulator is one of the values, else goes on behind. */
function oneOf(values: readonly number[], queue: Queue): FilterProgram[] {
  const program: FilterProgram[] = [];
  for (let at = 0; at < values.length; at += COMPARISONS_PER_RETURN) {
    const part = values.slice(at, at + COMPARISONS_PER_RETURN);
    for (const [index, value] of part.entries()) {
      program.push(instruction(JUMP_IF_EQUAL, value, part.length - index, 0));
    }
    program.push(instruction(JUMP, 1), instruction(RETURN, QUEUES.indexOf(queue)));
  }
  return program;
}

function instruction(code: number, k: number, ifTrue = 0, ifFalse = 0): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes[2] = ifTrue;
  bytes[3] = ifFalse;
  bytes.writeUInt32LE(k >>> 0, 4);
  return bytes;
}
