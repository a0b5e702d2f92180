// Mutated packets through the loaded program. Whatever comes in: the counters balance, what leaves goes where the policy allows, and with right checksums.
import assert from "node:assert/strict";
import { join } from "node:path";
import "./support/build.ts";
import { formatIpv4 } from "../../dataplane/address.ts";
import { Dataplane } from "../../dataplane/dataplane.ts";
import type { DataplaneCounters, DataplaneDesired } from "../../dataplane/desired.ts";
import { enterGateway, fixture, gateway, leaf, routerMac, vni } from "./support/fixture.ts";
import { Lab, silentLog } from "./support/lab.ts";
import { arriving, icmp, icmpPacket, innerPacket, NatLab, routeTo, tcpFlag, transportChecksum } from "./support/nat.ts";
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

function mutate(random: (below: number) => number, from: readonly Buffer[] = seeds): Buffer {
  const bytes = Buffer.from(from[random(from.length)] as Buffer);
  const changes = random(4);
  for (let change = 0; change < changes; change++) {
    const offset = random(100);
    bytes[offset] = random(2) === 0 ? (interesting[random(interesting.length)] as number) : random(256);
  }
  // VNI and addresses from other flows: valid parts in combinations that are not allowed.
  if (random(3) === 0) {
    const other = from[random(from.length)] as Buffer;
    const [start, end] = (
      [
        [46, 49],
        [76, 80],
        [80, 84],
        [26, 30],
      ] as const
    )[random(4)] as readonly [number, number];
    other.copy(bytes, start, start, end);
  }
  // Right checksums again, most of the time: else nothing else is reached.
  if (random(4) !== 0) {
    for (const [at, length] of [
      [14, 20],
      [64, Math.max(20, ((bytes[64] as number) & 15) * 4)],
    ] as const) {
      bytes.writeUInt16BE(0, at + 10);
      bytes.writeUInt16BE(checksum(bytes.subarray(at, at + length)), at + 10);
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

describe("mutated packets through NAT, flows and ACLs", () => {
  let lab: NatLab;

  before(() => {
    lab = new NatLab();
    lab.dataplane.apply(translating);
  });

  after(() => lab?.close());

  /** Source VNI → destination VNI, and what alone may be seen there: translated addresses of a and c, private ones of b and d. */
  const seenThere: { from: number; to: number; source: RegExp; destination: RegExp }[] = [
    { from: vni.a, to: vni.b, source: /^192\.0\.2\.[01]$/, destination: /^10\.2\./ },
    { from: vni.b, to: vni.a, source: /^10\.2\./, destination: /^10\.1\./ },
    { from: vni.c, to: vni.d, source: /^203\.0\.113\./, destination: /^10\.2\.0\./ },
    { from: vni.d, to: vni.c, source: /^198\.51\.100\./, destination: /^10\.1\.0\./ },
  ];

  /** How far the transport checksum is from being right; undefined: there is none, or not all of it is there. */
  function wrongBy(bytes: Buffer): number | undefined {
    const ip = bytes.subarray(64);
    const header = ((ip[0] as number) & 15) * 4;
    const transport = ip.subarray(header, ip.readUInt16BE(2));
    const protocol = ip[9] as number;
    if ((ip.readUInt16BE(6) & 0x3fff) !== 0) return undefined;
    const even = Buffer.concat([transport, Buffer.alloc(transport.byteLength % 2)]);
    if (protocol === 1) return transport.byteLength < 8 ? undefined : checksum(even) % 0xffff;
    if (protocol !== 6 && protocol !== 17) return undefined;
    if (transport.byteLength < (protocol === 6 ? 18 : 8) || (protocol === 17 && transport.readUInt16BE(6) === 0))
      return undefined;
    const addresses = [formatIpv4(ip.readUInt32BE(12)), formatIpv4(ip.readUInt32BE(16))] as const;
    return transportChecksum(...addresses, protocol, transport) % 0xffff;
  }

  it(`${packets}: nothing leaves untranslated or for another VPC, checksums stay as right as they were, counters balance`, () => {
    const random = generator(seed);
    const seeds = translatedSeeds();
    const seen = { drop: 0, pass: 0, redirect: 0 };
    for (let index = 0; index < packets; index++) {
      const input = mutate(random, seeds);
      const { verdict, packet: out } = lab.dataplane.testRun(input);
      assert.ok(verdict === "drop" || verdict === "pass" || verdict === "redirect", verdict);
      seen[verdict]++;
      if (verdict !== "redirect") continue;
      const context = () => `seed ${seed}\nin  ${input.toString("hex")}\nout ${out.toString("hex")}`;
      const [from, to] = [input.readUIntBE(46, 3), out.readUIntBE(46, 3)];
      const [source, destination] = [formatIpv4(out.readUInt32BE(76)), formatIpv4(out.readUInt32BE(80))];
      const permitted = seenThere.some(
        (rule) =>
          rule.from === from && rule.to === to && rule.source.test(source) && rule.destination.test(destination),
      );
      assert.ok(permitted, `VNI ${from} → ${to}, ${source} → ${destination}\n${context()}`);
      assert.equal(checksum(out.subarray(14, 34)), 0, `outer checksum\n${context()}`);
      assert.equal(checksum(out.subarray(64, 64 + ((out[64] as number) & 15) * 4)), 0, `inner checksum\n${context()}`);
      assert.equal(wrongBy(out), wrongBy(input), `transport checksum\n${context()}`);
    }
    const counted = sums(lab.dataplane.counters());
    assert.deepEqual({ redirect: counted.sent, drop: counted.dropped, pass: counted.passed }, seen);
    assert.ok(seen.redirect > packets / 50 && seen.drop > packets / 20, JSON.stringify(seen));
    const now = Number(process.hrtime.bigint() / 1_000_000n);
    for (const hours of [20, 40, 60]) lab.dataplane.age(now + hours * 3_600_000);
    const { flows, mappings } = lab.dataplane.age();
    assert.deepEqual([flows, mappings], [0, 0], "nothing is left behind");
  });
});

/** a masquerades and forwards a port, with an ACL, towards b; c and d are translated one to one, both. */
const translating: DataplaneDesired = {
  ...fixture(),
  flowTableCapacity: 2000,
  policy: {
    ...fixture().policy,
    peerings: [
      {
        id: "a--b",
        sides: [
          {
            vpc: "a",
            default: false,
            prefixes: [],
            translated: [
              { prefixes: ["10.1.0.0/16"], nat: { kind: "masquerade", public: ["192.0.2.0/31"] } },
              {
                prefixes: ["10.1.0.5/32"],
                nat: {
                  kind: "port-forward",
                  public: ["192.0.2.0/32"],
                  rules: [
                    {
                      protocols: ["tcp", "udp"],
                      private: { first: 80, last: 80 },
                      public: { first: 8080, last: 8080 },
                    },
                  ],
                },
              },
            ],
          },
          { vpc: "b", default: false, prefixes: ["10.2.0.0/16"] },
        ],
        acl: {
          default: "deny",
          rules: [
            { from: "a", action: "deny", src: [], dst: [{ ports: { first: 25, last: 25 } }], scope: "packet" },
            { from: "a", action: "allow", src: [], dst: [], scope: "flow" },
            { from: "b", action: "allow", src: [], dst: [{ ports: { first: 8080, last: 8080 } }], scope: "flow" },
          ],
        },
      },
      {
        id: "c--d",
        sides: [
          {
            vpc: "c",
            default: false,
            prefixes: [],
            translated: [{ prefixes: ["10.1.0.0/24"], nat: { kind: "static", public: ["203.0.113.0/24"] } }],
          },
          {
            vpc: "d",
            default: false,
            prefixes: [],
            translated: [{ prefixes: ["10.2.0.0/24"], nat: { kind: "static", public: ["198.51.100.0/24"] } }],
          },
        ],
      },
    ],
  },
  routes: (["a", "b", "c", "d"] as const).map((vpc) => routeTo(vpc, "10.0.0.0/8")),
};

function translatedSeeds(): Buffer[] {
  const { syn, ack } = tcpFlag;
  const quoted = innerPacket({ proto: "udp", from: "192.0.2.0:4000", to: "10.2.0.9:53" });
  const quotedStatic = innerPacket({ proto: "tcp", from: "203.0.113.1:4000", to: "10.2.0.9:53", flags: syn });
  return [
    arriving("a", innerPacket({ proto: "udp", from: "10.1.0.4:4000", to: "10.2.0.9:53" })),
    arriving("b", innerPacket({ proto: "udp", from: "10.2.0.9:53", to: "192.0.2.0:4000" })),
    arriving("a", innerPacket({ proto: "tcp", from: "10.1.0.5:4000", to: "10.2.0.9:80", flags: syn })),
    arriving("b", innerPacket({ proto: "tcp", from: "10.2.0.9:80", to: "192.0.2.1:4000", flags: syn | ack })),
    arriving("b", innerPacket({ proto: "tcp", from: "10.2.0.9:5000", to: "192.0.2.0:8080", flags: syn })),
    arriving("a", innerPacket({ proto: "tcp", from: "10.1.0.5:80", to: "10.2.0.9:5000", flags: syn | ack })),
    arriving("a", icmpPacket("10.1.0.4", "10.2.0.9", icmp(8, 0, 0x00070001, Buffer.alloc(32, 3)))),
    arriving("b", icmpPacket("10.2.0.9", "192.0.2.0", icmp(0, 0, 0x00070001, Buffer.alloc(32, 3)))),
    arriving("b", icmpPacket("10.2.0.9", "192.0.2.0", icmp(3, 3, 0, quoted))),
    arriving("c", innerPacket({ proto: "tcp", from: "10.1.0.1:4000", to: "198.51.100.9:53", flags: ack })),
    arriving("d", innerPacket({ proto: "udp", from: "10.2.0.9:53", to: "203.0.113.1:4000" })),
    arriving("d", icmpPacket("10.2.0.9", "203.0.113.1", icmp(11, 0, 0, quotedStatic))),
  ];
}
