// Static NAT: each row is an inner packet as it comes in and as it must leave, all checksums included. Twice, so that both the long way and the cache
// are taken. ICMP errors: what they quote must be what the receiver of the error had sent (RFC 5508 4).
import assert from "node:assert/strict";
import "./support/build.ts";
import type { DataplaneDesired } from "../../dataplane/desired.ts";
import type { dropReasons } from "../../dataplane/generated/layout.ts";
import { fixture, vni } from "./support/fixture.ts";
import {
  addressesOf,
  icmp,
  icmpPacket,
  innerPacket,
  NatLab,
  quotedBy,
  routeTo,
  tcpFlag,
  withTtl,
} from "./support/nat.ts";
import { ipv4 } from "./support/packet.ts";

/**
 * a--b: a as 100.64.1.0/24 and 100.64.2.0/25 (in unequal pieces), b as 192.0.2.0/28 (not .8/29, as the planner would cut it), and 10.2.5.0/24 as it
 * is. c--d: the same addresses, translated otherwise, on the side of c only.
 */
function desired(): DataplaneDesired {
  return {
    ...fixture(),
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
                {
                  prefixes: ["10.1.8.0/25", "10.1.0.0/24"],
                  nat: { kind: "static", public: ["100.64.1.0/24", "100.64.2.0/25"] },
                },
              ],
            },
            {
              vpc: "b",
              default: false,
              prefixes: ["10.2.5.0/24"],
              translated: [{ prefixes: ["10.2.0.16/29"], nat: { kind: "static", public: ["192.0.2.0/29"] } }],
            },
          ],
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
            { vpc: "d", default: false, prefixes: ["10.2.0.0/16"] },
          ],
        },
      ],
    },
    routes: (["a", "b", "c", "d"] as const).map((vpc) => routeTo(vpc, "10.0.0.0/8")),
  };
}

type Vpc = keyof typeof vni;
type Reason = (typeof dropReasons)[number];

/** [description, in VPC, from, to → in VPC, from, to]. */
const addressRows: [string, Vpc, string, string, Vpc, string, string][] = [
  ["both sides", "a", "10.1.8.0", "192.0.2.0", "b", "100.64.1.0", "10.2.0.16"],
  ["the last address of the first prefix", "a", "10.1.8.127", "192.0.2.1", "b", "100.64.1.127", "10.2.0.17"],
  ["the first of the second", "a", "10.1.0.0", "192.0.2.7", "b", "100.64.1.128", "10.2.0.23"],
  ["the last within the first public prefix", "a", "10.1.0.127", "192.0.2.7", "b", "100.64.1.255", "10.2.0.23"],
  ["the first of the second public prefix", "a", "10.1.0.128", "192.0.2.7", "b", "100.64.2.0", "10.2.0.23"],
  ["the very last", "a", "10.1.0.255", "192.0.2.7", "b", "100.64.2.127", "10.2.0.23"],
  ["the source alone, towards a plain expose", "a", "10.1.0.1", "10.2.5.9", "b", "100.64.1.129", "10.2.5.9"],
  ["the way back", "b", "10.2.0.16", "100.64.1.0", "a", "192.0.2.0", "10.1.8.0"],
  ["the way back over the second prefixes", "b", "10.2.0.23", "100.64.2.127", "a", "192.0.2.7", "10.1.0.255"],
  ["the way back, destination alone", "b", "10.2.5.9", "100.64.1.129", "a", "10.2.5.9", "10.1.0.1"],
  ["the same addresses in another peering", "c", "10.1.0.1", "10.2.0.1", "d", "203.0.113.1", "10.2.0.1"],
  ["the way back in another peering", "d", "10.2.0.1", "203.0.113.1", "c", "10.2.0.1", "10.1.0.1"],
];

const dropRows: [string, Vpc, Buffer, Reason][] = [
  [
    "the private address of the other side",
    "a",
    innerPacket({ proto: "udp", from: "10.1.0.1:1", to: "10.2.0.16:2" }),
    "no-destination",
  ],
  [
    "an address beyond the public prefix",
    "a",
    innerPacket({ proto: "udp", from: "10.1.0.1:1", to: "192.0.2.8:2" }),
    "no-destination",
  ],
  [
    "a source in the gap of the private prefixes",
    "a",
    innerPacket({ proto: "udp", from: "10.1.8.128:1", to: "192.0.2.0:2" }),
    "source-not-exposed",
  ],
  [
    "a public address as source in the private VPC",
    "a",
    innerPacket({ proto: "udp", from: "100.64.1.1:1", to: "192.0.2.0:2" }),
    "source-not-exposed",
  ],
  [
    "TCP cut off before its checksum",
    "a",
    ipv4({ source: "10.1.0.1", destination: "192.0.2.0", protocol: 6 }, Buffer.alloc(16)),
    "transport-header",
  ],
  [
    "UDP cut off before its checksum",
    "a",
    ipv4({ source: "10.1.0.1", destination: "192.0.2.0", protocol: 17 }, Buffer.alloc(6)),
    "transport-header",
  ],
];

describe("static NAT", () => {
  let lab: NatLab;
  const forward = (vpc: Vpc, packet: Buffer) => lab.forward(vpc, packet);
  const dropped = (vpc: Vpc, packet: Buffer) => lab.dropped(vpc, packet);

  before(() => {
    lab = new NatLab();
    lab.dataplane.apply(desired());
  });

  after(() => lab?.close());

  for (const [description, vpc, from, to, toVpc, newFrom, newTo] of addressRows) {
    it(`${description}: ${vpc} ${from} → ${to} becomes ${toVpc} ${newFrom} → ${newTo}`, () => {
      for (const shape of [
        { proto: "tcp" as const, flags: tcpFlag.syn },
        { proto: "udp" as const },
        { proto: "udp" as const, noChecksum: true },
        { proto: "tcp" as const, ip: { options: Buffer.alloc(8, 1) } },
      ]) {
        for (const _ of ["long way", "cache"]) {
          const packet = innerPacket({ ...shape, from: `${from}:1234`, to: `${to}:80` });
          const wanted = innerPacket({ ...shape, from: `${newFrom}:1234`, to: `${newTo}:80` });
          const out = forward(vpc, packet);
          assert.equal(out.vni, vni[toVpc]);
          assert.equal(out.inner.toString("hex"), withTtl(wanted, 63).toString("hex"));
        }
      }
    });
  }

  for (const [description, vpc, packet, reason] of dropRows) {
    it(`drops (${reason}): ${description}`, () => {
      assert.deepEqual(dropped(vpc, packet), { [reason]: 1 });
      assert.deepEqual(dropped(vpc, packet), { [reason]: 1 });
    });
  }

  it("keeps every transport checksum right, whatever it was", () => {
    for (let value = 0; value < 4096; value++) {
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE((value * 0x9e3779b1) >>> 0);
      for (const proto of ["tcp", "udp"] as const) {
        const out = forward(
          "a",
          innerPacket({ proto, from: `10.1.0.${value & 255}:${value}`, to: "192.0.2.3:7", payload }),
        );
        if (proto === "udp") assert.notEqual(out.inner.readUInt16BE(26), 0, "a checksum became none");
      }
    }
  });

  it("a UDP checksum that comes out as 0 is sent as its other form: 0 would be none (RFC 768)", () => {
    const leaving = (payload: Buffer) =>
      innerPacket({ proto: "udp", from: "100.64.1.129:1234", to: "10.2.0.19:7", payload });
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(leaving(payload).readUInt16BE(26));
    assert.equal(leaving(payload).readUInt16BE(26), 0xffff);
    const out = forward("a", innerPacket({ proto: "udp", from: "10.1.0.1:1234", to: "192.0.2.3:7", payload }));
    assert.equal(out.inner.readUInt16BE(26), 0xffff);
  });

  it("leaves the payload of later fragments alone, and mends the checksum of the first", () => {
    const whole = innerPacket({
      proto: "udp",
      from: "10.1.0.1:1234",
      to: "192.0.2.0:80",
      payload: Buffer.alloc(64, 9),
    });
    const wanted = innerPacket({
      proto: "udp",
      from: "100.64.1.129:1234",
      to: "10.2.0.16:80",
      payload: Buffer.alloc(64, 9),
    });
    const ends = { source: "10.1.0.1", destination: "192.0.2.0" };
    const first = forward("a", ipv4({ ...ends, fragment: 0x2000 }, whole.subarray(20, 60)));
    const later = forward("a", ipv4({ ...ends, fragment: 5 }, whole.subarray(60)));
    assert.equal(
      Buffer.concat([first.inner.subarray(20), later.inner.subarray(20)]).toString("hex"),
      wanted.subarray(20).toString("hex"),
    );
  });

  it("translates ICMP queries and answers, whose checksum does not cover addresses", () => {
    const echo = forward("a", icmpPacket("10.1.0.1", "192.0.2.0", icmp(8, 0, 0x12340001, Buffer.alloc(33, 5))));
    assert.deepEqual([echo.from, echo.to], ["100.64.1.129:4660", "10.2.0.16:4660"]);
    const answer = forward("b", icmpPacket("10.2.0.16", "100.64.1.129", icmp(0, 0, 0x12340001, Buffer.alloc(33, 5))));
    assert.deepEqual([answer.from, answer.to], ["192.0.2.0:4660", "10.1.0.1:4660"]);
  });

  describe("ICMP errors", () => {
    /** What a sent from 10.1.0.1:1234 to 192.0.2.0:80, as b saw it. */
    const atB = (proto: "tcp" | "udp", options?: Buffer) =>
      innerPacket({
        proto,
        from: "100.64.1.129:1234",
        to: "10.2.0.16:80",
        ...(options === undefined ? {} : { ip: { options } }),
      });
    const asSent = (proto: "tcp" | "udp", options?: Buffer) =>
      innerPacket({
        proto,
        from: "10.1.0.1:1234",
        to: "192.0.2.0:80",
        ...(options === undefined ? {} : { ip: { options } }),
      });
    const types: [string, number, number, number][] = [
      ["port unreachable", 3, 3, 0],
      ["fragmentation needed", 3, 4, 1400],
      ["administratively prohibited", 3, 13, 0],
      ["time exceeded", 11, 0, 0],
      ["parameter problem", 12, 0, 0x14000000],
    ];
    for (const [name, type, code, rest] of types) {
      for (const proto of ["tcp", "udp"] as const) {
        for (const [part, length] of [
          ["the whole packet", 60],
          ["its first 8 bytes", 28],
        ] as const) {
          it(`${name} quoting ${part} of ${proto}`, () => {
            const out = forward(
              "b",
              icmpPacket("10.2.0.16", "100.64.1.129", icmp(type, code, rest, atB(proto).subarray(0, length))),
            );
            assert.equal(out.vni, vni.a);
            const wanted = icmpPacket(
              "192.0.2.0",
              "10.1.0.1",
              icmp(type, code, rest, asSent(proto).subarray(0, length)),
            );
            assert.equal(out.inner.toString("hex"), withTtl(wanted, 63).toString("hex"));
          });
        }
      }
    }

    it("from inside", () => {
      const sent = innerPacket({ proto: "udp", from: "10.2.0.16:53", to: "100.64.1.129:1234" });
      const arrived = innerPacket({ proto: "udp", from: "192.0.2.0:53", to: "10.1.0.1:1234" });
      const out = forward("a", icmpPacket("10.1.0.1", "192.0.2.0", icmp(3, 3, 0, arrived)));
      const wanted = icmpPacket("100.64.1.129", "10.2.0.16", icmp(3, 3, 0, sent));
      assert.equal(out.inner.toString("hex"), withTtl(wanted, 63).toString("hex"));
    });

    it("walks the options of the quoted header and of its own", () => {
      const options = Buffer.from("0101010144040500", "hex");
      const out = forward(
        "b",
        icmpPacket("10.2.0.16", "100.64.1.129", icmp(11, 0, 0, atB("tcp", options)), { options }),
      );
      const wanted = icmpPacket("192.0.2.0", "10.1.0.1", icmp(11, 0, 0, asSent("tcp", options)), { options });
      assert.equal(out.inner.toString("hex"), withTtl(wanted, 63).toString("hex"));
    });

    it("of odd length", () => {
      const out = forward(
        "b",
        icmpPacket("10.2.0.16", "100.64.1.129", icmp(3, 1, 0, Buffer.concat([atB("udp"), Buffer.alloc(3, 7)]))),
      );
      assert.deepEqual(addressesOf(quotedBy(out.inner).subarray(0, -3), true), {
        from: "10.1.0.1:1234",
        to: "192.0.2.0:80",
      });
    });

    it("keeps the address of a reporter that is exposed, translated", () => {
      const out = forward("b", icmpPacket("10.2.0.17", "100.64.1.129", icmp(11, 0, 0, atB("udp"))));
      assert.deepEqual([out.from, out.to], ["192.0.2.1:0", "10.1.0.1:0"]);
    });

    it("hides the address of a reporter that is not exposed behind that of the host", () => {
      const out = forward("b", icmpPacket("10.9.9.9", "100.64.1.129", icmp(11, 0, 0, atB("udp"))));
      assert.deepEqual([out.from, out.to], ["192.0.2.0:0", "10.1.0.1:0"]);
    });

    it("an ICMP query that is quoted", () => {
      const message = icmp(8, 0, 77, Buffer.alloc(8));
      const out = forward(
        "b",
        icmpPacket("10.2.0.16", "100.64.1.129", icmp(3, 1, 0, icmpPacket("100.64.1.129", "10.2.0.16", message))),
      );
      assert.deepEqual(addressesOf(quotedBy(out.inner), true), { from: "10.1.0.1:0", to: "192.0.2.0:0" });
    });

    const malformed: [string, () => Buffer][] = [
      [
        "a wrong ICMP checksum",
        () => {
          const message = icmp(3, 3, 0, atB("udp"));
          message.writeUInt16BE(message.readUInt16BE(2) ^ 1, 2);
          return icmpPacket("10.2.0.16", "100.64.1.129", message);
        },
      ],
      [
        "a wrong checksum of the quoted header",
        () => {
          const quoted = atB("udp");
          quoted.writeUInt16BE(quoted.readUInt16BE(10) ^ 1, 10);
          return icmpPacket("10.2.0.16", "100.64.1.129", icmp(3, 3, 0, quoted));
        },
      ],
      [
        "fewer than 8 bytes behind the quoted header",
        () => icmpPacket("10.2.0.16", "100.64.1.129", icmp(3, 3, 0, atB("udp").subarray(0, 27))),
      ],
      ["a quoted packet of another sender", () => icmpPacket("10.2.0.16", "100.64.1.130", icmp(3, 3, 0, atB("udp")))],
      [
        "a quoted header that is longer than what is there",
        () => {
          const quoted = atB("udp");
          quoted[0] = 0x4f;
          return icmpPacket("10.2.0.16", "100.64.1.129", icmp(3, 3, 0, quoted.subarray(0, 40)));
        },
      ],
    ];
    for (const [description, packet] of malformed) {
      it(`drops (icmp-malformed): ${description}`, () => {
        assert.deepEqual(dropped("b", packet()), { "icmp-malformed": 1 });
      });
    }

    it("drops (source-not-exposed): about a packet that no peering would have carried", () => {
      const quoted = innerPacket({ proto: "udp", from: "100.64.1.129:1", to: "10.2.0.99:2" });
      assert.deepEqual(dropped("b", icmpPacket("10.2.0.16", "100.64.1.129", icmp(3, 3, 0, quoted))), {
        "source-not-exposed": 1,
      });
    });
  });

  it("refuses lists of unequal numbers of addresses", () => {
    const wrong = desired();
    const [first] = wrong.policy.peerings;
    assert.ok(first !== undefined);
    const side = first.sides[0];
    const translated = [{ prefixes: ["10.1.0.0/24"], nat: { kind: "static" as const, public: ["100.64.1.0/25"] } }];
    const policy = {
      ...wrong.policy,
      peerings: [{ ...first, sides: [{ ...side, translated }, first.sides[1]] as const }],
    };
    assert.throws(() => lab.dataplane.apply({ ...wrong, policy }), /invalid-desired|unequal numbers/);
  });
});
