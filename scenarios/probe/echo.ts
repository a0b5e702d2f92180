// Echo services on a host: UDP and TCP ports that send every probe message back, with the address it came from.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { Deframer, frame, intoEcho } from "./message.ts";

/** An open echo port. */
export interface Echo {
  /** Datagrams or connections that have arrived. */
  readonly arrived: () => number;
}

/** Opens an echo port for IPv4 and IPv6. */
export function openEcho(proto: "udp" | "tcp", port: number): Promise<Echo> {
  return proto === "udp" ? openUdp(port) : openTcp(port);
}

function openUdp(port: number): Promise<Echo> {
  let arrived = 0;
  const socket = createSocket("udp6");
  socket.on("message", (message, from) => {
    arrived++;
    if (intoEcho(message, seenAs(from.address, from.port))) socket.send(message, from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, () => {
      socket.off("error", reject);
      socket.on("error", () => {
        // An echo that could not be sent is a loss, and counted as one by the sender.
      });
      resolve({ arrived: () => arrived });
    });
  });
}

function openTcp(port: number): Promise<Echo> {
  let arrived = 0;
  const server = createServer((socket) => {
    arrived++;
    socket.setNoDelay(true);
    const seen = seenAs(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    const deframer = new Deframer();
    socket.on("data", (bytes) => {
      for (const message of deframer.push(bytes)) if (intoEcho(message, seen)) socket.write(frame(message));
    });
    socket.on("error", () => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "::", () => resolve({ arrived: () => arrived }));
  });
}

function seenAs(address: string, port: number): string {
  return `${address.replace(/^::ffff:/, "")}:${port}`;
}
