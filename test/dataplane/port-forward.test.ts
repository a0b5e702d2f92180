// Port forwarding: ranges, protocols, whole prefixes; sharing an address with masquerade; and NAT that keeps state on both sides at once.
import assert from "node:assert/strict";
import type { DataplaneDesired, DataplaneTranslation, ForwardedPorts } from "../../dataplane/desired.ts";
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

type Sides = { readonly a: readonly DataplaneTranslation[]; readonly b: readonly DataplaneTranslation[] | "plain" };

function forward(
  inside: string,
  outside: string,
  ports: readonly ForwardedPorts[],
  idleTimeoutMs?: number,
): DataplaneTranslation {
  const idle =
    idleTimeoutMs === undefined
      ? {}
      : { timeouts: { tcpEstablishedMs: idleTimeoutMs, udpMs: idleTimeoutMs, icmpMs: idleTimeoutMs } };
  return { prefixes: [inside], nat: { kind: "port-forward", public: [outside], rules: ports, ...idle } };
}

function masquerade(inside: string, outside: string): DataplaneTranslation {
  return { prefixes: [inside], nat: { kind: "masquerade", public: [outside] } };
}

const web: ForwardedPorts = {
  protocols: ["tcp"],
  private: { first: 8080, last: 8080 },
  public: { first: 80, last: 80 },
};
const range: ForwardedPorts = {
  protocols: ["udp"],
  private: { first: 7000, last: 7099 },
  public: { first: 5000, last: 5099 },
};
const both: ForwardedPorts = {
  protocols: ["tcp", "udp"],
  private: { first: 53, last: 53 },
  public: { first: 53, last: 53 },
};

function desired({ a, b }: Sides, slice?: { index: number; count: number }): DataplaneDesired {
  const side = (vpc: string, translated: readonly DataplaneTranslation[] | "plain") => ({
    vpc,
    default: false,
    ...(translated === "plain" ? { prefixes: ["10.2.0.0/16"] } : { prefixes: [], translated }),
  });
  return {
    ...fixture(),
    flowTableCapacity: 1024,
    policy: {
      ...fixture().policy,
      peerings: [
        { id: "a--b", sides: [side("a", a), side("b", b)], ...(slice === undefined ? {} : { portSlice: slice }) },
      ],
    },
    routes: (["a", "b"] as const).map((vpc) => routeTo(vpc, "10.0.0.0/8")),
  };
}

const { syn, ack } = tcpFlag;

describe("port forwarding", () => {
  let lab: NatLab;
  const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n);
  const send = (vpc: "a" | "b", proto: "tcp" | "udp", from: string, to: string, flags: number = syn) => {
    const { vni: number, from: newFrom, to: newTo } = lab.forward(vpc, innerPacket({ proto, from, to, flags }));
    return `${number === vni.a ? "a" : "b"} ${newFrom} ${newTo}`;
  };
  const refused = (vpc: "a" | "b", proto: "tcp" | "udp", from: string, to: string) =>
    Object.keys(lab.dropped(vpc, innerPacket({ proto, from, to, flags: syn }))).join();

  before(() => {
    lab = new NatLab();
  });

  afterEach(() => {
    for (const hours of [20, 40, 60]) lab.dataplane.age(nowMs() + hours * 3_600_000);
    const { flows, mappings } = lab.dataplane.age();
    assert.deepEqual([flows, mappings], [0, 0], "nothing is left behind");
  });

  after(() => lab?.close());

  describe("towards hosts of a", () => {
    beforeEach(() => {
      lab.dataplane.apply(
        desired({
          a: [
            forward("10.1.0.5/32", "192.0.2.5/32", [web, range, both]),
            forward("10.1.0.6/32", "192.0.2.5/32", [
              { protocols: ["tcp"], private: { first: 22, last: 22 }, public: { first: 2222, last: 2222 } },
            ]),
            forward("10.1.1.0/24", "198.51.100.0/24", [web]),
          ],
          b: "plain",
        }),
      );
    });

    const rows: ["tcp" | "udp", string, string][] = [
      ["tcp", "192.0.2.5:80", "10.1.0.5:8080"],
      ["udp", "192.0.2.5:5000", "10.1.0.5:7000"],
      ["udp", "192.0.2.5:5099", "10.1.0.5:7099"],
      ["udp", "192.0.2.5:5031", "10.1.0.5:7031"],
      ["udp", "192.0.2.5:53", "10.1.0.5:53"],
      ["tcp", "192.0.2.5:53", "10.1.0.5:53"],
      ["tcp", "192.0.2.5:2222", "10.1.0.6:22"],
      ["tcp", "198.51.100.0:80", "10.1.1.0:8080"],
      ["tcp", "198.51.100.255:80", "10.1.1.255:8080"],
    ];
    for (const [proto, outside, inside] of rows) {
      it(`${proto} ${outside} → ${inside}, and back`, () => {
        for (const _ of ["first", "established"]) {
          assert.equal(send("b", proto, "10.2.0.9:4000", outside), `a 10.2.0.9:4000 ${inside}`);
          assert.equal(send("a", proto, inside, "10.2.0.9:4000", syn | ack), `b ${outside} 10.2.0.9:4000`);
        }
      });
    }

    const refusals: ["a" | "b", "tcp" | "udp", string, string, string][] = [
      ["b", "udp", "10.2.0.9:4000", "192.0.2.5:80", "port-not-forwarded"],
      ["b", "tcp", "10.2.0.9:4000", "192.0.2.5:5000", "port-not-forwarded"],
      ["b", "udp", "10.2.0.9:4000", "192.0.2.5:4999", "port-not-forwarded"],
      ["b", "udp", "10.2.0.9:4000", "192.0.2.5:5100", "port-not-forwarded"],
      ["b", "tcp", "10.2.0.9:4000", "198.51.100.7:53", "port-not-forwarded"],
      ["b", "tcp", "10.2.0.9:4000", "10.1.0.5:8080", "no-destination"],
      ["a", "tcp", "10.1.0.5:8080", "10.2.0.9:4000", "no-flow"],
      ["a", "tcp", "10.1.0.5:4000", "10.2.0.9:80", "no-flow"],
      ["a", "tcp", "10.1.0.7:4000", "10.2.0.9:80", "source-not-exposed"],
    ];
    for (const [vpc, proto, from, to, reason] of refusals) {
      it(`drops (${reason}): ${vpc} ${proto} ${from} → ${to}`, () =>
        assert.equal(refused(vpc, proto, from, to), reason));
    }

    it("drops a query to an address of which only ports are forwarded", () => {
      const query = icmpPacket("10.2.0.9", "192.0.2.5", icmp(8, 0, 1, Buffer.alloc(8)));
      assert.deepEqual(lab.dropped("b", query), { "port-not-forwarded": 1 });
    });

    it("translates errors about forwarded packets, from the host inside and from a router", () => {
      const arrived = lab.forward(
        "b",
        innerPacket({ proto: "udp", from: "10.2.0.9:4000", to: "192.0.2.5:5031" }),
      ).inner;
      for (const reporter of ["10.1.0.5", "172.16.0.1"]) {
        const error = lab.forward("a", icmpPacket(reporter, "10.2.0.9", icmp(3, 3, 0, arrived)));
        assert.deepEqual([error.from, error.to], ["192.0.2.5:0", "10.2.0.9:0"]);
        assert.deepEqual(addressesOf(quotedBy(error.inner), true), { from: "10.2.0.9:4000", to: "192.0.2.5:5031" });
      }
    });

    it("ends flows whose port is no longer forwarded, or forwarded elsewhere, and keeps the others", () => {
      send("b", "tcp", "10.2.0.9:4000", "192.0.2.5:80");
      send("b", "tcp", "10.2.0.9:4001", "192.0.2.5:2222");
      send("b", "udp", "10.2.0.9:4002", "192.0.2.5:5031");
      const moved: ForwardedPorts = {
        protocols: ["tcp"],
        private: { first: 23, last: 23 },
        public: { first: 2222, last: 2222 },
      };
      lab.dataplane.apply(desired({ a: [forward("10.1.0.5/32", "192.0.2.5/32", [range, moved])], b: "plain" }));
      assert.equal(refused("a", "tcp", "10.1.0.5:8080", "10.2.0.9:4000"), "no-flow");
      assert.equal(send("b", "tcp", "10.2.0.9:4001", "192.0.2.5:2222"), "a 10.2.0.9:4001 10.1.0.5:23");
      assert.equal(send("a", "udp", "10.1.0.5:7031", "10.2.0.9:4002"), "b 192.0.2.5:5031 10.2.0.9:4002");
    });

    it("idleTimeout is that of the block", () => {
      const blocks = [
        forward("10.1.0.5/32", "192.0.2.5/32", [range], 20_000),
        forward("10.1.0.6/32", "192.0.2.6/32", [range]),
      ];
      lab.dataplane.apply(desired({ a: blocks, b: "plain" }));
      send("b", "udp", "10.2.0.9:4000", "192.0.2.5:5000");
      send("b", "udp", "10.2.0.9:4000", "192.0.2.6:5000");
      assert.equal(lab.dataplane.age(nowMs() + 22_000).ended, 1);
      assert.equal(lab.dataplane.age(nowMs() + 302_000).ended, 1);
    });
  });

  describe("beside masquerade", () => {
    const shared = [
      masquerade("10.1.0.0/16", "192.0.2.5/32"),
      forward("10.1.0.5/32", "192.0.2.5/32", [
        web,
        { protocols: ["tcp", "udp"], private: { first: 1024, last: 1100 }, public: { first: 1024, last: 1100 } },
      ]),
    ];

    beforeEach(() => {
      lab.dataplane.apply(desired({ a: shared, b: "plain" }));
    });

    it("the host inside may begin flows too, and is reached on its port", () => {
      assert.equal(send("a", "tcp", "10.1.0.5:4000", "10.2.0.9:80"), "b 192.0.2.5:4000 10.2.0.9:80");
      assert.equal(send("b", "tcp", "10.2.0.9:80", "192.0.2.5:4000", syn | ack), "a 10.2.0.9:80 10.1.0.5:4000");
      assert.equal(send("b", "tcp", "10.2.0.9:5000", "192.0.2.5:80"), "a 10.2.0.9:5000 10.1.0.5:8080");
      assert.equal(send("a", "tcp", "10.1.0.5:8080", "10.2.0.9:5000", syn | ack), "b 192.0.2.5:80 10.2.0.9:5000");
    });

    it("forwarded ports are never given out", () => {
      // The slice is 1024–1276, and 1024–1100 are forwarded: 176 are left for 200 hosts.
      lab.dataplane.apply(desired({ a: shared, b: "plain" }, { index: 0, count: 255 }));
      const given = new Set<number>();
      for (let host = 0; host < 200; host++) {
        const packet = innerPacket({ proto: "tcp", from: `10.1.9.${host}:1050`, to: "10.2.0.9:80", flags: syn });
        if (lab.dataplane.testRun(arriving("a", packet)).verdict === "redirect")
          given.add(Number(lab.forward("a", packet).from.split(":")[1]));
      }
      assert.deepEqual(
        [...given].filter((port) => port <= 1100 || port > 1276),
        [],
      );
      assert.ok(given.size > 160 && given.size <= 176, `${given.size} ports`);
    });

    it("ports that are forwarded from now on end the flows that have them", () => {
      assert.equal(send("a", "tcp", "10.1.0.7:4000", "10.2.0.9:80"), "b 192.0.2.5:4000 10.2.0.9:80");
      const [pool, block] = shared as [DataplaneTranslation, DataplaneTranslation];
      const more = forward("10.1.0.5/32", "192.0.2.5/32", [
        web,
        { protocols: ["tcp"], private: { first: 4000, last: 4000 }, public: { first: 4000, last: 4000 } },
      ]);
      lab.dataplane.apply(desired({ a: [pool, more], b: "plain" }));
      assert.notEqual(send("a", "tcp", "10.1.0.7:4000", "10.2.0.9:80"), "b 192.0.2.5:4000 10.2.0.9:80");
      assert.equal(send("b", "tcp", "10.2.0.9:80", "192.0.2.5:4000"), "a 10.2.0.9:80 10.1.0.5:4000");
      lab.dataplane.apply(desired({ a: [pool, block], b: "plain" }));
    });

    it("a reply that would look like a flow that is there is refused", () => {
      // 10.1.0.5:8080 talks to 10.2.0.9:5000 already; forwarded, 10.2.0.9:5000's answers would look the same.
      assert.equal(send("a", "tcp", "10.1.0.5:8080", "10.2.0.9:5000"), "b 192.0.2.5:8080 10.2.0.9:5000");
      assert.equal(refused("b", "tcp", "10.2.0.9:5000", "192.0.2.5:80"), "flow-conflict");
      assert.equal(send("b", "tcp", "10.2.0.9:5000", "192.0.2.5:8080", syn | ack), "a 10.2.0.9:5000 10.1.0.5:8080");
    });

    it("a pool wider than the forwarded address, and one within a forwarded prefix", () => {
      for (const blocks of [
        [masquerade("10.1.0.0/16", "192.0.2.4/30"), forward("10.1.0.5/32", "192.0.2.5/32", [web])],
        [masquerade("10.1.0.0/16", "192.0.2.5/32"), forward("10.1.0.4/30", "192.0.2.4/30", [web])],
      ]) {
        lab.dataplane.apply(desired({ a: blocks, b: "plain" }));
        assert.equal(send("a", "tcp", "10.1.0.1:4000", "10.2.0.9:80"), "b 192.0.2.5:4000 10.2.0.9:80");
        assert.equal(send("b", "tcp", "10.2.0.9:80", "192.0.2.5:4000", syn | ack), "a 10.2.0.9:80 10.1.0.1:4000");
        assert.equal(send("b", "tcp", "10.2.0.9:5001", "192.0.2.5:80"), "a 10.2.0.9:5001 10.1.0.5:8080");
        lab.dataplane.apply(desired({ a: blocks.map((block) => ({ ...block })), b: "plain" }));
        assert.equal(send("a", "tcp", "10.1.0.1:4000", "10.2.0.9:80"), "b 192.0.2.5:4000 10.2.0.9:80");
      }
    });
  });

  describe("on both sides at once", () => {
    it("masquerade towards forwarded ports: both ends are translated, errors too", () => {
      lab.dataplane.apply(
        desired({
          a: [masquerade("10.1.0.0/16", "192.0.2.5/32")],
          b: [forward("10.2.0.9/32", "203.0.113.9/32", [web])],
        }),
      );
      for (const _ of ["first", "established"]) {
        assert.equal(send("a", "tcp", "10.1.0.1:4000", "203.0.113.9:80"), "b 192.0.2.5:4000 10.2.0.9:8080");
        assert.equal(send("b", "tcp", "10.2.0.9:8080", "192.0.2.5:4000", syn | ack), "a 203.0.113.9:80 10.1.0.1:4000");
      }
      const quoted = innerPacket({ proto: "tcp", from: "192.0.2.5:4000", to: "10.2.0.9:8080", flags: syn });
      const error = lab.forward("b", icmpPacket("172.16.0.9", "192.0.2.5", icmp(3, 1, 0, quoted)));
      assert.deepEqual([error.from, error.to], ["203.0.113.9:0", "10.1.0.1:0"]);
      assert.deepEqual(addressesOf(quotedBy(error.inner), true), { from: "10.1.0.1:4000", to: "203.0.113.9:80" });
      assert.equal(refused("a", "tcp", "10.1.0.1:4000", "203.0.113.9:81"), "port-not-forwarded");
      assert.equal(refused("b", "tcp", "10.2.0.9:1", "192.0.2.5:4001"), "no-flow");
    });

    it("masquerade and forwarding on both sides: each may begin", () => {
      const side = (inside: string, host: string, outside: string) => [
        masquerade(inside, outside),
        forward(host, outside, [web]),
      ];
      lab.dataplane.apply(
        desired({
          a: side("10.1.0.0/16", "10.1.0.5/32", "192.0.2.5/32"),
          b: side("10.2.0.0/16", "10.2.0.9/32", "203.0.113.9/32"),
        }),
      );
      assert.equal(send("a", "tcp", "10.1.0.1:4000", "203.0.113.9:80"), "b 192.0.2.5:4000 10.2.0.9:8080");
      assert.equal(send("b", "tcp", "10.2.0.9:8080", "192.0.2.5:4000", syn | ack), "a 203.0.113.9:80 10.1.0.1:4000");
      assert.equal(send("b", "tcp", "10.2.0.1:4000", "192.0.2.5:80"), "a 203.0.113.9:4000 10.1.0.5:8080");
      assert.equal(send("a", "tcp", "10.1.0.5:8080", "203.0.113.9:4000", syn | ack), "b 192.0.2.5:80 10.2.0.1:4000");
      const blocks = side("10.1.0.0/16", "10.1.0.5/32", "192.0.2.5/32");
      lab.dataplane.apply(
        desired({ a: [...blocks].reverse(), b: side("10.2.0.0/16", "10.2.0.9/32", "203.0.113.9/32") }),
      );
      assert.equal(
        send("a", "tcp", "10.1.0.5:8080", "203.0.113.9:4000", ack),
        "b 192.0.2.5:80 10.2.0.1:4000",
        "lives on",
      );
      assert.equal(lab.dataplane.age().flows, 2);
    });

    it("masquerade on both sides alone lets nobody begin", () => {
      lab.dataplane.apply(
        desired({ a: [masquerade("10.1.0.0/16", "192.0.2.5/32")], b: [masquerade("10.2.0.0/16", "203.0.113.9/32")] }),
      );
      assert.equal(refused("a", "tcp", "10.1.0.1:4000", "203.0.113.9:80"), "no-flow");
      assert.equal(refused("b", "tcp", "10.2.0.1:4000", "192.0.2.5:80"), "no-flow");
    });

    it("forwarded ports towards static NAT", () => {
      const fixed: DataplaneTranslation = {
        prefixes: ["10.2.0.0/24"],
        nat: { kind: "static", public: ["203.0.113.0/24"] },
      };
      lab.dataplane.apply(desired({ a: [forward("10.1.0.5/32", "192.0.2.5/32", [web])], b: [fixed] }));
      assert.equal(send("b", "tcp", "10.2.0.7:4000", "192.0.2.5:80"), "a 203.0.113.7:4000 10.1.0.5:8080");
      assert.equal(send("a", "tcp", "10.1.0.5:8080", "203.0.113.7:4000", syn | ack), "b 192.0.2.5:80 10.2.0.7:4000");
    });
  });

  const wrong: [string, DataplaneTranslation, RegExp][] = [
    ["prefixes of unequal length", forward("10.1.0.0/24", "192.0.2.5/32", [web]), /not from one prefix/],
    [
      "unequal numbers of ports",
      forward("10.1.0.5/32", "192.0.2.5/32", [{ ...web, public: { first: 80, last: 81 } }]),
      /2 public ports and 1 private/,
    ],
    [
      "port 0",
      forward("10.1.0.5/32", "192.0.2.5/32", [{ ...web, public: { first: 0, last: 0 } }]),
      /not within 1–65535/,
    ],
    [
      "ports the wrong way round",
      forward("10.1.0.5/32", "192.0.2.5/32", [{ ...web, public: { first: 81, last: 80 } }]),
      /not within 1–65535/,
    ],
  ];
  for (const [description, block, message] of wrong) {
    it(`refuses ${description}`, () =>
      assert.throws(() => lab.dataplane.apply(desired({ a: [block], b: "plain" })), message));
  }
});
