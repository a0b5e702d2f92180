// The payload of probe packets, the same for UDP datagrams and, behind a length, for TCP: a magic word, a sequence number
// and, in the echo, the sender's address as the far side saw it. An echo is as long as its request.

const MAGIC = 0x66677072;
const SEEN_AT = 8;
const SEEN_BYTES = 48;

/** Shortest payload in bytes. */
export const MIN_SIZE = SEEN_AT + SEEN_BYTES;

export interface ProbeMessage {
  readonly sequence: number;
  /** "address:port" as the far side saw it; empty in a request. */
  readonly seenAs: string;
}

export function encodeRequest(sequence: number, size: number): Buffer {
  const buffer = Buffer.alloc(Math.max(size, MIN_SIZE));
  buffer.writeUInt32BE(MAGIC, 0);
  buffer.writeUInt32BE(sequence, 4);
  return buffer;
}

/** Turns a request into its echo, in place. Returns false if it is none of our messages. */
export function intoEcho(buffer: Buffer, seenAs: string): boolean {
  if (decode(buffer) === undefined) return false;
  buffer.fill(0, SEEN_AT, SEEN_AT + SEEN_BYTES);
  buffer.write(seenAs, SEEN_AT, SEEN_BYTES, "latin1");
  return true;
}

/** Undefined if it is none of our messages. */
export function decode(buffer: Buffer): ProbeMessage | undefined {
  if (buffer.length < MIN_SIZE || buffer.readUInt32BE(0) !== MAGIC) return undefined;
  const text = buffer.toString("latin1", SEEN_AT, SEEN_AT + SEEN_BYTES);
  return { sequence: buffer.readUInt32BE(4), seenAs: text.slice(0, text.indexOf("\0")) };
}

/** A message behind its length, for TCP. */
export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
}

/** Takes TCP bytes as they come and gives out whole messages. */
export class Deframer {
  #pending = Buffer.alloc(0);

  push(bytes: Buffer): Buffer[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    const messages: Buffer[] = [];
    while (this.#pending.length >= 4) {
      const end = 4 + this.#pending.readUInt32BE(0);
      if (this.#pending.length < end) break;
      messages.push(Buffer.from(this.#pending.subarray(4, end)));
      this.#pending = this.#pending.subarray(end);
    }
    return messages;
  }
}
