// Frames of NAT tests: an inner packet in a VPC, given by addresses and ports, with all checksums right; and what a frame that leaves says.
import assert from "node:assert/strict";
import { join } from "node:path";
import "./build.ts";
import { formatIpv4 } from "../../../dataplane/address.ts";
import { Dataplane } from "../../../dataplane/dataplane.ts";
import type { DataplaneRoute } from "../../../dataplane/desired.ts";
import { layoutDigest } from "../../../dataplane/generated/layout.ts";
import { BpfMap } from "../../../dataplane/libbpf.ts";
import { enterGateway, gateway, leaf, routerMac, vni } from "./fixture.ts";
import { Lab, silentLog } from "./lab.ts";
import { checksum, frame, type Ipv4Fields, ipv4, udp } from "./packet.ts";

export const protocolNumber = { icmp: 1, tcp: 6, udp: 17, sctp: 132 } as const;

/** Sum over pseudo header and transport; 0 when its checksum is right. */
export function transportChecksum(source: string, destination: string, protocol: number, transport: Buffer): number {
  const pseudo = ipv4({ source, destination }, Buffer.alloc(0)).subarray(12, 20);
  const rest = Buffer.from([0, protocol, transport.byteLength >>> 8, transport.byteLength & 255]);
  const padding = Buffer.alloc(transport.byteLength % 2);
  return checksum(Buffer.concat([pseudo, rest, transport, padding]));
}

export const tcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export function tcpSegment(
  source: number,
  destination: number,
  flags: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt32BE(0x01020304, 4);
  header[12] = 0x50;
  header[13] = flags;
  header.writeUInt16BE(65535, 14);
  return Buffer.concat([header, payload]);
}

export interface InnerPacket {
  readonly proto: "tcp" | "udp";
  /** "10.1.0.1:4000". */
  readonly from: string;
  readonly to: string;
  readonly flags?: number;
  readonly payload?: Buffer;
  /** UDP without a checksum. */
  readonly noChecksum?: boolean;
  readonly ip?: Partial<Ipv4Fields>;
}

function endpoint(text: string): { address: string; port: number } {
  const [address, port] = text.split(":");
  return { address: address as string, port: Number(port) };
}

/** The IP packet, checksums filled in. */
export function innerPacket({ proto, from, to, flags, payload, noChecksum, ip }: InnerPacket): Buffer {
  const [source, destination] = [endpoint(from), endpoint(to)];
  const data = payload ?? Buffer.from("fabgate!");
  const protocol = protocolNumber[proto];
  const transport =
    proto === "tcp"
      ? tcpSegment(source.port, destination.port, flags ?? tcpFlag.ack, data)
      : udp(source.port, destination.port, data);
  const check = transportChecksum(source.address, destination.address, protocol, transport);
  if (proto === "tcp") transport.writeUInt16BE(check, 16);
  else if (noChecksum !== true) transport.writeUInt16BE(check === 0 ? 0xffff : check, 6);
  return ipv4({ source: source.address, destination: destination.address, protocol, ...ip }, transport);
}

/** ICMP message with its checksum. `rest`: identifier and sequence, or what the type says. */
export function icmp(type: number, code: number, rest: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = type;
  header[1] = code;
  header.writeUInt32BE(rest >>> 0, 4);
  const message = Buffer.concat([header, payload]);
  const padding = Buffer.alloc(message.byteLength % 2);
  message.writeUInt16BE(checksum(Buffer.concat([message, padding])), 2);
  return message;
}

export function icmpPacket(from: string, to: string, message: Buffer, ip: Partial<Ipv4Fields> = {}): Buffer {
  return ipv4({ source: from, destination: to, protocol: 1, ...ip }, message);
}

/** An IP packet as it comes from leaf A in a VPC. */
export function arriving(vpc: keyof typeof vni, inner: Buffer): Buffer {
  const outer = frame({
    outer: { source: leaf.a, destination: gateway.ip },
    vxlan: { vni: vni[vpc] },
    innerEthernet: { destination: gateway.mac, source: routerMac.a },
    inner: { source: "0.0.0.0", destination: "0.0.0.0" },
    payload: Buffer.alloc(inner.byteLength - 20),
  });
  inner.copy(outer, 64);
  return outer;
}

/** Replaces the TTL and mends the header checksum. */
export function withTtl(packet: Buffer, ttl: number): Buffer {
  const copy = Buffer.from(packet);
  copy[8] = ttl;
  const length = ((copy[0] as number) & 15) * 4;
  copy.writeUInt16BE(0, 10);
  copy.writeUInt16BE(checksum(copy.subarray(0, length)), 10);
  return copy;
}

export interface Seen {
  readonly vni: number;
  /** The inner IP packet. */
  readonly inner: Buffer;
  readonly from: string;
  readonly to: string;
}

/** What a frame says, after all its checksums have been verified. Ports as in `InnerPacket`; ICMP: identifier on both sides. */
export function seen(bytes: Buffer): Seen {
  assert.equal(checksum(bytes.subarray(14, 34)), 0, "outer checksum");
  const inner = bytes.subarray(64);
  const { from, to } = addressesOf(inner, true);
  return { vni: bytes.readUIntBE(46, 3), inner, from, to };
}

export function addressesOf(packet: Buffer, verify: boolean): { from: string; to: string } {
  const header = ((packet[0] as number) & 15) * 4;
  assert.equal(checksum(packet.subarray(0, header)), 0, "inner checksum");
  const source = formatIpv4(packet.readUInt32BE(12));
  const destination = formatIpv4(packet.readUInt32BE(16));
  const transport = packet.subarray(header);
  const protocol = packet[9] as number;
  if (protocol === 1) {
    if (verify) assert.equal(checksum(Buffer.concat([transport, Buffer.alloc(transport.byteLength % 2)])), 0, "ICMP");
    const id = transport.readUInt16BE(4);
    return { from: `${source}:${id}`, to: `${destination}:${id}` };
  }
  const whole = (packet.readUInt16BE(6) & 0x3fff) === 0;
  const carriesChecksum = protocol === 6 || (protocol === 17 && transport.readUInt16BE(6) !== 0);
  if (verify && whole && carriesChecksum)
    assert.equal(transportChecksum(source, destination, protocol, transport), 0, "transport checksum");
  return { from: `${source}:${transport.readUInt16BE(0)}`, to: `${destination}:${transport.readUInt16BE(2)}` };
}

/** The packet that an ICMP error quotes. */
export function quotedBy(inner: Buffer): Buffer {
  return inner.subarray(((inner[0] as number) & 15) * 4 + 8);
}

export function routeTo(vpc: keyof typeof vni, prefix: string): DataplaneRoute {
  return { vni: vni[vpc], prefix, paths: [{ vtep: leaf.a, vni: vni[vpc], routerMac: routerMac.a }] };
}

/** A dataplane in a namespace of its own, and what comes of packets. */
export class NatLab {
  readonly lab = new Lab();
  dataplane: Dataplane;

  constructor() {
    enterGateway(this.lab);
    this.dataplane = this.#open();
  }

  /** As another process would take it over. */
  reopen(): void {
    this.dataplane.close();
    this.dataplane = this.#open();
  }

  #open(): Dataplane {
    return Dataplane.open({ pinDir: join(this.lab.bpffs, "gw"), log: silentLog });
  }

  close(): void {
    this.dataplane.remove();
    this.lab.close();
  }

  /** Public endpoints that are taken. */
  bindings(): number {
    const map = BpfMap.pinned("bindings", join(this.lab.bpffs, "gw", `maps-${layoutDigest}`, "bindings"));
    const count = map?.entries().length;
    map?.close();
    return count ?? Number.NaN;
  }

  /** The packet leaves: as what? All its checksums are right. */
  forward(vpc: keyof typeof vni, packet: Buffer): Seen {
    const earlier = this.#drops();
    const { verdict, packet: out } = this.dataplane.testRun(arriving(vpc, packet));
    assert.equal(verdict, "redirect", JSON.stringify(this.#droppedSince(earlier)));
    return seen(out);
  }

  /** The packet does not leave: for which reasons? */
  dropped(vpc: keyof typeof vni, packet: Buffer): Record<string, number> {
    const earlier = this.#drops();
    const { verdict, packet: out } = this.dataplane.testRun(arriving(vpc, packet));
    assert.equal(verdict, "drop", `${out.toString("hex")} left`);
    return this.#droppedSince(earlier);
  }

  #droppedSince(earlier: Record<string, number>): Record<string, number> {
    const changes = Object.entries(this.#drops()).map(([name, count]) => [name, count - (earlier[name] ?? 0)] as const);
    return Object.fromEntries(changes.filter(([, count]) => count > 0));
  }

  #drops(): Record<string, number> {
    const { directions, unattributedDrops } = this.dataplane.counters();
    const sums: Record<string, number> = { ...unattributedDrops };
    for (const { drops } of directions)
      for (const [reason, count] of Object.entries(drops)) sums[reason] = (sums[reason] ?? 0) + count;
    return sums;
  }
}
