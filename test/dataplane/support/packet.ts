// Builds VXLAN frames field by field, with right lengths and checksums unless told otherwise, and checks those of a frame.
import { parseIpv4, parseMac } from "../../../dataplane/address.ts";

export interface Ipv4Fields {
  readonly source: string;
  readonly destination: string;
  readonly tos?: number;
  readonly id?: number;
  /** Flags and fragment offset, 16 bits. */
  readonly fragment?: number;
  readonly ttl?: number;
  readonly protocol?: number;
  /** Multiple of four bytes. */
  readonly options?: Buffer;
  /** Instead of the right one. */
  readonly checksum?: number;
  readonly totalLength?: number;
  /** Version and header length octet. */
  readonly versionAndLength?: number;
}

export function ipv4(fields: Ipv4Fields, payload: Buffer): Buffer {
  const options = fields.options ?? Buffer.alloc(0);
  const header = Buffer.alloc(20 + options.byteLength);
  options.copy(header, 20);
  header[0] = fields.versionAndLength ?? 0x40 | (header.byteLength / 4);
  header[1] = fields.tos ?? 0;
  header.writeUInt16BE(fields.totalLength ?? header.byteLength + payload.byteLength, 2);
  header.writeUInt16BE(fields.id ?? 0, 4);
  header.writeUInt16BE(fields.fragment ?? 0, 6);
  header[8] = fields.ttl ?? 64;
  header[9] = fields.protocol ?? 17;
  header.writeUInt32BE(parseIpv4(fields.source), 12);
  header.writeUInt32BE(parseIpv4(fields.destination), 16);
  header.writeUInt16BE(fields.checksum ?? checksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** RFC 1071. */
export function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset < bytes.byteLength; offset += 2) sum += bytes.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function ethernet(destination: string, source: string, type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(2);
  header.writeUInt16BE(type);
  return Buffer.concat([parseMac(destination), parseMac(source), header, payload]);
}

/** UDP without a checksum. */
export function udp(source: number, destination: number, payload: Buffer, length = payload.byteLength + 8): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt16BE(length, 4);
  return Buffer.concat([header, payload]);
}

export function vxlan(vni: number, payload: Buffer, flags = 0x08000000, reserved = 0): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(flags, 0);
  header.writeUInt32BE(((vni << 8) | reserved) >>> 0, 4);
  return Buffer.concat([header, payload]);
}

export interface FrameFields {
  readonly ethernet?: { readonly destination: string; readonly source: string; readonly type?: number };
  readonly outer: Ipv4Fields;
  readonly udp?: { readonly source?: number; readonly destination?: number; readonly length?: number };
  readonly vxlan: { readonly vni: number; readonly flags?: number; readonly reserved?: number };
  readonly innerEthernet: { readonly destination: string; readonly source: string; readonly type?: number };
  readonly inner: Ipv4Fields;
  /** Of the inner IP header. */
  readonly payload?: Buffer;
}

export function frame(fields: FrameFields): Buffer {
  const inner = ipv4(fields.inner, fields.payload ?? udp(1234, 5678, Buffer.from("fabgate")));
  const { innerEthernet, vxlan: header } = fields;
  const innerFrame = ethernet(innerEthernet.destination, innerEthernet.source, innerEthernet.type ?? 0x0800, inner);
  const encapsulated = vxlan(header.vni, innerFrame, header.flags, header.reserved);
  const datagram = udp(fields.udp?.source ?? 50000, fields.udp?.destination ?? 4789, encapsulated, fields.udp?.length);
  const outer = fields.ethernet ?? { destination: "02:00:00:00:00:fe", source: "02:00:00:00:00:fd" };
  return ethernet(outer.destination, outer.source, outer.type ?? 0x0800, ipv4(fields.outer, datagram));
}

/** Source port of the outer UDP header of a frame without outer options. */
export function outerSourcePort(bytes: Buffer): number {
  return bytes.readUInt16BE(34);
}
