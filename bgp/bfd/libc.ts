// What Node does not offer: sockets with options set before they are bound, filters, a send without a queue, real-time scheduling.
// receiver.ts, sender.ts and daemon.ts use it; nothing else calls C here. IPv4; address family and sockaddr are decided in this file alone.

import koffi from "koffi";
import { BfdError } from "./errors.ts";

const libc = koffi.load("libc.so.6");
koffi.struct("sock_fprog", { len: "uint16", filter: "void *" });

const c = {
  socket: libc.func("int socket(int, int, int)"),
  bind: libc.func("int bind(int, void *, uint32)"),
  close: libc.func("int close(int)"),
  setsockopt: libc.func("int setsockopt(int, int, int, void *, uint32)"),
  setFilter: libc.func("int setsockopt(int, int, int, sock_fprog *, uint32)"),
  getsockopt: libc.func("int getsockopt(int, int, int, void *, void *)"),
  sendto: libc.func("int64 sendto(int, void *, size_t, int, void *, uint32)"),
  setScheduler: libc.func("int sched_setscheduler(int, int, void *)"),
  recvfrom: libc.func("int64 recvfrom(int, void *, size_t, int, void *, void *)"),
};

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const SO_MEMINFO = 55;
const SCHED_RR = 2;
const SOCKADDR_LENGTH = 16;
const SOCK_FPROG_LENGTH = 16;
const MEMINFO_LENGTH = 36;

/** [level, name] of the options used here. */
export const socketOption = {
  reusePort: [SOL_SOCKET, 15],
  receiveBuffer: [SOL_SOCKET, 8],
  typeOfService: [0, 1],
  ttl: [0, 2],
  /** Binds to an address that this node does not have yet. */
  freeBind: [0, 15],
} as const;

/** Instructions of classic BPF, 8 bytes each. */
export type FilterProgram = Buffer;

const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

function errnoName(): string {
  const errno = koffi.errno();
  return errnoNames.get(errno) ?? `errno ${errno}`;
}

function check(result: number, call: string): number {
  if (result >= 0) return result;
  const name = errnoName();
  throw new BfdError(name === "EADDRINUSE" ? "port-in-use" : "socket", `${call}: ${name}`);
}

/** A non-blocking UDP socket. @throws BfdError "socket" */
export function openUdp(): number {
  return check(c.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
}

export function closeSocket(fd: number): void {
  c.close(fd);
}

/** @throws BfdError "socket" */
export function setOption(fd: number, [level, name]: readonly [number, number], value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  check(c.setsockopt(fd, level, name, bytes, bytes.length), `setsockopt ${level}/${name}`);
}

/** Packets for which the program returns 0 are dropped, and counted as drops of the socket. @throws BfdError "socket" */
export function attachFilter(fd: number, program: FilterProgram): void {
  attach(fd, SO_ATTACH_FILTER, program);
}

/** The program returns which socket of the group, in order of binding, takes a packet. @throws BfdError "socket" */
export function attachGroupSelector(fd: number, program: FilterProgram): void {
  attach(fd, SO_ATTACH_REUSEPORT_CBPF, program);
}

function attach(fd: number, name: number, program: FilterProgram): void {
  const fprog = { len: program.length / 8, filter: program };
  check(c.setFilter(fd, SOL_SOCKET, name, fprog, SOCK_FPROG_LENGTH), `setsockopt ${SOL_SOCKET}/${name}`);
}

/** `address` undefined: any. @throws BfdError "port-in-use", "socket" */
export function bindSocket(fd: number, address: string | undefined, port: number): void {
  check(c.bind(fd, socketAddress(address ?? "0.0.0.0", port), SOCKADDR_LENGTH), `bind ${address ?? "*"}:${port}`);
}

/** Bytes queued for reading, and packets that were dropped by a filter or for want of space since the socket was opened. */
export function queueState(fd: number): { readonly queuedBytes: number; readonly drops: number } {
  const info = Buffer.alloc(MEMINFO_LENGTH);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(MEMINFO_LENGTH);
  check(c.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, length), "getsockopt SO_MEMINFO");
  return { queuedBytes: info.readUInt32LE(0), drops: info.readUInt32LE(32) };
}

/** A destination for sendTo(), made once. */
export function socketAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_LENGTH);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt32BE(addressNumber(address), 4);
  return bytes;
}

/** An IPv4 address as a number, as in the packet. */
export function addressNumber(address: string): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** Sends at once; undefined, or the name of the errno. */
export function sendTo(fd: number, bytes: Buffer, to: Buffer): string | undefined {
  return c.sendto(fd, bytes, bytes.length, 0, to, to.length) >= 0 ? undefined : errnoName();
}

/** Round-robin real-time scheduling of a thread, at the lowest of its priorities; undefined, or the name of the errno. */
export function scheduleRealTime(thread: number): string | undefined {
  const priority = Buffer.alloc(4);
  priority.writeInt32LE(1);
  return c.setScheduler(thread, SCHED_RR, priority) === 0 ? undefined : errnoName();
}

const received = Buffer.alloc(2048);
const sender = Buffer.alloc(SOCKADDR_LENGTH);
const senderLength = Buffer.alloc(4);

/** The next packet in the queue; undefined if there is none. `payload` is valid until the next call. */
export function receiveFrom(fd: number): { readonly payload: Buffer; readonly from: string } | undefined {
  senderLength.writeUInt32LE(SOCKADDR_LENGTH);
  const length = Number(c.recvfrom(fd, received, received.length, 0, sender, senderLength));
  if (length < 0) return undefined;
  return { payload: received.subarray(0, length), from: [...sender.subarray(4, 8)].join(".") };
}
