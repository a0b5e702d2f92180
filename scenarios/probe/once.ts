// One probe: a few packets to an echo port, on as many flows as asked for, and what came back.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Deframer, decode, encodeRequest, frame } from "./message.ts";
import { connectedUdp } from "./stream.ts";

export interface ProbeOptions {
  readonly proto: "udp" | "tcp";
  readonly address: string;
  readonly port: number;
  /** Payload in bytes. */
  readonly size: number;
  /** Packets per flow (TCP: messages per connection). */
  readonly count: number;
  /** Source ports (TCP: connections). */
  readonly flows: number;
  readonly timeoutMs: number;
}

export interface ProbeAnswer {
  readonly sent: number;
  readonly answered: number;
  /** The senders' addresses without ports, as the far side saw them. */
  readonly seenAs: readonly string[];
}

/** Time between the packets of a flow. */
const PACKET_GAP_MS = 2;

export async function probeOnce(options: ProbeOptions): Promise<ProbeAnswer> {
  const seen = new Set<string>();
  const flow = options.proto === "udp" ? udpFlow : tcpFlow;
  const answered = await Promise.all(Array.from({ length: options.flows }, () => flow(options, seen)));
  return {
    sent: options.flows * options.count,
    answered: answered.reduce((sum, count) => sum + count, 0),
    seenAs: [...seen].sort(),
  };
}

/** Notes who the echo says we are; false if it is no echo. */
function note(message: Buffer, seen: Set<string>): boolean {
  const echo = decode(message);
  if (echo === undefined) return false;
  seen.add(echo.seenAs.slice(0, echo.seenAs.lastIndexOf(":")));
  return true;
}

async function udpFlow(options: ProbeOptions, seen: Set<string>): Promise<number> {
  const echoed = new Set<number>();
  const done = new AbortController();
  const socket = connectedUdp(options.address, options.port, (message) => {
    if (!note(message, seen)) return;
    echoed.add(decode(message)?.sequence ?? -1);
    if (echoed.size === options.count) done.abort();
  });
  for (let sequence = 0; sequence < options.count; sequence++) {
    socket.send(encodeRequest(sequence, options.size));
    await sleep(PACKET_GAP_MS);
  }
  await sleep(options.timeoutMs, undefined, { signal: done.signal }).catch(() => undefined);
  socket.close();
  return echoed.size;
}

function tcpFlow(options: ProbeOptions, seen: Set<string>): Promise<number> {
  return new Promise((resolve) => {
    let answered = 0;
    const socket = connect(options.port, options.address);
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(finish, options.timeoutMs);
    const deframer = new Deframer();
    socket.on("connect", () => socket.write(frame(encodeRequest(0, options.size))));
    socket.on("data", (bytes) => {
      for (const message of deframer.push(bytes)) {
        if (note(message, seen)) answered++;
        if (answered === options.count) return finish();
        socket.write(frame(encodeRequest(answered, options.size)));
      }
    });
    socket.on("error", finish);
    socket.on("close", finish);
  });
}
