// Masquerade and the flow table: packets in both directions one after the other, with what the other side sees. Requirements by their numbers in RFC 4787 (UDP),
// RFC 5382 (TCP), RFC 5508 (ICMP), RFC 6888 and RFC 7857. Time is what `age` is told.
import assert from "node:assert/strict";
import type { DataplaneDesired, DataplaneTranslation } from "../../dataplane/desired.ts";
import { fixture, vni } from "./support/fixture.ts";
import {
  addressesOf,
  arriving,
  icmp,
  icmpPacket,
  innerPacket,
  NatLab,
  quotedBy,
  routeTo,
  tcpFlag,
} from "./support/nat.ts";
import { ipv4 } from "./support/packet.ts";
import { sendInBackground } from "./support/traffic.ts";

interface Options {
  readonly pool?: readonly string[];
  readonly capacity?: number;
  readonly slice?: { readonly index: number; readonly count: number };
  readonly idleTimeoutMs?: number;
  readonly inside?: readonly string[];
  readonly bPrefixes?: readonly string[];
  readonly bTranslated?: readonly DataplaneTranslation[];
}

/** a masquerades towards b; c and d have the same addresses, and c masquerades with the same pool towards d. */
function desired(options: Options = {}): DataplaneDesired {
  const idle = options.idleTimeoutMs;
  const masquerade = {
    kind: "masquerade" as const,
    public: options.pool ?? ["192.0.2.1/32"],
    ...(idle === undefined ? {} : { timeouts: { tcpEstablishedMs: idle, udpMs: idle, icmpMs: idle } }),
  };
  const inside = {
    default: false,
    prefixes: [],
    translated: [{ prefixes: options.inside ?? ["10.1.0.0/16"], nat: masquerade }],
  };
  const slice = options.slice === undefined ? {} : { portSlice: options.slice };
  return {
    ...fixture(),
    flowTableCapacity: options.capacity ?? 4096,
    policy: {
      ...fixture().policy,
      peerings: [
        {
          id: "a--b",
          sides: [
            { vpc: "a", ...inside },
            {
              vpc: "b",
              default: false,
              prefixes: options.bPrefixes ?? ["10.2.0.0/16"],
              ...(options.bTranslated === undefined ? {} : { translated: options.bTranslated }),
            },
          ],
          ...slice,
        },
        {
          id: "c--d",
          sides: [
            { vpc: "c", ...inside },
            { vpc: "d", default: false, prefixes: ["10.2.0.0/16"] },
          ],
          ...slice,
        },
      ],
    },
    routes: (["a", "b", "c", "d"] as const).map((vpc) => routeTo(vpc, "10.0.0.0/8")),
  };
}

const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n);
const minutes = (count: number) => count * 60_000;
const { syn, ack, fin, rst } = tcpFlag;

describe("masquerade", () => {
  let lab: NatLab;
  const udp = (from: string, to: string) => innerPacket({ proto: "udp", from, to });
  const tcp = (from: string, to: string, flags: number) => innerPacket({ proto: "tcp", from, to, flags });
  /** What b sees of a packet of a. */
  const out = (from: string, to: string, proto: "udp" | "tcp" = "udp", flags: number = syn) =>
    lab.forward("a", innerPacket({ proto, from, to, flags })).from;
  const ageAt = (ms: number) => lab.dataplane.age(nowMs() + ms);

  before(() => {
    lab = new NatLab();
  });

  beforeEach(() => {
    lab.dataplane.apply(desired());
  });

  afterEach(() => {
    ageAt(minutes(1000));
    ageAt(minutes(2000));
    const { flows, mappings } = ageAt(minutes(3000));
    assert.deepEqual([flows, mappings], [0, 0], "nothing is left behind");
  });

  after(() => lab?.close());

  describe("mappings", () => {
    it("translates a flow and its replies, TCP and UDP", () => {
      for (const proto of ["tcp", "udp"] as const) {
        for (const _ of ["first packet", "established"]) {
          const there = lab.forward("a", innerPacket({ proto, from: "10.1.0.1:4000", to: "10.2.0.9:53", flags: ack }));
          assert.deepEqual([there.vni, there.from, there.to], [vni.b, "192.0.2.1:4000", "10.2.0.9:53"]);
          const back = lab.forward("b", innerPacket({ proto, from: "10.2.0.9:53", to: "192.0.2.1:4000", flags: ack }));
          assert.deepEqual([back.vni, back.from, back.to], [vni.a, "10.2.0.9:53", "10.1.0.1:4000"]);
        }
      }
    });

    it("UDP without a checksum stays without", () => {
      const packet = innerPacket({ proto: "udp", from: "10.1.0.1:4000", to: "10.2.0.9:53", noChecksum: true });
      for (const _ of ["first", "established"]) assert.equal(lab.forward("a", packet).inner.readUInt16BE(26), 0);
    });

    it("are the same for all destinations (4787 REQ-1, 5382 REQ-1)", () => {
      out("10.1.0.2:4000", "10.2.0.9:53");
      const first = out("10.1.0.1:4000", "10.2.0.9:53");
      assert.notEqual(first, "192.0.2.1:4000", "taken by the other host");
      for (const to of ["10.2.0.10:53", "10.2.0.9:54", "10.2.200.1:9"]) assert.equal(out("10.1.0.1:4000", to), first);
    });

    it("are separate for each protocol (7857 2.4)", () => {
      assert.equal(out("10.1.0.2:4000", "10.2.0.9:53", "udp"), "192.0.2.1:4000");
      assert.equal(out("10.1.0.1:4000", "10.2.0.9:53", "tcp"), "192.0.2.1:4000");
    });

    it("give one public endpoint to one inside endpoint (4787 REQ-3)", () => {
      const seen = new Set<string>();
      for (let host = 1; host <= 250; host++) seen.add(out(`10.1.0.${host}:4000`, "10.2.0.9:53"));
      assert.equal(seen.size, 250);
    });

    it("keep well-known ports well-known, and others not (4787 REQ-3a)", () => {
      for (let host = 1; host <= 60; host++) {
        assert.ok(Number(out(`10.1.0.${host}:53`, "10.2.0.9:53").split(":")[1]) < 1024);
        assert.ok(Number(out(`10.1.0.${host}:5353`, "10.2.0.9:53").split(":")[1]) >= 1024);
      }
    });

    it("pair an inside address with one public address (4787 REQ-2), all of the pool in turn", () => {
      lab.dataplane.apply(desired({ pool: ["192.0.2.8/31", "198.51.100.1/32"] }));
      const pairs = new Map<string, string>();
      for (let host = 0; host < 9; host++) {
        for (const port of [1000, 2000, 3000, 4000]) {
          const [address] = out(`10.1.0.${host}:${port}`, `10.2.0.${port % 7}:53`).split(":");
          assert.equal(pairs.get(`${host}`) ?? address, address);
          pairs.set(`${host}`, address as string);
        }
      }
      const uses = ["192.0.2.8", "192.0.2.9", "198.51.100.1"].map(
        (address) => [...pairs.values()].filter((used) => used === address).length,
      );
      assert.deepEqual(uses, [3, 3, 3]);
    });

    it("choose unpredictably where the port is taken (6056)", () => {
      out("10.1.0.250:4000", "10.2.0.9:53");
      const ports = Array.from({ length: 40 }, (_, host) =>
        Number(out(`10.1.0.${host}:4000`, "10.2.0.9:53").split(":")[1]),
      );
      const steps = new Set(ports.slice(1).map((port, index) => port - (ports[index] as number)));
      assert.ok(steps.size > 35, `steps ${[...steps]}`);
      assert.ok(Math.max(...ports) - Math.min(...ports) > 20_000);
    });

    it("draw from the gateway's slice of the ports alone, of the well-known too", () => {
      const of = (index: number) => {
        lab.dataplane.apply(desired({ slice: { index, count: 3 } }));
        return [700, 4000, 30_000, 65_535].flatMap((port) =>
          Array.from({ length: 12 }, (_, host) =>
            Number(out(`10.1.${index}.${host}:${port}`, "10.2.0.9:53").split(":")[1]),
          ),
        );
      };
      const slices = [0, 1, 2].map(of);
      const bounds = [
        [1, 342, 1024, 22_528],
        [342, 683, 22_528, 44_032],
        [683, 1024, 44_032, 65_536],
      ] as const;
      slices.forEach((ports, index) => {
        const [a, b, c, d] = bounds[index] as (typeof bounds)[number];
        for (const port of ports)
          assert.ok((port >= a && port < b) || (port >= c && port < d), `${port} in slice ${index}`);
      });
    });

    it("of VPCs with the same addresses do not meet (4787 REQ-7)", () => {
      assert.equal(out("10.1.0.1:4000", "10.2.0.9:53"), "192.0.2.1:4000");
      const other = lab.forward("c", udp("10.1.0.1:4000", "10.2.0.9:53"));
      assert.deepEqual([other.vni, other.from], [vni.d, "192.0.2.1:4000"]);
      assert.deepEqual(lab.forward("d", udp("10.2.0.9:53", "192.0.2.1:4000")).vni, vni.c);
    });

    it("exhausted: dropped and counted, never sent untranslated; flows there are go on", () => {
      lab.dataplane.apply(desired({ slice: { index: 200, count: 255 } }));
      const taken = new Set<string>();
      let refused = 0;
      for (let host = 0; host < 10; host++) {
        const packet = udp(`10.1.1.${host}:53`, "10.2.0.9:53");
        const { verdict } = lab.dataplane.testRun(arriving("a", packet));
        if (verdict === "redirect") taken.add(out(`10.1.1.${host}:53`, "10.2.0.9:53"));
        else refused++;
      }
      assert.deepEqual([taken.size, refused], [4, 6], "1023 well-known ports in 255 slices");
      assert.deepEqual(lab.dropped("a", udp("10.1.1.9:53", "10.2.0.9:53")), { "nat-exhausted": 1 });
      assert.ok(taken.has(out("10.1.1.0:53", "10.2.0.9:53")));
    });
  });

  describe("who may begin", () => {
    const rows: [string, "a" | "b", () => Buffer, string][] = [
      ["a packet from outside to the public address", "b", () => udp("10.2.0.9:53", "192.0.2.1:4001"), "no-flow"],
      ["a SYN from outside", "b", () => tcp("10.2.0.9:53", "192.0.2.1:4000", syn), "no-flow"],
      ["another host to a mapped port", "b", () => udp("10.2.0.8:53", "192.0.2.1:4000"), "no-flow"],
      ["another port of the same host", "b", () => udp("10.2.0.9:54", "192.0.2.1:4000"), "no-flow"],
      ["the private address from outside", "b", () => udp("10.2.0.9:53", "10.1.0.1:4000"), "no-destination"],
      ["a RST of no flow", "a", () => tcp("10.1.0.1:4100", "10.2.0.9:53", rst), "no-flow"],
      ["a FIN of no flow", "a", () => tcp("10.1.0.1:4100", "10.2.0.9:53", fin | ack), "no-flow"],
      ["port 0", "a", () => udp("10.1.0.1:0", "10.2.0.9:53"), "transport-header"],
      [
        "UDP cut off",
        "a",
        () => ipv4({ source: "10.1.0.1", destination: "10.2.0.9", protocol: 17 }, Buffer.alloc(7, 1)),
        "transport-header",
      ],
      [
        "a fragment",
        "a",
        () => ipv4({ source: "10.1.0.1", destination: "10.2.0.9", fragment: 0x2000 }, Buffer.alloc(16, 1)),
        "fragment",
      ],
      [
        "SCTP",
        "a",
        () => ipv4({ source: "10.1.0.1", destination: "10.2.0.9", protocol: 132 }, Buffer.alloc(16, 1)),
        "nat-protocol",
      ],
      [
        "ESP",
        "a",
        () => ipv4({ source: "10.1.0.1", destination: "10.2.0.9", protocol: 50 }, Buffer.alloc(16, 1)),
        "nat-protocol",
      ],
      [
        "an ICMP answer to nothing",
        "b",
        () => icmpPacket("10.2.0.9", "192.0.2.1", icmp(0, 0, 0x12340001, Buffer.alloc(8))),
        "no-flow",
      ],
      ["an ICMP redirect", "a", () => icmpPacket("10.1.0.1", "10.2.0.9", icmp(5, 0, 0, Buffer.alloc(28))), "no-flow"],
      [
        "a query from outside with the mapped identifier",
        "b",
        () => icmpPacket("10.2.0.9", "192.0.2.1", icmp(8, 0, 0x00070001, Buffer.alloc(8))),
        "no-flow",
      ],
    ];
    for (const [description, vpc, packet, reason] of rows) {
      it(`drops (${reason}): ${description}`, () => {
        out("10.1.0.1:4000", "10.2.0.9:53");
        lab.forward("a", icmpPacket("10.1.0.1", "10.2.0.9", icmp(8, 0, 0x00070001, Buffer.alloc(8))));
        assert.deepEqual(lab.dropped(vpc, packet()), { [reason]: 1 });
      });
    }

    it("a reply from another VPC than the flow's is no reply", () => {
      out("10.1.0.1:4000", "10.2.0.9:53");
      assert.deepEqual(lab.dropped("d", udp("10.2.0.9:53", "192.0.2.1:4000")), { "no-flow": 1 });
    });
  });

  describe("ICMP queries (5508 REQ-1)", () => {
    for (const [name, query, answer] of [
      ["echo", 8, 0],
      ["timestamp", 13, 14],
    ] as const) {
      it(`${name}: by identifier, the same for all destinations`, () => {
        const ask = (host: string, to: string) =>
          lab.forward("a", icmpPacket(host, to, icmp(query, 0, 0x00050001, Buffer.alloc(12, 3)))).from;
        assert.equal(ask("10.1.0.1", "10.2.0.9"), "192.0.2.1:5");
        const other = ask("10.1.0.2", "10.2.0.9");
        assert.notEqual(other, "192.0.2.1:5");
        assert.equal(ask("10.1.0.2", "10.2.0.10"), other);
        const id = Number(other.split(":")[1]);
        for (const _ of ["first", "established"]) {
          const back = lab.forward(
            "b",
            icmpPacket("10.2.0.10", "192.0.2.1", icmp(answer, 0, id * 65536 + 1, Buffer.alloc(12, 3))),
          );
          assert.deepEqual([back.vni, back.to], [vni.a, "10.1.0.2:5"]);
        }
      });
    }
  });

  describe("ICMP errors", () => {
    it("from outside: what they quote is what was sent (5508 REQ-4), from any router (4787 REQ-12)", () => {
      out("10.1.0.2:4000", "10.2.0.9:53");
      for (const proto of ["udp", "tcp"] as const) {
        const [, port] = out("10.1.0.1:4000", "10.2.0.9:53", proto).split(":");
        for (const length of [28, 60]) {
          const quoted = innerPacket({ proto, from: `192.0.2.1:${port}`, to: "10.2.0.9:53", flags: syn }).subarray(
            0,
            length,
          );
          for (const reporter of ["10.2.0.9", "10.2.0.77", "172.16.0.1"]) {
            const back = lab.forward("b", icmpPacket(reporter, "192.0.2.1", icmp(3, 1, 0, quoted)));
            assert.equal(back.vni, vni.a);
            assert.equal(back.from, `${reporter === "172.16.0.1" ? "10.2.0.9" : reporter}:0`);
            assert.equal(back.to, "10.1.0.1:0");
            const sent = innerPacket({ proto, from: "10.1.0.1:4000", to: "10.2.0.9:53", flags: syn }).subarray(
              0,
              length,
            );
            assert.equal(quotedBy(back.inner).toString("hex"), sent.toString("hex"));
          }
        }
      }
    });

    it("from inside: with the public address (5508 REQ-5)", () => {
      const [, port] = out("10.1.0.1:4000", "10.2.0.9:53").split(":");
      const arrived = lab.forward("b", udp("10.2.0.9:53", `192.0.2.1:${port}`)).inner;
      for (const reporter of ["10.1.0.1", "10.1.0.254", "172.16.0.1"]) {
        const error = lab.forward("a", icmpPacket(reporter, "10.2.0.9", icmp(3, 3, 0, arrived)));
        assert.deepEqual([error.vni, error.from, error.to], [vni.b, "192.0.2.1:0", "10.2.0.9:0"]);
        assert.deepEqual(addressesOf(quotedBy(error.inner), true), { from: "10.2.0.9:53", to: `192.0.2.1:${port}` });
      }
    });

    it("about a query", () => {
      lab.forward("a", icmpPacket("10.1.0.2", "10.2.0.9", icmp(8, 0, 0x00050001, Buffer.alloc(8))));
      const query = lab.forward("a", icmpPacket("10.1.0.1", "10.2.0.9", icmp(8, 0, 0x00050001, Buffer.alloc(8))));
      const back = lab.forward("b", icmpPacket("10.2.0.1", "192.0.2.1", icmp(11, 0, 0, query.inner)));
      assert.deepEqual(addressesOf(quotedBy(back.inner), true), { from: "10.1.0.1:5", to: "10.2.0.9:5" });
    });

    it("without a mapping are dropped", () => {
      const quoted = udp("192.0.2.1:4000", "10.2.0.9:53");
      assert.deepEqual(lab.dropped("b", icmpPacket("10.2.0.9", "192.0.2.1", icmp(3, 3, 0, quoted))), { "no-flow": 1 });
    });

    it("neither refresh nor end a flow (4787 REQ-12, 5382 REQ-10, 5508 REQ-6)", async () => {
      out("10.1.0.1:4000", "10.2.0.9:53");
      const quoted = udp("192.0.2.1:4000", "10.2.0.9:53");
      const began = nowMs();
      while (nowMs() - began < 3100) {
        lab.forward("b", icmpPacket("10.2.0.9", "192.0.2.1", icmp(3, 3, 0, quoted)));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal(ageAt(0).flows, 1);
      assert.equal(lab.dataplane.age(began + minutes(5) + 1000).ended, 1);
    });
  });

  describe("ageing", () => {
    /** Ages just before and just after `minuteCount`; the flow must live and then end. */
    function livesFor(minuteCount: number): void {
      assert.equal(ageAt(minutes(minuteCount) - 3000).ended, 0, `ended before ${minuteCount} minutes`);
      assert.equal(ageAt(minutes(minuteCount) + 2000).ended, 1, `lives after ${minuteCount} minutes`);
      assert.equal(ageAt(0).flows, 0);
    }
    const there = (flags: number) => lab.forward("a", tcp("10.1.0.1:4000", "10.2.0.9:80", flags));
    const back = (flags: number) => lab.forward("b", tcp("10.2.0.9:80", "192.0.2.1:4000", flags));
    const sequences: [string, number, () => void][] = [
      ["a SYN alone: 4 min", 4, () => there(syn)],
      ["SYN, SYN-ACK: 4 min", 4, () => inTurn(there(syn), back(syn | ack))],
      ["established: 2 h 4 min (5382 REQ-5)", 124, () => inTurn(there(syn), back(syn | ack), there(ack))],
      [
        "simultaneous open: 2 h 4 min (5382 REQ-2a)",
        124,
        () => inTurn(there(syn), back(syn), there(syn | ack), back(syn | ack)),
      ],
      ["a connection that was there before: 2 h 4 min", 124, () => inTurn(there(ack), back(ack))],
      [
        "one side has closed: 2 h 4 min",
        124,
        () => inTurn(there(syn), back(syn | ack), there(ack), there(fin | ack), back(ack)),
      ],
      [
        "both have closed: 4 min",
        4,
        () => inTurn(there(syn), back(syn | ack), there(ack), there(fin | ack), back(fin | ack), there(ack)),
      ],
      ["a RST: 4 min (7857 2.2)", 4, () => inTurn(there(syn), back(syn | ack), there(ack), back(rst))],
      [
        "data after a RST of the same side: 2 h 4 min again",
        124,
        () => inTurn(there(syn), back(syn | ack), there(ack), back(rst), back(ack)),
      ],
      [
        "the same ports used again after closing: 4 min for the new SYN",
        4,
        () => inTurn(there(ack), back(ack), there(fin | ack), back(fin | ack), there(syn)),
      ],
      [
        "the same ports used again and established: 2 h 4 min",
        124,
        () => inTurn(there(ack), back(ack), there(fin | ack), back(fin | ack), there(syn), back(syn | ack), there(ack)),
      ],
      ["UDP: 5 min (4787 REQ-5)", 5, () => lab.forward("a", udp("10.1.0.1:4000", "10.2.0.9:53"))],
      [
        "ICMP: 60 s (5508 REQ-2)",
        1,
        () => lab.forward("a", icmpPacket("10.1.0.1", "10.2.0.9", icmp(8, 0, 1, Buffer.alloc(0)))),
      ],
    ];
    for (const [description, minuteCount, send] of sequences) {
      it(description, () => {
        send();
        livesFor(minuteCount);
      });
    }

    it("idleTimeout is that of established TCP, of UDP and of ICMP, not of transitory TCP", () => {
      lab.dataplane.apply(desired({ idleTimeoutMs: 30_000 }));
      for (const [minuteCount, send] of [
        [0.5, () => lab.forward("a", udp("10.1.0.1:4000", "10.2.0.9:53"))],
        [0.5, () => lab.forward("a", icmpPacket("10.1.0.1", "10.2.0.9", icmp(8, 0, 1, Buffer.alloc(0))))],
        [0.5, () => inTurn(there(syn), back(syn | ack), there(ack))],
        [4, () => lab.forward("a", tcp("10.1.0.2:4000", "10.2.0.9:80", syn))],
      ] as const) {
        send();
        livesFor(minuteCount);
      }
    });

    it("either direction keeps a flow alive (4787 REQ-6)", async () => {
      out("10.1.0.1:4000", "10.2.0.9:53");
      const began = nowMs();
      while (nowMs() - began < 2100) {
        lab.forward("b", udp("10.2.0.9:53", "192.0.2.1:4000"));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal(lab.dataplane.age(began + minutes(5) + 1000).ended, 0);
      assert.equal(lab.dataplane.age(began + minutes(5) + 4000).ended, 1);
    });

    it("a RST does not refresh (7857 2.3)", async () => {
      inTurn(there(syn), back(syn | ack), there(ack));
      const began = nowMs();
      while (nowMs() - began < 3100) {
        there(rst);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal(lab.dataplane.age(began + minutes(4) + 1000).ended, 1);
    });

    it("after its end a flow's replies are refused", () => {
      out("10.1.0.1:4000", "10.2.0.9:53");
      ageAt(minutes(6));
      assert.deepEqual(lab.dropped("b", udp("10.2.0.9:53", "192.0.2.1:4000")), { "no-flow": 1 });
    });

    it("a freed port rests 120 s for its own endpoint, then anybody may have it (6888 REQ-8)", () => {
      assert.equal(out("10.1.0.1:4000", "10.2.0.9:53"), "192.0.2.1:4000");
      const end = nowMs() + minutes(6);
      assert.deepEqual(lab.dataplane.age(end).ended, 1);
      assert.notEqual(out("10.1.0.2:4000", "10.2.0.9:53"), "192.0.2.1:4000");
      assert.equal(out("10.1.0.1:4000", "10.2.0.10:53"), "192.0.2.1:4000", "its own endpoint");
      assert.equal(lab.dataplane.age(end + minutes(6)).ended, 2);
      assert.equal(lab.dataplane.age(end + minutes(6) + 118_000).freed, 0);
      assert.equal(lab.dataplane.age(end + minutes(6) + 121_000).freed, 2);
      assert.equal(out("10.1.0.3:4000", "10.2.0.9:53"), "192.0.2.1:4000");
    });

    it("a mapping lives as long as one of its flows", () => {
      out("10.1.0.1:4000", "10.2.0.9:53");
      lab.forward("a", tcp("10.1.0.1:4000", "10.2.0.9:80", syn));
      out("10.1.0.1:4000", "10.2.0.10:53");
      assert.deepEqual(lab.dataplane.age(nowMs()), { flows: 3, ended: 0, mappings: 2, freed: 0, capacity: 4096 });
      assert.equal(ageAt(minutes(4) + 2000).ended, 1, "TCP");
      assert.equal(ageAt(minutes(6) + 3000).mappings, 1, "its mapping is free, that of UDP rests");
    });
  });

  it("a full table refuses new flows and counts them; old ones go on", () => {
    lab.dataplane.apply(desired({ capacity: 8 }));
    let began = 0;
    for (let host = 1; host <= 20; host++) {
      const packet = udp(`10.1.0.${host}:4000`, "10.2.0.9:53");
      if (lab.dataplane.testRun(arriving("a", packet)).verdict === "redirect") began++;
    }
    assert.equal(began, 8);
    assert.deepEqual(lab.dropped("a", udp("10.1.0.30:4000", "10.2.0.9:53")), { "flow-table-full": 1 });
    assert.equal(out("10.1.0.1:4000", "10.2.0.9:53"), "192.0.2.1:4000");
    assert.equal(lab.dataplane.age().flows, 8);
    ageAt(minutes(6));
    assert.equal(lab.dataplane.age(nowMs() + minutes(9)).mappings, 0, "nothing is left of what was refused");
    out("10.1.0.30:4000", "10.2.0.9:53");
  });

  describe("a change of the policy", () => {
    beforeEach(() => {
      out("10.1.0.1:4000", "10.2.0.9:53");
      lab.forward("b", udp("10.2.0.9:53", "192.0.2.1:4000"));
    });
    const there = () => lab.forward("a", udp("10.1.0.1:4000", "10.2.0.9:53"));
    const back = () => lab.forward("b", udp("10.2.0.9:53", "192.0.2.1:4000"));

    it("that still allows a flow leaves it its binding, in both directions, whichever comes first", () => {
      lab.dataplane.apply(desired({ pool: ["192.0.2.1/32", "192.0.2.77/32"], inside: ["10.1.0.0/24", "10.9.0.0/24"] }));
      assert.equal(back().to, "10.1.0.1:4000");
      assert.equal(there().from, "192.0.2.1:4000");
      lab.dataplane.apply(desired());
      assert.equal(there().from, "192.0.2.1:4000");
      assert.equal(back().to, "10.1.0.1:4000");
      assert.equal(lab.dataplane.age().flows, 1);
    });

    it("that takes the public address away ends the flow; a new one gets another", () => {
      lab.dataplane.apply(desired({ pool: ["192.0.2.77/32"] }));
      assert.deepEqual(lab.dropped("b", udp("10.2.0.9:53", "192.0.2.1:4000")), { "no-destination": 1 });
      assert.equal(there().from, "192.0.2.77:4000");
      assert.equal(lab.dataplane.age().flows, 1);
    });

    it("that takes the inside address away ends it at once, seen from both sides", () => {
      lab.dataplane.apply(desired({ inside: ["10.1.1.0/24"] }));
      assert.deepEqual(lab.dropped("b", udp("10.2.0.9:53", "192.0.2.1:4000")), { "no-flow": 1 });
      assert.deepEqual(lab.dropped("a", udp("10.1.0.1:4000", "10.2.0.9:53")), { "source-not-exposed": 1 });
      assert.equal(lab.dataplane.age().flows, 0);
    });

    it("that takes the destination away ends it", () => {
      lab.dataplane.apply(desired({ bPrefixes: ["10.2.1.0/24"] }));
      assert.deepEqual(lab.dropped("b", udp("10.2.0.9:53", "192.0.2.1:4000")), { "source-not-exposed": 1 });
      assert.deepEqual(lab.dropped("a", udp("10.1.0.1:4000", "10.2.0.9:53")), { "no-destination": 1 });
    });

    it("that gives the ports to another gateway ends it", () => {
      lab.dataplane.apply(desired({ slice: { index: 1, count: 2 } }));
      assert.deepEqual(lab.dropped("b", udp("10.2.0.9:53", "192.0.2.1:4000")), { "no-flow": 1 });
      assert.ok(Number(there().from.split(":")[1]) >= 33_280);
    });

    it("of routes sends flows the new way, without ending them", () => {
      const routes = desired().routes.map((route) =>
        route.vni === vni.b || route.vni === vni.a
          ? { ...route, paths: route.paths.map((path) => ({ ...path, vni: 4711 })) }
          : route,
      );
      lab.dataplane.apply({ ...desired(), routes });
      assert.equal(there().vni, 4711);
      assert.equal(back().vni, 4711);
      lab.dataplane.apply({ ...desired(), routes: routes.filter((route) => route.vni !== vni.a) });
      assert.deepEqual(lab.dropped("b", udp("10.2.0.9:53", "192.0.2.1:4000")), { "no-route": 1 });
      lab.dataplane.apply(desired());
      assert.equal(back().vni, vni.a);
      assert.equal(lab.dataplane.age().flows, 1);
    });

    it("that puts another peering in the place of the flow's ends it", () => {
      const { policy } = desired();
      const peerings = policy.peerings.map((peering) => ({ ...peering, id: `${peering.id}-2` }));
      lab.dataplane.apply({ ...desired(), policy: { ...policy, peerings } });
      assert.deepEqual(lab.dropped("b", udp("10.2.0.9:53", "192.0.2.1:4000")), { "no-flow": 1 });
      there();
      assert.equal(back().to, "10.1.0.1:4000");
    });

    it("of the idle timeout holds for flows that go on", () => {
      lab.dataplane.apply(desired({ idleTimeoutMs: minutes(10) }));
      there();
      assert.equal(ageAt(minutes(9)).ended, 0);
    });

    it("of the capacity makes a new table", () => {
      lab.dataplane.apply(desired({ capacity: 100 }));
      assert.deepEqual(lab.dataplane.age(), { flows: 0, ended: 0, mappings: 0, freed: 0, capacity: 100 });
      assert.equal(there().from, "192.0.2.1:4000");
    });
  });

  it("towards a side with static NAT translates both ends", () => {
    const bTranslated = [{ prefixes: ["10.2.0.0/24"], nat: { kind: "static" as const, public: ["203.0.113.0/24"] } }];
    lab.dataplane.apply(desired({ bPrefixes: [], bTranslated }));
    for (const _ of ["first", "established"]) {
      const there = lab.forward("a", tcp("10.1.0.1:4000", "203.0.113.9:80", syn));
      assert.deepEqual([there.from, there.to], ["192.0.2.1:4000", "10.2.0.9:80"]);
      const back = lab.forward("b", tcp("10.2.0.9:80", "192.0.2.1:4000", syn | ack));
      assert.deepEqual([back.from, back.to], ["203.0.113.9:80", "10.1.0.1:4000"]);
    }
  });

  it("two CPUs that begin the same flows, while they are aged away and the pool changes, make no half pairs and no second bindings", async () => {
    const first = arriving("a", udp("10.1.0.0:4000", "10.2.0.9:53"));
    const senders = ["one", "other"].map(() => sendInBackground(lab.dataplane.programFd, first, 2_000_000, 256));
    let ended = 0;
    while (!senders.every((sender) => sender.done())) {
      for (const pool of [["192.0.2.77/32"], ["192.0.2.1/32"]]) {
        lab.dataplane.apply(desired({ pool }));
        ended += ageAt(minutes(1200)).ended;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(senders.map(({ finished }) => finished));
    assert.ok(ended > 256, `only ${ended} flows ended meanwhile`);
    for (let host = 0; host < 256; host++) {
      const there = out(`10.1.0.${host}:4000`, "10.2.0.9:53");
      assert.equal(lab.forward("b", udp("10.2.0.9:53", there)).to, `10.1.0.${host}:4000`);
    }
    const { flows, mappings } = lab.dataplane.age();
    assert.deepEqual([flows, mappings, lab.bindings()], [256, 256, 256]);
    for (const hours of [60, 80]) ageAt(minutes(60 * hours));
    assert.deepEqual([lab.dataplane.age().flows, lab.bindings()], [0, 0]);
  });

  it("stateless peerings beside it make no flows", () => {
    const { peerings } = desired().policy;
    const policy = {
      ...desired().policy,
      peerings: [
        peerings[0] as (typeof peerings)[number],
        { id: "a--c", sides: [plain("a", "10.7.0.0/24"), plain("c", "10.8.0.0/24")] as const },
      ],
    };
    lab.dataplane.apply({ ...desired(), policy });
    for (let port = 1; port < 100; port++) lab.forward("a", udp(`10.7.0.1:${port}`, "10.8.0.1:9"));
    assert.equal(lab.dataplane.age().flows, 0);
  });

  it("flows outlive the agent", () => {
    out("10.1.0.2:4000", "10.2.0.9:53");
    const first = out("10.1.0.1:4000", "10.2.0.9:53");
    lab.reopen();
    lab.dataplane.apply(desired());
    assert.equal(out("10.1.0.1:4000", "10.2.0.9:53"), first);
    assert.equal(lab.dataplane.age().flows, 2);
  });
});

/** Its arguments have happened one after the other. */
function inTurn(...packets: unknown[]): void {
  assert.ok(packets.length > 0);
}

function plain(vpc: string, prefix: string) {
  return { vpc, default: false, prefixes: [prefix] };
}
