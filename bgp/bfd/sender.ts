// The socket that one session sends from: its own source port in 49152–65535, kept as long as the session lives (RFC 5881 section 4),
// TTL 255, class CS6. Sending is one system call without a queue, so what is sent is sent now. speaker.ts opens one per session.

import { randomInt } from "node:crypto";
import { BfdError } from "./errors.ts";
import { dropAll } from "./filter.ts";
import {
  attachFilter,
  bindSocket,
  closeSocket,
  openUdp,
  sendTo,
  setOption,
  socketAddress,
  socketOption,
} from "./libc.ts";
import { BFD_PORT } from "./packet.ts";
import type { SessionKey } from "./table.ts";

const FIRST_PORT = 49152;
const LAST_PORT = 65535;
const TTL = 255;
/** DSCP CS6, network control. */
const TYPE_OF_SERVICE = 0xc0;
const ATTEMPTS = 100;

export class Sender {
  readonly port: number;
  readonly #fd: number;
  readonly #to: Buffer;

  /** `wantedPort`: tried first. @throws BfdError "socket" */
  constructor({ peer, localAddress }: SessionKey, wantedPort?: number) {
    this.#to = socketAddress(peer, BFD_PORT);
    this.#fd = openUdp();
    try {
      setOption(this.#fd, socketOption.ttl, TTL);
      setOption(this.#fd, socketOption.typeOfService, TYPE_OF_SERVICE);
      // The agent may ask for a session before it has set the address.
      setOption(this.#fd, socketOption.freeBind, 1);
      // Nothing that is sent to this port is ours to read.
      attachFilter(this.#fd, dropAll);
      this.port = bindToPort(this.#fd, localAddress, wantedPort);
    } catch (error) {
      closeSocket(this.#fd);
      throw error;
    }
  }

  /** Undefined, or the name of the errno. */
  send(packet: Buffer): string | undefined {
    return sendTo(this.#fd, packet, this.#to);
  }

  close(): void {
    closeSocket(this.#fd);
  }
}

function bindToPort(fd: number, localAddress: string | undefined, wantedPort: number | undefined): number {
  for (let attempt = 0; ; attempt++) {
    const port = attempt === 0 && wantedPort !== undefined ? wantedPort : randomInt(FIRST_PORT, LAST_PORT + 1);
    try {
      bindSocket(fd, localAddress, port);
      return port;
    } catch (error) {
      if (!(error instanceof BfdError && error.code === "port-in-use") || attempt >= ATTEMPTS) throw error;
    }
  }
}
