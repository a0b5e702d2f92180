// Mutated packets through the loaded program. Whatever comes in: the counters balance, what leaves goes where the policy allows, and with right checksums.
import assert from "node:assert/strict";
import { join } from "node:path";
import "./support/build.ts";
import { formatIpv4 } from "../../dataplane/address.ts";
import { Dataplane } from "../../dataplane/dataplane.ts";
import type { DataplaneCounters } from "../../dataplane/desired.ts";
import { enterGateway, fixture, gateway, leaf, routerMac, vni } from "./support/fixture.ts";
import { Lab, silentLog } from "./support/lab.ts";
import { checksum, frame, udp } from "./support/packet.ts";

const packets = 120_000;
const seed = 0x5eed;

/** xorshift32: the same packets every time. */
function generator(state: number): (below: number) => number {
  let value = state;
  return (below) => {
    value ^= value << 13;
    value ^= value >>> 17;
    value ^= value << 5;
    return (value >>> 0) % below;
  };
}

/** Source VNI → destination VNI → [source, destination] that the fixture's policy lets through. */
const allowed: { from: number; to: number; source: RegExp; destination: RegExp }[] = [
  { from: vni.a, to: vni.b, source: /^10\.(1\.|7\.0\.)/, destination: /^10\.(2\.|3\.0\.)/ },
  { from: vni.b, to: vni.a, source: /^10\.(2\.|3\.0\.)/, destination: /^10\.(1\.|7\.0\.)/ },
  { from: vni.c, to: vni.d, source: /^10\.1\./, destination: /^10\.2\./ },
  { from: vni.d, to: vni.c, source: /^10\.2\./, destination: /^10\.1\./ },
  { from: vni.a, to: vni.ext, source: /^10\.1\./, destination: /^(?!10\.2\.|10\.3\.0\.)/ },
  { from: vni.ext, to: vni.a, source: /^(?!10\.2\.|10\.3\.0\.)/, destination: /^10\.1\./ },
];

const seeds = [
  [vni.a, "10.1.0.1", "10.2.0.1"],
  [vni.a, "10.1.0.2", "10.2.96.1"],
  [vni.a, "10.7.0.2", "10.3.0.1"],
  [vni.a, "10.1.0.1", "203.0.113.1"],
  [vni.b, "10.2.0.1", "10.1.0.1"],
  [vni.c, "10.1.0.1", "10.2.0.1"],
  [vni.d, "10.2.0.1", "10.1.0.1"],
  [vni.ext, "203.0.113.1", "10.1.0.1"],
].map(([number, source, destination]) =>
  frame({
    outer: { source: leaf.a, destination: gateway.ip, fragment: 0x4000 },
    vxlan: { vni: number as number },
    innerEthernet: { destination: gateway.mac, source: routerMac.a },
    inner: {
      source: source as string,
      destination: destination as string,
      options: Buffer.alloc(number === vni.c ? 8 : 0, 1),
    },
    payload: udp(4000, 53, Buffer.alloc(64, 7)),
  }),
);

/** Bytes of the headers in which a change is interesting, each with some values that matter. */
const interesting = [0, 1, 2, 3, 4, 5, 10, 64, 0x45, 0x46, 0x4f, 0x7f, 0x80, 0xff];

function mutate(random: (below: number) => number): Buffer {
  const bytes = Buffer.from(seeds[random(seeds.length)] as Buffer);
  const changes = random(4);
  for (let change = 0; change < changes; change++) {
    const offset = random(100);
    bytes[offset] = random(2) === 0 ? (interesting[random(interesting.length)] as number) : random(256);
  }
  // VNI and addresses from other flows: valid parts in combinations that are not allowed.
  if (random(3) === 0) {
    const other = seeds[random(seeds.length)] as Buffer;
    const [from, to] = (
      [
        [46, 49],
        [76, 80],
        [80, 84],
        [26, 30],
      ] as const
    )[random(4)] as readonly [number, number];
    other.copy(bytes, from, from, to);
  }
  // Right checksums again, most of the time: else nothing else is reached.
  if (random(4) !== 0) {
    for (const [start, length] of [
      [14, 20],
      [64, Math.max(20, ((bytes[64] as number) & 15) * 4)],
    ] as const) {
      bytes.writeUInt16BE(0, start + 10);
      bytes.writeUInt16BE(checksum(bytes.subarray(start, start + length)), start + 10);
    }
  }
  return random(8) === 0 ? bytes.subarray(0, 14 + random(bytes.byteLength - 14)) : bytes;
}

function sums({ directions, unattributedDrops, passed }: DataplaneCounters) {
  let received = 0;
  let sent = 0;
  let dropped = Object.values(unattributedDrops).reduce((sum, count) => sum + count, 0);
  for (const direction of directions) {
    const drops = Object.values(direction.drops).reduce((sum, count) => sum + count, 0);
    assert.equal(direction.in.packets, direction.out.packets + drops);
    assert.ok(direction.in.bytes >= direction.out.bytes);
    received += direction.in.packets;
    sent += direction.out.packets;
    dropped += drops;
  }
  return { received, sent, dropped, passed };
}

describe("mutated packets", () => {
  let lab: Lab;
  let dataplane: Dataplane;

  before(() => {
    lab = new Lab();
    enterGateway(lab);
    dataplane = Dataplane.open({ pinDir: join(lab.bpffs, "gw"), log: silentLog });
    dataplane.apply(fixture());
  });

  after(() => {
    dataplane?.remove();
    lab?.close();
  });

  function checkSent(input: Buffer, out: Buffer): void {
    const context = () => `seed ${seed}\nin  ${input.toString("hex")}\nout ${out.toString("hex")}`;
    assert.equal(out.byteLength, input.byteLength, context());
    const from = input.readUIntBE(46, 3);
    const to = out.readUIntBE(46, 3);
    const source = formatIpv4(out.readUInt32BE(76));
    const destination = formatIpv4(out.readUInt32BE(80));
    const permitted = allowed.some(
      (rule) => rule.from === from && rule.to === to && rule.source.test(source) && rule.destination.test(destination),
    );
    assert.ok(permitted, `VNI ${from} → ${to}, ${source} → ${destination} is not allowed\n${context()}`);
    assert.equal(checksum(out.subarray(14, 34)), 0, `outer checksum\n${context()}`);
    const innerHeader = ((out[64] as number) & 15) * 4;
    assert.equal(checksum(out.subarray(64, 64 + innerHeader)), 0, `inner checksum\n${context()}`);
    assert.equal(out[72], (input[72] as number) - 1, `TTL\n${context()}`);
    assert.deepEqual(out.subarray(64 + innerHeader), input.subarray(64 + innerHeader), `payload\n${context()}`);
  }

  it(`${packets}: counted once each, forwarded only where allowed, with right checksums`, () => {
    const random = generator(seed);
    const seen = { drop: 0, pass: 0, redirect: 0 };
    for (let index = 0; index < packets; index++) {
      const input = mutate(random);
      const { verdict, packet } = dataplane.testRun(input);
      assert.ok(verdict === "drop" || verdict === "pass" || verdict === "redirect", verdict);
      seen[verdict]++;
      if (verdict === "redirect") checkSent(input, packet);
      if (verdict === "pass") assert.ok(packet.equals(input), "a packet that passes is untouched");
    }
    const counted = sums(dataplane.counters());
    assert.deepEqual({ redirect: counted.sent, drop: counted.dropped, pass: counted.passed }, seen);
    assert.ok(
      seen.redirect > packets / 20 && seen.drop > packets / 20 && seen.pass > packets / 100,
      JSON.stringify(seen),
    );
  });
});
