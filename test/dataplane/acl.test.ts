// ACLs: first match on addresses before NAT, verdicts of packets and of flows, what replies need. Every packet goes twice: verdicts are cached.
import assert from "node:assert/strict";
import type { DataplaneAclRule, DataplaneDesired, DataplaneTranslation } from "../../dataplane/desired.ts";
import { fixture } from "./support/fixture.ts";
import { icmp, icmpPacket, innerPacket, NatLab, routeTo, tcpFlag } from "./support/nat.ts";
import { ipv4 } from "./support/packet.ts";

type Default = "deny" | "deny-unless-exposed";

function rule(from: "a" | "b", action: "allow" | "deny", fields: Partial<DataplaneAclRule> = {}): DataplaneAclRule {
  return { from, action, src: [], dst: [], scope: "packet", ...fields };
}

function desired(
  whatElse: Default,
  rules: readonly DataplaneAclRule[],
  translated: { a?: readonly DataplaneTranslation[]; b?: readonly DataplaneTranslation[] } = {},
): DataplaneDesired {
  const side = (vpc: "a" | "b", prefix: string) => {
    const blocks = translated[vpc];
    return {
      vpc,
      default: false,
      ...(blocks === undefined ? { prefixes: [prefix] } : { prefixes: [], translated: blocks }),
    };
  };
  return {
    ...fixture(),
    flowTableCapacity: 1024,
    policy: {
      ...fixture().policy,
      peerings: [
        { id: "a--b", sides: [side("a", "10.1.0.0/16"), side("b", "10.2.0.0/16")], acl: { default: whatElse, rules } },
      ],
    },
    routes: (["a", "b"] as const).map((vpc) => routeTo(vpc, "10.0.0.0/8")),
  };
}

const { syn, ack, fin } = tcpFlag;

describe("ACLs", () => {
  let lab: NatLab;
  const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n);
  const tcp = (from: string, to: string, flags: number = syn) => innerPacket({ proto: "tcp", from, to, flags });
  const udp = (from: string, to: string) => innerPacket({ proto: "udp", from, to });
  const ping = (from: string, to: string, type = 8) => icmpPacket(from, to, icmp(type, 0, 0x00070001, Buffer.alloc(8)));
  const allowed = (vpc: "a" | "b", packet: Buffer) => {
    for (const _ of ["first", "cached"]) lab.forward(vpc, packet);
  };
  const denied = (vpc: "a" | "b", packet: Buffer) => {
    for (const _ of ["first", "cached"]) assert.deepEqual(lab.dropped(vpc, packet), { denied: 1 });
  };

  before(() => {
    lab = new NatLab();
  });

  afterEach(() => {
    for (const hours of [20, 40, 60]) lab.dataplane.age(nowMs() + hours * 3_600_000);
    assert.equal(lab.dataplane.age().flows, 0);
  });

  after(() => lab?.close());

  describe("packet by packet", () => {
    it("deny by default, nothing but what a rule allows", () => {
      lab.dataplane.apply(
        desired("deny", [
          rule("a", "allow", { dst: [{ prefixes: ["10.2.1.0/24"], ports: { first: 80, last: 81 } }], protocols: [6] }),
        ]),
      );
      allowed("a", tcp("10.1.0.1:4000", "10.2.1.9:80"));
      allowed("a", tcp("10.1.0.1:4000", "10.2.1.9:81"));
      for (const packet of [
        tcp("10.1.0.1:4000", "10.2.1.9:79"),
        tcp("10.1.0.1:4000", "10.2.1.9:82"),
        tcp("10.1.0.1:80", "10.2.2.9:80"),
        udp("10.1.0.1:4000", "10.2.1.9:80"),
        ping("10.1.0.1", "10.2.1.9"),
      ])
        denied("a", packet);
      denied("b", tcp("10.2.1.9:80", "10.1.0.1:4000", syn | ack));
      assert.equal(lab.dataplane.age().flows, 0, "packet-scope rules make no flows");
    });

    it("allow by default, but what a rule denies", () => {
      lab.dataplane.apply(
        desired("deny-unless-exposed", [rule("a", "deny", { protocols: [17], src: [{ prefixes: ["10.1.7.0/24"] }] })]),
      );
      denied("a", udp("10.1.7.1:1", "10.2.0.1:2"));
      allowed("a", tcp("10.1.7.1:1", "10.2.0.1:2"));
      allowed("a", udp("10.1.8.1:1", "10.2.0.1:2"));
      allowed("b", udp("10.2.0.1:2", "10.1.7.1:1"));
      assert.deepEqual(
        lab.dropped("a", udp("10.1.7.1:1", "10.9.0.1:2")),
        { "no-destination": 1 },
        "an ACL exposes nothing",
      );
    });

    it("the first match decides", () => {
      const narrow = rule("a", "deny", { src: [{ prefixes: ["10.1.7.0/24"] }] });
      const wide = rule("a", "allow", { src: [{ prefixes: ["10.1.0.0/16"] }] });
      lab.dataplane.apply(desired("deny", [narrow, wide]));
      denied("a", udp("10.1.7.1:1", "10.2.0.1:2"));
      allowed("a", udp("10.1.8.1:1", "10.2.0.1:2"));
      lab.dataplane.apply(desired("deny", [wide, narrow]));
      allowed("a", udp("10.1.7.1:1", "10.2.0.1:2"));
    });

    it("lists of sources and destinations, each with its ports", () => {
      const lists = {
        src: [{ prefixes: ["10.1.1.0/24"], ports: { first: 1000, last: 1999 } }, { prefixes: ["10.1.2.0/24"] }],
        dst: [{ ports: { first: 53, last: 53 } }, { prefixes: ["10.2.9.0/24"], ports: { first: 123, last: 123 } }],
      };
      lab.dataplane.apply(desired("deny", [rule("a", "allow", lists)]));
      for (const packet of [udp, tcp]) {
        allowed("a", packet("10.1.1.1:1000", "10.2.0.1:53"));
        allowed("a", packet("10.1.1.1:1999", "10.2.9.1:123"));
        allowed("a", packet("10.1.2.1:7", "10.2.9.1:123"));
        denied("a", packet("10.1.1.1:2000", "10.2.0.1:53"));
        denied("a", packet("10.1.2.1:7", "10.2.8.1:123"));
        denied("a", packet("10.1.3.1:1000", "10.2.0.1:53"));
      }
    });

    it("protocol numbers; ports never match ICMP", () => {
      const esp = (protocol: number) =>
        ipv4({ source: "10.1.0.1", destination: "10.2.0.1", protocol }, Buffer.alloc(16, 1));
      lab.dataplane.apply(
        desired("deny", [
          rule("a", "allow", { protocols: [50] }),
          rule("a", "allow", { dst: [{ ports: { first: 0, last: 65535 } }] }),
        ]),
      );
      allowed("a", esp(50));
      denied("a", esp(51));
      denied("a", ping("10.1.0.1", "10.2.0.1"));
      lab.dataplane.apply(desired("deny", [rule("a", "allow", { protocols: [1] })]));
      allowed("a", ping("10.1.0.1", "10.2.0.1"));
    });

    it("fragments: a rule with ports does not let them through, and does not let them pass it", () => {
      const fragment = ipv4(
        { source: "10.1.0.1", destination: "10.2.0.1", protocol: 17, fragment: 0x10 },
        Buffer.alloc(16, 1),
      );
      const ports = { dst: [{ ports: { first: 53, last: 53 } }], protocols: [17] };
      lab.dataplane.apply(desired("deny", [rule("a", "allow", ports)]));
      denied("a", fragment);
      lab.dataplane.apply(desired("deny-unless-exposed", [rule("a", "deny", ports)]));
      denied("a", fragment);
      lab.dataplane.apply(desired("deny", [rule("a", "allow", { protocols: [17] })]));
      allowed("a", fragment);
    });

    it("sees addresses before NAT: private ones of the source, advertised ones of the destination", () => {
      const translated = {
        a: [{ prefixes: ["10.1.0.0/24"], nat: { kind: "static" as const, public: ["192.0.2.0/24"] } }],
        b: [{ prefixes: ["10.2.0.0/24"], nat: { kind: "static" as const, public: ["203.0.113.0/24"] } }],
      };
      const before = { src: [{ prefixes: ["10.1.0.0/25"] }], dst: [{ prefixes: ["203.0.113.0/24"] }] };
      const after = { src: [{ prefixes: ["192.0.2.0/24"] }], dst: [{ prefixes: ["10.2.0.0/24"] }] };
      lab.dataplane.apply(desired("deny", [rule("a", "deny", after), rule("a", "allow", before)], translated));
      allowed("a", udp("10.1.0.1:1", "203.0.113.9:2"));
      denied("a", udp("10.1.0.129:1", "203.0.113.9:2"));
      assert.equal(lab.forward("a", udp("10.1.0.1:1", "203.0.113.9:2")).to, "10.2.0.9:2");
    });

    it("1000 rules, the last of which matches", () => {
      const rules = Array.from({ length: 999 }, (_, index) =>
        rule("a", "deny", { dst: [{ ports: { first: index + 1, last: index + 1 } }] }),
      );
      lab.dataplane.apply(
        desired("deny", [...rules, rule("a", "allow", { dst: [{ ports: { first: 1000, last: 1000 } }] })]),
      );
      allowed("a", udp("10.1.0.1:1", "10.2.0.1:1000"));
      denied("a", udp("10.1.0.1:1", "10.2.0.1:999"));
      denied("a", udp("10.1.0.1:1", "10.2.0.1:1001"));
    });

    it("an ACL without effect costs nothing: no rules, allowed by default", () => {
      lab.dataplane.apply(desired("deny-unless-exposed", [rule("a", "allow", { scope: "flow" })]));
      allowed("a", udp("10.1.0.1:1", "10.2.0.1:1000"));
      allowed("b", udp("10.2.0.1:1", "10.1.0.1:1000"));
      assert.equal(lab.dataplane.age().flows, 0);
    });
  });

  describe("by flow", () => {
    const web = rule("a", "allow", { dst: [{ ports: { first: 80, last: 80 } }], protocols: [6], scope: "flow" });
    const there = (flags: number = syn) => tcp("10.1.0.1:4000", "10.2.0.9:80", flags);
    const back = (flags: number = syn | ack) => tcp("10.2.0.9:80", "10.1.0.1:4000", flags);

    it("a reply is let through, also after it was refused before the flow began", () => {
      lab.dataplane.apply(desired("deny", [web]));
      denied("b", back());
      allowed("a", there());
      allowed("b", back());
      assert.equal(lab.dataplane.age().flows, 1);
      denied("b", tcp("10.2.0.9:80", "10.1.0.1:4001", syn | ack));
      denied("b", tcp("10.2.0.9:81", "10.1.0.1:4000", syn | ack));
      lab.dataplane.age(nowMs() + 8 * 3_600_000);
      denied("b", back());
    });

    it("a rule that denies a reply denies it", () => {
      lab.dataplane.apply(desired("deny", [web, rule("b", "deny", { src: [{ prefixes: ["10.2.0.9/32"] }] })]));
      allowed("a", there());
      denied("b", back());
      allowed("a", tcp("10.1.0.1:4000", "10.2.0.8:80"));
      allowed("b", tcp("10.2.0.8:80", "10.1.0.1:4000", syn | ack));
    });

    it("queries and errors belong to flows too", () => {
      lab.dataplane.apply(desired("deny", [rule("a", "allow", { scope: "flow" })]));
      denied("b", ping("10.2.0.9", "10.1.0.1", 0));
      allowed("a", ping("10.1.0.1", "10.2.0.9"));
      allowed("b", ping("10.2.0.9", "10.1.0.1", 0));
      denied("b", ping("10.2.0.9", "10.1.0.1"));
      const error = (quoted: Buffer) => icmpPacket("10.2.0.77", "10.1.0.1", icmp(11, 0, 0, quoted));
      denied("b", error(there()));
      allowed("a", there());
      allowed("b", error(there()));
      const other = ipv4({ source: "10.1.0.1", destination: "10.2.0.1", protocol: 50 }, Buffer.alloc(16, 1));
      allowed("a", other);
    });

    it("a change that forbids a flow ends it, one that does not does not", () => {
      lab.dataplane.apply(desired("deny", [web]));
      allowed("a", there());
      allowed("b", back());
      lab.dataplane.apply(desired("deny", [rule("a", "deny", { src: [{ prefixes: ["10.1.0.2/32"] }] }), web]));
      allowed("b", back(ack));
      lab.dataplane.apply(desired("deny", [rule("a", "deny", { src: [{ prefixes: ["10.1.0.1/32"] }] }), web]));
      denied("b", back(ack));
      denied("a", there(ack));
      assert.equal(lab.dataplane.age().flows, 0);
    });

    it("beside rules for packets: only what a flow rule lets through makes flows", () => {
      lab.dataplane.apply(desired("deny", [web, rule("a", "allow", { protocols: [17] })]));
      allowed("a", udp("10.1.0.1:1", "10.2.0.1:2"));
      denied("b", udp("10.2.0.1:2", "10.1.0.1:1"));
      assert.equal(lab.dataplane.age().flows, 0);
      assert.deepEqual(lab.dropped("a", there(fin | ack)), { "no-flow": 1 }, "closes what was never opened");
    });

    it("with masquerade: rules see private addresses, and what they deny takes no port", () => {
      const translated = {
        a: [{ prefixes: ["10.1.0.0/16"], nat: { kind: "masquerade" as const, public: ["192.0.2.1/32"] } }],
      };
      const rules = [
        rule("a", "deny", { src: [{ prefixes: ["10.1.7.0/24"] }] }),
        rule("a", "allow", { dst: [{ ports: { first: 80, last: 80 } }] }),
      ];
      lab.dataplane.apply(desired("deny", rules, translated));
      denied("a", tcp("10.1.7.1:4000", "10.2.0.9:80"));
      denied("a", tcp("10.1.0.1:4000", "10.2.0.9:81"));
      assert.equal(lab.dataplane.age().mappings, 0);
      allowed("a", there());
      allowed("b", tcp("10.2.0.9:80", "192.0.2.1:4000", syn | ack));
      lab.dataplane.apply(
        desired("deny", [...rules, rule("b", "deny", { dst: [{ prefixes: ["192.0.2.1/32"] }] })], translated),
      );
      denied("b", tcp("10.2.0.9:80", "192.0.2.1:4000", ack));
      allowed("a", there(ack));
    });
  });

  it("refuses ports with a protocol that has none, and numbers that are no protocol", () => {
    for (const fields of [{ protocols: [1], dst: [{ ports: { first: 1, last: 1 } }] }, { protocols: [256] }])
      assert.throws(() => lab.dataplane.apply(desired("deny", [rule("a", "allow", fields)])), {
        code: "invalid-desired",
      });
  });
});
