// Receives BFD packets for one local address (or all): four sockets on port 3784 among which the kernel sorts packets (filter.ts).
// What belongs to an established session is read as it comes, through the event loop; the other queues at a bounded rate, so that no
// flood of forged packets takes the time of the sessions. speaker.ts has one of these per local address in use.

import { createSocket, type Socket } from "node:dgram";
import { dropAll, onlyTtl255, QUEUES, type Queue, type Selected, selector } from "./filter.ts";
import {
  attachFilter,
  attachGroupSelector,
  bindSocket,
  closeSocket,
  openUdp,
  queueState,
  receiveFrom,
  setOption,
  socketOption,
} from "./libc.ts";
import { BFD_PORT } from "./packet.ts";

/** Time between two looks into the bounded queues, in milliseconds: what a new session waits for its first packet. */
export const POLL_INTERVAL_MS = 10;
/** Packets taken from each of them in one look: 3200 a second. */
const POLL_BUDGET = 32;
/** Bytes of kernel memory: about 1000 packets, ten times what 500 sessions at 300 ms send in 100 ms. */
const ESTABLISHED_BUFFER = 1 << 19;

/** `payload` is valid during the call only. */
export type PacketHandler = (payload: Buffer, from: string, queue: Queue) => void;

export class Receiver {
  readonly #fds: Readonly<Record<Queue, number>>;
  readonly #established: Socket;
  readonly #handler: PacketHandler;

  /** `localAddress` undefined: every address of this node that no other receiver has. @throws BfdError "socket" */
  static async open(localAddress: string | undefined, handler: PacketHandler): Promise<Receiver> {
    const fds = { unsolicited: -1, established: -1, setup: -1, sink: -1 };
    try {
      for (const queue of QUEUES) {
        const fd = openUdp();
        fds[queue] = fd;
        setOption(fd, socketOption.reusePort, 1);
        setOption(fd, socketOption.freeBind, 1);
        attachFilter(fd, queue === "sink" ? dropAll : onlyTtl255);
        bindSocket(fd, localAddress, BFD_PORT);
        // With the first socket: later ones join a group that already sorts.
        if (queue === "unsolicited") attachGroupSelector(fd, selector([]));
      }
      setOption(fds.established, socketOption.receiveBuffer, ESTABLISHED_BUFFER);
      const socket = createSocket("udp4");
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.bind({ fd: fds.established }, () => {
          socket.off("error", reject);
          resolve();
        });
      });
      return new Receiver(fds, socket, handler);
    } catch (error) {
      for (const fd of Object.values(fds)) if (fd >= 0) closeSocket(fd);
      throw error;
    }
  }

  private constructor(fds: Readonly<Record<Queue, number>>, established: Socket, handler: PacketHandler) {
    this.#fds = fds;
    this.#handler = handler;
    this.#established = established;
    established.on("message", (payload, { address }) => handler(payload, address, "established"));
    // An unconnected socket reports no errors of the network; should it, the next packet is unaffected.
    established.on("error", () => {});
  }

  /** The sessions whose packets are read at once. */
  setSessions(sessions: readonly Selected[]): void {
    attachGroupSelector(this.#fds.unsolicited, selector(sessions));
  }

  /** Reads a bounded number of packets from the queues that the event loop does not read. */
  poll(): void {
    for (const queue of ["setup", "unsolicited"] as const) {
      for (let i = 0; i < POLL_BUDGET; i++) {
        const packet = receiveFrom(this.#fds[queue]);
        if (!packet) break;
        this.#handler(packet.payload, packet.from, queue);
      }
    }
  }

  /** Packets of established sessions have arrived that have not been handled yet. */
  hasQueued(): boolean {
    return queueState(this.#fds.established).queuedBytes > 0;
  }

  /** Packets dropped by the kernel since open(). */
  drops(): { readonly ttl: number; readonly overflow: number } {
    const { unsolicited, established, setup, sink } = this.#fds;
    const overflow = [unsolicited, established, setup].reduce((sum, fd) => sum + queueState(fd).drops, 0);
    return { ttl: queueState(sink).drops, overflow };
  }

  close(): void {
    this.#established.close();
    for (const queue of ["unsolicited", "setup", "sink"] as const) closeSocket(this.#fds[queue]);
  }
}

/**
 * SO_REUSEPORT would let a second speaker in this network namespace share the port silently: a bind without it finds one.
 * @throws BfdError "port-in-use"
 */
export function refuseCompany(): void {
  const fd = openUdp();
  try {
    bindSocket(fd, undefined, BFD_PORT);
  } finally {
    closeSocket(fd);
  }
}
