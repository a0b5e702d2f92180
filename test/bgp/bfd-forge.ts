// Sends forged BFD packets: a child process of the tests, in an attacker's namespace. Arguments: destination, packets in all, packets a
// second, and as JSON what to send in turn: [{source, ttl, hex}]. Prints how many went out and in how many milliseconds.

import { bindSocket, openUdp, sendTo, setOption, socketAddress, socketOption } from "../../bgp/bfd/libc.ts";
import { BFD_PORT } from "../../bgp/bfd/packet.ts";

const [destination = "", total = "", rate = "", json = "[]"] = process.argv.slice(2);
const forged = JSON.parse(json) as readonly { source: string; ttl: number; hex: string }[];
/** IP_TRANSPARENT: any source address. */
const transparent = [0, 19] as const;

const sockets = forged.map(({ source, ttl, hex }, index) => {
  const fd = openUdp();
  setOption(fd, transparent, 1);
  setOption(fd, socketOption.ttl, ttl);
  bindSocket(fd, source, 50_000 + index);
  return { fd, bytes: Buffer.from(hex, "hex") };
});
const to = socketAddress(destination, BFD_PORT);
const beganMs = performance.now();
let sent = 0;
for (let i = 0; i < Number(total); i++) {
  const socket = sockets[i % sockets.length];
  if (socket && sendTo(socket.fd, socket.bytes, to) === undefined) sent++;
  while (performance.now() - beganMs < (i * 1000) / Number(rate)) {
    // Busy on purpose: timers are too coarse for this rate.
  }
}
console.log(JSON.stringify({ sent, ms: performance.now() - beganMs }));
