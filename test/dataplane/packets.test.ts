// One frame in → verdict, reason, and the frame out byte for byte. Every row runs twice, so that it passes both the long way and the flow cache.
import assert from "node:assert/strict";
import { join } from "node:path";
import "./support/build.ts";
import { Dataplane } from "../../dataplane/dataplane.ts";
import type { DataplaneCounters } from "../../dataplane/desired.ts";
import { dropReasons } from "../../dataplane/generated/layout.ts";
import { enterGateway, fixture, gateway, leaf, routerMac, smallMtu, up0, up1, vni } from "./support/fixture.ts";
import { Lab, silentLog } from "./support/lab.ts";
import { ethernet, type FrameFields, frame, ipv4, outerSourcePort, udp } from "./support/packet.ts";

const aToB: FrameFields = {
  outer: { source: leaf.a, destination: gateway.ip },
  vxlan: { vni: vni.a },
  innerEthernet: { destination: gateway.mac, source: routerMac.a },
  inner: { source: "10.1.0.1", destination: "10.2.0.1", id: 7 },
};

/** A change of `aToB`, field group by field group. */
function change(changes: { [Group in keyof FrameFields]?: Partial<FrameFields[Group]> }): FrameFields {
  const { payload, ...groups } = changes;
  const merged = { ...aToB, ...(payload === undefined ? {} : { payload: payload as Buffer }) };
  return Object.fromEntries(
    Object.entries({ ...merged, ...groups }).map(([name, value]) => {
      const original = aToB[name as keyof FrameFields];
      return [name, Buffer.isBuffer(value) ? value : { ...original, ...value }];
    }),
  ) as unknown as FrameFields;
}

/** What leaves for `input` towards leaf B in VPC b, but for the outer source port. */
function forwarded(input: FrameFields, changes: Partial<FrameFields> & { tos?: number } = {}): FrameFields {
  const tos = changes.tos ?? input.inner.tos ?? 0;
  return {
    ethernet: { destination: up1.nextHopMac, source: up1.sourceMac },
    outer: { source: gateway.ip, destination: leaf.b, ttl: 64, fragment: 0x4000, id: 0, tos },
    vxlan: { vni: vni.b },
    innerEthernet: { destination: routerMac.b, source: gateway.mac },
    inner: { ...input.inner, tos, ttl: (input.inner.ttl ?? 64) - 1 },
    ...(input.payload === undefined ? {} : { payload: input.payload }),
    ...changes,
  };
}

const noEcn = { notEct: 0, ect1: 1, ect0: 2, ce: 3 };
/** RFC 6040 figure 4: inner, outer → inner afterwards; undefined: drop. */
const ecnTable: [keyof typeof noEcn, keyof typeof noEcn, keyof typeof noEcn | undefined][] = [
  ["notEct", "notEct", "notEct"],
  ["notEct", "ect0", "notEct"],
  ["notEct", "ect1", "notEct"],
  ["notEct", "ce", undefined],
  ["ect0", "notEct", "ect0"],
  ["ect0", "ect0", "ect0"],
  ["ect0", "ect1", "ect1"],
  ["ect0", "ce", "ce"],
  ["ect1", "notEct", "ect1"],
  ["ect1", "ect0", "ect1"],
  ["ect1", "ect1", "ect1"],
  ["ect1", "ce", "ce"],
  ["ce", "notEct", "ce"],
  ["ce", "ect0", "ce"],
  ["ce", "ect1", "ce"],
  ["ce", "ce", "ce"],
];

interface Row {
  readonly description: string;
  readonly packet: Buffer;
  /** Fields of the frame that leaves, "pass", or the reason it is dropped for. */
  readonly expected: FrameFields | "pass" | (typeof dropReasons)[number];
  /** Counted on this direction; undefined: before a peering is known. */
  readonly direction?: string;
}

const options = Buffer.from("0101010144040500", "hex");
const jumbo = change({ payload: udp(1, 2, Buffer.alloc(8972, 0x5a)) });
const tcp = change({ inner: { ...aToB.inner, protocol: 6 }, payload: Buffer.alloc(20, 1) });
const tooBig = change({ inner: { ...aToB.inner, destination: "10.2.98.1" }, payload: Buffer.alloc(smallMtu - 70 + 1) });
const fits = change({ inner: { ...aToB.inner, destination: "10.2.98.1" }, payload: Buffer.alloc(smallMtu - 70) });
const good = frame(aToB);

const forwardedRows: Row[] = [
  ["a UDP packet", aToB],
  ["a TCP packet", tcp],
  [
    "an ICMP packet",
    change({ inner: { ...aToB.inner, protocol: 1 }, payload: Buffer.from("0800f7ff00000000", "hex") }),
  ],
  ["a packet without payload", change({ payload: Buffer.alloc(0) })],
  ["a packet with inner IP options", change({ inner: { ...aToB.inner, options } })],
  ["the most inner IP options", change({ inner: { ...aToB.inner, options: Buffer.alloc(40, 1) } })],
  ["the first fragment of an inner packet", change({ inner: { ...aToB.inner, fragment: 0x2000 } })],
  ["a later fragment of an inner packet", change({ inner: { ...aToB.inner, fragment: 0x0010 } })],
  ["a jumbo packet of several buffers", jumbo],
  ["the lowest TTL that goes on", change({ inner: { ...aToB.inner, ttl: 2 } })],
  ["the highest TTL", change({ inner: { ...aToB.inner, ttl: 255 } })],
  ["a DSCP", change({ inner: { ...aToB.inner, tos: 46 << 2 } })],
].map(([description, fields]) => ({
  description: `forwards ${description as string}`,
  packet: frame(fields as FrameFields),
  expected: forwarded(fields as FrameFields),
  direction: "a--b:a",
}));

const ecnRows = ecnTable.map(([inner, outer, result]): Row => {
  const input = change({
    inner: { ...aToB.inner, tos: (10 << 2) | noEcn[inner] },
    outer: { ...aToB.outer, tos: (20 << 2) | noEcn[outer] },
  });
  return {
    description: `ECN inner ${inner}, outer ${outer}: ${result ?? "drop"}`,
    packet: frame(input),
    expected: result === undefined ? "ecn-conflict" : forwarded(input, { tos: (10 << 2) | noEcn[result] }),
    direction: "a--b:a",
  };
});

/** All 65536 values of the checksum are passed over by the identification field: the edge cases of incremental updates are among them. */
function packetWithChecksum(wanted: number): FrameFields {
  const base = ipv4({ ...aToB.inner, id: 0 }, udp(1234, 5678, Buffer.from("fabgate")));
  const sum = ~base.readUInt16BE(10) & 0xffff;
  const target = ~wanted & 0xffff;
  return change({ inner: { ...aToB.inner, id: target >= sum ? target - sum : target - sum + 0xffff } });
}
const checksumRows = [0x0000, 0xfeff, 0xfefe, 0xff00, 0xfffe, 0x00ff].map((value): Row => {
  const input = packetWithChecksum(value);
  return {
    description: `updates the inner checksum ${value.toString(16)}`,
    packet: frame(input),
    expected: forwarded(input),
    direction: "a--b:a",
  };
});

const rows: Row[] = [
  ...forwardedRows,
  ...ecnRows,
  ...checksumRows,
  {
    description: "ignores the reserved bits of VXLAN and clears them",
    packet: frame(change({ vxlan: { vni: vni.a, flags: 0xffffffff, reserved: 0xff } })),
    expected: forwarded(aToB),
    direction: "a--b:a",
  },
  {
    description: "clears the outer UDP checksum, identification and entropy of others",
    packet: (() => {
      const bytes = frame(change({ outer: { ...aToB.outer, id: 99, fragment: 0, ttl: 3 }, udp: { source: 1 } }));
      bytes.writeUInt16BE(0x1234, 40);
      return bytes;
    })(),
    expected: forwarded(aToB),
    direction: "a--b:a",
  },
  {
    description: "the same addresses in another pair of VPCs go to that pair",
    packet: frame(change({ vxlan: { vni: vni.c } })),
    expected: forwarded(aToB, { vxlan: { vni: vni.d } }),
    direction: "c--d:c",
  },
  {
    description: "what matches no other prefix goes to the default",
    packet: frame(change({ inner: { ...aToB.inner, destination: "198.51.100.7" } })),
    expected: forwarded(change({ inner: { ...aToB.inner, destination: "198.51.100.7" } }), { vxlan: { vni: vni.ext } }),
    direction: "a--ext:a",
  },
  {
    description: "the default side answers from any address",
    packet: frame(change({ vxlan: { vni: vni.ext }, inner: { source: "198.51.100.7", destination: "10.1.0.1" } })),
    expected: {
      ...forwarded(change({ inner: { source: "198.51.100.7", destination: "10.1.0.1" } })),
      ethernet: { destination: up0.nextHopMac, source: up0.sourceMac },
      outer: { source: gateway.ip, destination: leaf.a, fragment: 0x4000 },
      vxlan: { vni: vni.a },
      innerEthernet: { destination: routerMac.a, source: gateway.mac },
    },
    direction: "a--ext:ext",
  },
  {
    description: "a packet as long as the underlay's MTU",
    packet: frame(fits),
    expected: {
      ...forwarded(fits),
      ethernet: { destination: up0.nextHopMac, source: up0.sourceMac },
      outer: { source: gateway.ip, destination: leaf.small, fragment: 0x4000 },
    },
    direction: "a--b:a",
  },
  {
    description: "bytes behind the outer packet stay where they are",
    packet: Buffer.concat([good, Buffer.from("trailer")]),
    expected: forwarded(aToB),
    direction: "a--b:a",
  },

  { description: "passes ARP", packet: ethernet(gateway.mac, routerMac.a, 0x0806, Buffer.alloc(46)), expected: "pass" },
  {
    description: "passes IPv6",
    packet: ethernet(gateway.mac, routerMac.a, 0x86dd, Buffer.alloc(60)),
    expected: "pass",
  },
  {
    description: "passes 802.1Q",
    packet: ethernet(gateway.mac, routerMac.a, 0x8100, Buffer.alloc(60)),
    expected: "pass",
  },
  { description: "passes a frame of 14 bytes", packet: good.subarray(0, 14), expected: "pass" },
  {
    description: "passes VXLAN to somebody else",
    packet: frame(change({ outer: { source: leaf.a, destination: leaf.b } })),
    expected: "pass",
  },
  { description: "passes another UDP port", packet: frame(change({ udp: { destination: 3784 } })), expected: "pass" },
  { description: "passes TCP", packet: frame(change({ outer: { ...aToB.outer, protocol: 6 } })), expected: "pass" },
  {
    description: "passes UDP with IP options to another port",
    packet: frame(change({ outer: { ...aToB.outer, options }, udp: { destination: 53 } })),
    expected: "pass",
  },

  {
    description: "outer options",
    packet: frame(change({ outer: { ...aToB.outer, options } })),
    expected: "outer-options",
  },
  {
    description: "outer first fragment",
    packet: frame(change({ outer: { ...aToB.outer, fragment: 0x2000 } })),
    expected: "outer-fragment",
  },
  {
    description: "outer later fragment",
    packet: frame(change({ outer: { ...aToB.outer, fragment: 1 } })),
    expected: "outer-fragment",
  },
  { description: "truncated before the inner IP header ends", packet: good.subarray(0, 83), expected: "outer-length" },
  { description: "truncated by one byte", packet: good.subarray(0, good.byteLength - 1), expected: "outer-length" },
  {
    description: "a jumbo frame truncated by one byte",
    packet: frame(jumbo).subarray(0, -1),
    expected: "outer-length",
  },
  { description: "UDP length too small", packet: frame(change({ udp: { length: 60 } })), expected: "outer-length" },
  { description: "UDP length too large", packet: frame(change({ udp: { length: 9000 } })), expected: "outer-length" },
  {
    description: "outer total length 0",
    packet: frame(change({ outer: { ...aToB.outer, totalLength: 0 } })),
    expected: "outer-length",
  },
  {
    description: "outer checksum",
    packet: frame(change({ outer: { ...aToB.outer, checksum: 1 } })),
    expected: "outer-checksum",
  },
  {
    description: "outer source unknown",
    packet: frame(change({ outer: { ...aToB.outer, source: leaf.lost } })),
    expected: "source-vtep",
  },
  {
    description: "no VNI flag",
    packet: frame(change({ vxlan: { vni: vni.a, flags: 0xf7ffffff } })),
    expected: "vxlan-flags",
  },
  { description: "a VNI that is no VPC", packet: frame(change({ vxlan: { vni: 4242 } })), expected: "unknown-vni" },
  { description: "VNI 0", packet: frame(change({ vxlan: { vni: 0 } })), expected: "unknown-vni" },
  { description: "VNI 16777215", packet: frame(change({ vxlan: { vni: 0xffffff } })), expected: "unknown-vni" },
  {
    description: "another inner MAC",
    packet: frame(change({ innerEthernet: { ...aToB.innerEthernet, destination: "02:02:00:00:00:02" } })),
    expected: "inner-mac",
  },
  {
    description: "inner broadcast",
    packet: frame(change({ innerEthernet: { ...aToB.innerEthernet, destination: "ff:ff:ff:ff:ff:ff" } })),
    expected: "inner-mac",
  },
  {
    description: "inner ARP",
    packet: frame(change({ innerEthernet: { ...aToB.innerEthernet, type: 0x0806 } })),
    expected: "inner-ethertype",
  },
  {
    description: "inner version 6",
    packet: frame(change({ inner: { ...aToB.inner, versionAndLength: 0x65 } })),
    expected: "inner-header",
  },
  {
    description: "inner header of 16 bytes",
    packet: frame(change({ inner: { ...aToB.inner, versionAndLength: 0x44 } })),
    expected: "inner-header",
  },
  {
    description: "inner header longer than the packet",
    packet: frame(change({ inner: { ...aToB.inner, versionAndLength: 0x4f }, payload: Buffer.alloc(8) })),
    expected: "inner-length",
  },
  {
    description: "inner total length below the header",
    packet: frame(change({ inner: { ...aToB.inner, totalLength: 19 } })),
    expected: "inner-length",
  },
  {
    description: "inner total length beyond the frame",
    packet: frame(change({ inner: { ...aToB.inner, totalLength: 36 } })),
    expected: "inner-length",
  },
  {
    description: "inner checksum",
    packet: frame(change({ inner: { ...aToB.inner, checksum: 0xffff } })),
    expected: "inner-checksum",
  },
  {
    description: "inner checksum over options",
    packet: frame(change({ inner: { ...aToB.inner, options, checksum: 0xffff } })),
    expected: "inner-checksum",
  },
  {
    description: "a destination that nobody exposes",
    packet: frame(change({ vxlan: { vni: vni.b }, inner: { source: "10.2.0.1", destination: "10.9.0.1" } })),
    expected: "no-destination",
  },
  {
    description: "a VPC without peerings",
    packet: frame(change({ vxlan: { vni: vni.alone } })),
    expected: "no-destination",
  },

  {
    description: "a source that is not exposed",
    packet: frame(change({ inner: { ...aToB.inner, source: "10.8.0.1" } })),
    expected: "source-not-exposed",
    direction: "a--b:a",
  },
  {
    description: "a source exposed in another peering only",
    packet: frame(change({ inner: { source: "10.7.0.1", destination: "198.51.100.7" } })),
    expected: "source-not-exposed",
    direction: "a--ext:a",
  },
  {
    description: "the default side with an address that another peering exposes",
    packet: frame(change({ vxlan: { vni: vni.ext }, inner: { source: "10.2.0.1", destination: "10.1.0.1" } })),
    expected: "source-not-exposed",
    direction: "a--ext:ext",
  },
  {
    description: "no route",
    packet: frame(change({ inner: { ...aToB.inner, destination: "10.3.0.1" } })),
    expected: "no-route",
    direction: "a--b:a",
  },
  {
    description: "no tunnel",
    packet: frame(change({ inner: { ...aToB.inner, destination: "10.2.99.1" } })),
    expected: "no-tunnel",
    direction: "a--b:a",
  },
  {
    description: "TTL 1",
    packet: frame(change({ inner: { ...aToB.inner, ttl: 1 } })),
    expected: "ttl-expired",
    direction: "a--b:a",
  },
  {
    description: "TTL 0",
    packet: frame(change({ inner: { ...aToB.inner, ttl: 0 } })),
    expected: "ttl-expired",
    direction: "a--b:a",
  },
  { description: "longer than the underlay's MTU", packet: frame(tooBig), expected: "too-big", direction: "a--b:a" },
];

/** Only translation and flows drop for these: static-nat, masquerade, port-forward and acl.test.ts. */
const natReasons: (typeof dropReasons)[number][] = [
  "icmp-malformed",
  "transport-header",
  "no-flow",
  "port-not-forwarded",
  "nat-protocol",
  "nat-exhausted",
  "flow-table-full",
  "flow-conflict",
  "fragment",
  "denied",
];

describe("packets through the program", () => {
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

  /** What two readings of the counters differ by, as one flat list. */
  function difference(before: DataplaneCounters, after: DataplaneCounters): Record<string, number> {
    const flat = ({ directions, unattributedDrops, passed }: DataplaneCounters) => {
      const list: Record<string, number> = { passed };
      for (const [reason, count] of Object.entries(unattributedDrops)) list[reason] = count;
      for (const direction of directions) {
        const name = `${direction.peering}:${direction.from}`;
        list[`${name} in`] = direction.in.packets;
        list[`${name} in bytes`] = direction.in.bytes;
        list[`${name} out`] = direction.out.packets;
        list[`${name} out bytes`] = direction.out.bytes;
        for (const [reason, count] of Object.entries(direction.drops)) list[`${name} ${reason}`] = count;
      }
      return list;
    };
    const earlier = flat(before);
    const changes = Object.entries(flat(after)).map(([name, count]) => [name, count - (earlier[name] ?? 0)] as const);
    return Object.fromEntries(changes.filter(([, count]) => count !== 0));
  }

  function check({ packet, expected, direction }: Row): void {
    const before = dataplane.counters();
    const { verdict, packet: out } = dataplane.testRun(packet);
    const counted = difference(before, dataplane.counters());
    const bytes = packet.byteLength > 68 ? packet.readUInt16BE(66) : 0;
    const received = { [`${direction} in`]: 1, [`${direction} in bytes`]: bytes };
    if (expected === "pass") {
      assert.equal(verdict, "pass");
      assert.deepEqual(out, packet, "a packet that passes is untouched");
      assert.deepEqual(counted, { passed: 1 });
    } else if (typeof expected === "string") {
      assert.equal(verdict, "drop");
      assert.deepEqual(
        counted,
        direction === undefined ? { [expected]: 1 } : { ...received, [`${direction} ${expected}`]: 1 },
      );
    } else {
      assert.deepEqual(counted, { ...received, [`${direction} out`]: 1, [`${direction} out bytes`]: bytes });
      assert.equal(verdict, "redirect");
      const source = outerSourcePort(out);
      assert.ok(source >= 49152, `source port ${source}`);
      const wanted = frame({ ...expected, udp: { source } });
      const trailer = packet.subarray(wanted.byteLength);
      assert.equal(out.toString("hex"), Buffer.concat([wanted, trailer]).toString("hex"));
    }
  }

  for (const row of rows) {
    const kind = typeof row.expected === "string" && row.expected !== "pass" ? `drops (${row.expected}): ` : "";
    it(`${kind}${row.description}`, () => {
      check(row);
      check(row);
    });
  }

  it("drops (uplink-gone): the uplink was taken away", () => {
    const packet = frame(change({ inner: { ...aToB.inner, destination: "10.2.97.1" } }));
    assert.equal(dataplane.testRun(packet).verdict, "redirect");
    lab.ip(lab.current, "link delete up2");
    check({ description: "", packet, expected: "uplink-gone", direction: "a--b:a" });
  });

  it("has a row for every reason", () => {
    const elsewhere = ["uplink-gone", ...natReasons];
    const reached = new Set([...rows.map(({ expected }) => expected), ...elsewhere]);
    assert.deepEqual(
      dropReasons.slice(1).filter((reason) => !reached.has(reason)),
      [],
    );
  });

  describe("equal paths", () => {
    const flows = Array.from({ length: 512 }, (_, index) =>
      frame(
        change({ inner: { ...aToB.inner, destination: "10.2.96.1" }, payload: udp(1000 + index, 80, Buffer.alloc(4)) }),
      ),
    );
    const vtepOf = (bytes: Buffer) => bytes.readUInt32BE(30);

    it("spread the flows of one address pair over all of a route's VTEPs, each flow on one", () => {
      const chosen = flows.map((flow) => vtepOf(dataplane.testRun(flow).packet));
      const again = flows.map((flow) => vtepOf(dataplane.testRun(flow).packet));
      assert.deepEqual(again, chosen);
      const shares = [...new Set(chosen)].map((vtep) => chosen.filter((other) => other === vtep).length);
      assert.equal(shares.length, 3);
      for (const share of shares) assert.ok(share > 512 / 6, `a share of only ${share}`);
    });

    it("spread flows over a tunnel's uplinks, independent of the route's path", () => {
      const macs = flows.map((flow) => {
        const bytes = Buffer.from(flow);
        return dataplane.testRun(bytes).packet.toString("hex", 0, 6) + vtepOf(dataplane.testRun(bytes).packet);
      });
      assert.equal(new Set(macs).size, 4, "VTEP both over two uplinks, the others over one");
    });

    it("give each flow its own entropy", () => {
      const ports = new Set(flows.map((flow) => outerSourcePort(dataplane.testRun(flow).packet)));
      assert.ok(ports.size > 480, `${ports.size} ports for 512 flows`);
    });

    it("keep the fragments of a packet together", () => {
      const fragments = [0x2000, 0x2010, 0x0020].map((fragment, index) =>
        frame(
          change({
            inner: { ...aToB.inner, destination: "10.2.96.1", fragment },
            payload: udp(index, index, Buffer.alloc(8)),
          }),
        ),
      );
      const ways = new Set(fragments.map((bytes) => dataplane.testRun(bytes).packet.toString("hex", 0, 36)));
      assert.equal(new Set([...ways].map((way) => way.slice(60))).size, 1);
    });
  });
});
