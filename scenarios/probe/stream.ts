// Streams of numbered packets from a host: datagrams at a fixed interval, or a counter over one live TCP connection. Each
// packet's send and echo times are kept until they are reported.
import { createSocket, type Socket } from "node:dgram";
import { connect } from "node:net";
import { cleanForMs, type Loss, longestStallMs, lossOf, type Packet } from "./loss.ts";
import { Deframer, decode, encodeRequest, frame, MIN_SIZE } from "./message.ts";

export interface StreamOptions {
  readonly address: string;
  readonly port: number;
  readonly intervalMs: number;
}

export interface StreamReport extends Loss {
  /** TCP: the connection is still the one that was opened. UDP: always. */
  readonly alive: boolean;
  /** Why the TCP connection ended. */
  readonly ended?: string;
  /** How long it has been running without loss or stall, up to now. */
  readonly cleanForMs: number;
}

/** An echo that takes longer than this is taken for lost as long as it has not come. */
export const IN_FLIGHT_MS = 100;

/** A running stream. */
export class Stream {
  readonly #intervalMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #end: () => void;
  readonly #reliable: boolean;
  #packets: Packet[] = [];
  /** Sequence number of #packets[0]. */
  #first = 0;
  #ended: string | undefined;

  constructor(proto: "udp" | "tcp", options: StreamOptions) {
    this.#intervalMs = options.intervalMs;
    this.#reliable = proto === "tcp";
    const { send, end } = proto === "udp" ? this.#openUdp(options) : this.#openTcp(options);
    this.#end = end;
    this.#timer = setInterval(() => {
      if (this.#ended !== undefined) return;
      const request = encodeRequest(this.#first + this.#packets.length, MIN_SIZE);
      this.#packets.push({ sentMs: performance.now() });
      send(request);
    }, options.intervalMs);
  }

  /** What happened since the last report that took the packets away (`take`), or since the start. */
  report(take: boolean): StreamReport {
    const nowMs = performance.now();
    // Packets that may still be on their way are reported next time.
    let count = this.#packets.length;
    while (count > 0 && this.#inFlight(this.#packets[count - 1], nowMs)) count--;
    const packets = this.#packets.slice(0, count);
    const loss = lossOf(packets, this.#intervalMs);
    const report: StreamReport = {
      ...loss,
      lossWindowMs: this.#reliable ? longestStallMs(this.#packets, this.#intervalMs, nowMs) : loss.lossWindowMs,
      alive: this.#ended === undefined,
      ...(this.#ended === undefined ? {} : { ended: this.#ended }),
      cleanForMs: cleanForMs(this.#packets, nowMs, IN_FLIGHT_MS),
    };
    if (take) {
      this.#packets = this.#packets.slice(count);
      this.#first += count;
    }
    return report;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#end();
  }

  #inFlight(packet: Packet | undefined, nowMs: number): boolean {
    return packet !== undefined && packet.echoedMs === undefined && nowMs - packet.sentMs <= IN_FLIGHT_MS;
  }

  #echoed(message: Buffer): void {
    const echo = decode(message);
    const packet = echo === undefined ? undefined : this.#packets[echo.sequence - this.#first];
    if (packet !== undefined) packet.echoedMs ??= performance.now();
  }

  #openUdp(options: StreamOptions): { send(message: Buffer): void; end(): void } {
    const socket = connectedUdp(options.address, options.port, (message) => this.#echoed(message));
    return { send: (message) => socket.send(message), end: () => socket.close() };
  }

  #openTcp(options: StreamOptions): { send(message: Buffer): void; end(): void } {
    const socket = connect(options.port, options.address);
    socket.setNoDelay(true);
    const deframer = new Deframer();
    let expected = 0;
    socket.on("data", (bytes) => {
      for (const message of deframer.push(bytes)) {
        if (decode(message)?.sequence !== expected++) this.#ended ??= "an echo is not the next number";
        this.#echoed(message);
      }
    });
    socket.on("error", (error) => {
      this.#ended ??= error.message;
    });
    socket.on("close", () => {
      this.#ended ??= "closed by the far side";
    });
    return { send: (message) => socket.write(frame(message)), end: () => socket.destroy() };
  }
}

/** A UDP socket for one destination. Errors (nobody there, no route) are losses and not reported. */
export function connectedUdp(
  address: string,
  port: number,
  onMessage: (message: Buffer) => void,
): { send(message: Buffer): void; close(): void } {
  const socket: Socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  let ready = false;
  const ignore = () => {
    // Counted as lost, because no echo comes.
  };
  socket.on("error", ignore);
  socket.on("message", onMessage);
  const waiting: Buffer[] = [];
  socket.connect(port, address, () => {
    ready = true;
    for (const message of waiting) socket.send(message, ignore);
  });
  return {
    send: (message) => {
      if (ready) socket.send(message, ignore);
      else waiting.push(message);
    },
    close: () => socket.close(),
  };
}
