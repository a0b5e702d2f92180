// Addresses of the path that is measured, and the small VXLAN frame that the generator sends along it.
//
//   host-1 ── leaf-1 ══ gateway ══ leaf-2 ── host-2        ══ VXLAN: VNI 100001 on the left, 100002 on the right

export const LEFT = {
  vni: 100001,
  prefix: "10.1.0.0/16",
  host: "10.1.1.10",
  leafInside: "10.1.1.1",
  /** The generator's addresses: the bits that vary are 0. */
  sources: "10.1.0.0",
  vtep: "10.255.1.1",
  routerMac: "02:01:00:00:01:01",
  leafLink: "172.16.1.0",
  leafLinkMac: "02:00:00:00:01:01",
  gatewayLink: "172.16.1.1",
  gatewayLinkMac: "02:00:00:00:01:02",
} as const;

export const RIGHT = {
  vni: 100002,
  prefix: "10.2.0.0/16",
  host: "10.2.1.10",
  leafInside: "10.2.1.1",
  sources: "10.2.0.0",
  vtep: "10.255.1.2",
  routerMac: "02:01:00:00:02:02",
  leafLink: "172.16.1.2",
  leafLinkMac: "02:00:00:00:02:01",
  gatewayLink: "172.16.1.3",
  gatewayLinkMac: "02:00:00:00:02:02",
} as const;

export type PathSide = typeof LEFT | typeof RIGHT;

export const GATEWAY = { vtep: "10.255.2.1", routerMac: "02:02:00:00:00:01" } as const;

/** A small UDP packet in VXLAN, as leaf-1 sends it to the gateway: 64 bytes of inner Ethernet and 50 around it. */
export const FRAME_BYTES = 114;
/** What the generator lays down anew: see HEADERS in bpf/traffic.h. */
export const HEADER_BYTES = 96;

const OUTER_IP = 14;
const OUTER_UDP = 34;
const VXLAN = 42;
const INNER_ETHERNET = 50;
const INNER_IP = 64;
const INNER_UDP = 84;
const VXLAN_PORT = 4789;
const DISCARD_PORT = 9;

/**
 * The frame with 0 in the address bits that vary. The inner header checksum is left complemented: the generator adds the varying bits to
 * it and complements the sum.
 */
export function generatorFrame(): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  ethernet(frame, 0, LEFT.gatewayLinkMac, LEFT.leafLinkMac);
  ipv4(frame, OUTER_IP, LEFT.vtep, GATEWAY.vtep, 64);
  frame.writeUInt16BE(~headerSum(frame, OUTER_IP) & 0xffff, OUTER_IP + 10);
  udp(frame, OUTER_UDP, 0xc000, VXLAN_PORT);
  frame.writeUInt32BE(0x08000000, VXLAN);
  frame.writeUInt32BE(vniWord(LEFT.vni), VXLAN + 4);
  ethernet(frame, INNER_ETHERNET, GATEWAY.routerMac, LEFT.routerMac);
  ipv4(frame, INNER_IP, LEFT.sources, RIGHT.sources, 63);
  frame.writeUInt16BE(headerSum(frame, INNER_IP), INNER_IP + 10);
  udp(frame, INNER_UDP, 0x4000, DISCARD_PORT);
  return frame;
}

/** A VNI as it lies in the VXLAN header. */
export function vniWord(vni: number): number {
  return vni * 256;
}

/** RFC 1071 sum of a header of 20 bytes, not complemented. */
export function headerSum(frame: Buffer, offset: number): number {
  let sum = 0;
  for (let at = offset; at < offset + 20; at += 2) sum += frame.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

function ethernet(frame: Buffer, offset: number, destination: string, source: string): void {
  frame.write(`${destination}${source}`.replaceAll(":", ""), offset, "hex");
  frame.writeUInt16BE(0x0800, offset + 12);
}

function ipv4(frame: Buffer, offset: number, source: string, destination: string, ttl: number): void {
  frame.writeUInt8(0x45, offset);
  frame.writeUInt16BE(FRAME_BYTES - offset, offset + 2);
  frame.writeUInt8(ttl, offset + 8);
  frame.writeUInt8(17, offset + 9);
  frame.set([...source.split("."), ...destination.split(".")].map(Number), offset + 12);
}

/** Checksum 0: none, as VXLAN does it; inside, too, so that a frame does not depend on its ports. */
function udp(frame: Buffer, offset: number, source: number, destination: number): void {
  frame.writeUInt16BE(source, offset);
  frame.writeUInt16BE(destination, offset + 2);
  frame.writeUInt16BE(FRAME_BYTES - offset, offset + 4);
}
