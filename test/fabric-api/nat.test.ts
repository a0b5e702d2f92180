// NAT: what is accepted, what is found and where, and what the fabric says of it.

import assert from "node:assert/strict";
import { type Expose, formatDiagnostic, loadFabric } from "../../fabric-api/index.ts";
import { BASE, peering, stream } from "./streams.ts";
import { testTable } from "./table.ts";

const TWO = "[{ips: [{cidr: 10.2.0.0/24}]}]";
const AT = "spec.peering.vpc-1.expose[0]";
const PORTS = `${AT}.nat.portForward.ports`;

function exposing(expose: string): string {
  return peering("p", { "vpc-1": expose, "vpc-2": TWO });
}

function block(ips: string, as: string, nat: string): string {
  return `{ips: [${ips}], as: [${as}], nat: {${nat}}}`;
}

function forwarding(ports: string, ips = "{cidr: 10.1.0.5/32}", as = "{cidr: 192.168.0.1/32}"): string {
  return block(ips, as, `portForward: {ports: [${ports}]}`);
}

testTable("as", [
  {
    is: "may exclude",
    yaml: exposing(
      `[${block("{cidr: 10.1.0.0/25}, {not: 10.1.0.0/26}", "{cidr: 192.168.0.0/25}, {not: 192.168.0.64/26}", "static: {}")}]`,
    ),
    finds: [],
  },
  {
    is: "need not be in the VPC",
    yaml: exposing(`[${block("{cidr: 10.1.0.0/24}", "{cidr: 10.2.0.0/24}", "static: {}")}]`),
    finds: [],
  },
  {
    is: "has no vpcSubnet",
    yaml: exposing(`[${block("{cidr: 10.1.0.0/24}", "{»vpcSubnet: default}", "static: {}")}]`),
    finds: [`FG0201 ${AT}.as[0].vpcSubnet`],
  },
  {
    is: "has one meaning an entry",
    yaml: exposing(
      `[${block("{cidr: 10.1.0.0/24}", "»{cidr: 192.168.0.0/24, not: 192.168.1.0/24}", "masquerade: {}")}]`,
    ),
    finds: [`FG0603 ${AT}.as[0]`],
  },
  {
    is: "includes something",
    yaml: exposing("[{ips: [{cidr: 10.1.0.0/24}], »as: [{not: 192.168.0.0/24}], nat: {masquerade: {}}}]"),
    finds: [`FG0604 ${AT}.as`],
  },
  {
    is: "is not excluded whole",
    yaml: exposing(
      "[{ips: [{cidr: 10.1.0.0/24}], as: »[{cidr: 192.168.0.0/24}, {not: 192.168.0.0/16}], nat: {masquerade: {}}}]",
    ),
    finds: [`FG0608 ${AT}.as`],
  },
  {
    is: "is routable",
    yaml: exposing(`[${block("{cidr: 10.1.0.0/24}", "{cidr: »169.254.0.0/24}", "static: {}")}]`),
    finds: [`FG0609 ${AT}.as[0].cidr`],
  },
  {
    is: "is not everything, even of an external",
    yaml: peering("p", {
      "ext.inet": `[${block("{cidr: 8.8.8.0/24}", "{cidr: »0.0.0.0/0}", "masquerade: {}")}]`,
      "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]",
    }),
    finds: ['FG0609 spec.peering["ext.inet"].expose[0].as[0].cidr'],
  },
  {
    is: "has no host bits",
    yaml: exposing(`[${block("{cidr: 10.1.0.0/24}", "{cidr: »192.168.0.1/24}", "static: {}")}]`),
    finds: [`FG0406 ${AT}.as[0].cidr`],
  },
  {
    is: "has the family of ips",
    yaml: exposing(`[${block("{cidr: 10.1.0.0/24}", '{cidr: »"2001:db8:f::/120"}', "static: {}")}]`),
    finds: [`FG0611 ${AT}.as[0].cidr`],
  },
  {
    is: "has one family",
    yaml: exposing(
      `[${block("{cidr: 10.1.0.0/24}", '{cidr: 192.168.0.0/24}, {not: »"2001:db8:f::/120"}', "static: {}")}]`,
    ),
    finds: [`FG0611 ${AT}.as[1].not`],
  },
  {
    is: "is all that the receiving VPC sees",
    yaml: stream(
      peering("p", {
        "vpc-1": `[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/24}", "static: {}")}]`,
        "vpc-2": TWO,
      }),
      peering("q", { "vpc-3": "[{ips: [{cidr: 10.1.0.0/16}]}]", "vpc-2": TWO }),
    ),
    finds: [],
  },
  {
    is: "does not overlap what another peer announces",
    yaml: stream(
      peering("p", { "vpc-1": `[${block("{cidr: 10.1.0.0/24}", "{cidr: 10.3.0.0/24}", "static: {}")}]`, "vpc-2": TWO }),
      peering("q", { "vpc-3": "[{ips: [{cidr: »10.3.0.0/25}]}]", "vpc-2": TWO }),
    ),
    finds: ["FG0614 spec.peering.vpc-3.expose[0].ips[0].cidr"],
    says: ["10.3.0.0/24, which vpc-1 exposes to vpc-2"],
  },
  {
    is: "does not overlap what another peer's as announces",
    yaml: stream(
      peering("p", {
        "vpc-1": `[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/24}", "static: {}")}]`,
        "vpc-2": TWO,
      }),
      peering("q", {
        "vpc-3": `[${block("{cidr: 10.3.0.0/25}", "{cidr: »192.168.0.128/25}", "static: {}")}]`,
        "vpc-2": TWO,
      }),
    ),
    finds: ["FG0614 spec.peering.vpc-3.expose[0].as[0].cidr"],
  },
]);

testTable("static NAT", [
  {
    is: "may pair lists that are cut differently",
    yaml: exposing(`[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/25}, {cidr: 192.168.9.0/25}", "static: {}")}]`),
    finds: [],
  },
  {
    is: "may be on both sides",
    yaml: peering("p", {
      "vpc-1": `[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/24}", "static: {}")}]`,
      "vpc-2": `[${block("{cidr: 10.2.0.0/24}", "{cidr: 192.168.0.0/24}", "static: {}")}]`,
    }),
    finds: [],
  },
  {
    is: "has equally many addresses on both sides",
    yaml: exposing(
      "[{ips: [{cidr: 10.1.0.0/24}, {not: 10.1.0.0/32}], as: »[{cidr: 192.168.0.0/24}], nat: {static: {}}}]",
    ),
    finds: [`FG0701 ${AT}.as`],
    says: ["ips has 255 addresses and as has 256 addresses"],
  },
  {
    is: "counts an address once",
    yaml: exposing(
      `[{ips: [{cidr: 10.1.0.0/24}], as: »[{cidr: 192.168.0.0/25}, {cidr: 192.168.0.0/25}], nat: {static: {}}}]`,
    ),
    finds: [`FG0701 ${AT}.as`],
  },
  {
    is: "counts IPv6 exactly",
    yaml: peering("p", {
      "vpc-1": '[{ips: [{vpcSubnet: six}], as: »[{cidr: "2001:db8:f::/63"}], nat: {static: {}}}]',
      "vpc-2": "[{ips: [{vpcSubnet: six}]}]",
    }),
    finds: [`FG0701 ${AT}.as`],
    says: ["18446744073709551616", "36893488147419103232"],
  },
  {
    is: "has no fields",
    yaml: exposing(`[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/24}", "static: {»idleTimeout: 1m}")}]`),
    finds: [`FG0201 ${AT}.nat.static.idleTimeout`],
  },
]);

testTable("masquerade", [
  {
    is: "may have any sizes",
    yaml: exposing(
      `[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.1/32}", "masquerade: {idleTimeout: 2m0s}")}, ${block("{cidr: 10.1.1.0/31}", "{cidr: 192.168.9.0/24}", "masquerade: {idleTimeout: 1h30m}")}]`,
    ),
    finds: [],
  },
  {
    is: "may be on both sides",
    yaml: peering("p", {
      "vpc-1": `[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.1/32}", "masquerade: {}")}]`,
      "vpc-2": `[${forwarding('{port: "1", as: "2"}', "{cidr: 10.2.0.5/32}")}]`,
    }),
    finds: [],
  },
  {
    is: "has a pool for its hosts",
    yaml: peering("p", {
      "vpc-3": "[{ips: [{vpcSubnet: wide}], as: »[{cidr: 192.168.0.0/27}], nat: {masquerade: {}}}]",
      "vpc-2": TWO,
    }),
    finds: ["FG0706 spec.peering.vpc-3.expose[0].as"],
    says: ["32 addresses for 65536 inside hosts"],
  },
  {
    is: "has a large enough pool at 1000:1",
    yaml: peering("p", {
      "vpc-3": `[${block("{vpcSubnet: wide}", "{cidr: 192.168.0.0/26}, {cidr: 192.168.1.0/31}", "masquerade: {}")}]`,
      "vpc-2": TWO,
    }),
    finds: [],
  },
  {
    is: "has an idle time that is no negative",
    yaml: exposing(`[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.1/32}", 'masquerade: {idleTimeout: »"-1s"}')}]`),
    finds: [`FG0204 ${AT}.nat.masquerade.idleTimeout`],
  },
]);

testTable("portForward", [
  {
    is: "may forward ranges, one protocol or both",
    yaml: exposing(
      `[${forwarding('{proto: tcp, port: "80-90", as: "8080-8090"}, {proto: udp, port: "80-90", as: "8080-8090"}, {port: "22", as: "2222"}')}]`,
    ),
    finds: [],
  },
  {
    is: "may forward equally large networks",
    yaml: exposing(`[${forwarding('{port: "22", as: "22"}', "{vpcSubnet: default}", "{cidr: 192.168.0.0/24}")}]`),
    finds: [],
  },
  {
    is: "forwards something",
    yaml: exposing("[{ips: [{cidr: 10.1.0.5/32}], as: [{cidr: 192.168.0.1/32}], nat: {portForward: {ports: »[]}}}]"),
    finds: [`FG0205 ${PORTS}`],
  },
  {
    is: "has equally many ports on both sides",
    yaml: exposing(`[${forwarding('{port: "80-90", as: »"8080"}')}]`),
    finds: [`FG0702 ${PORTS}[0].as`],
    says: ["forwards 11 ports (80-90) as 1 (8080)"],
  },
  {
    is: "has a single private prefix",
    yaml: exposing(
      '[{ips: »[{cidr: 10.1.0.5/32}, {cidr: 10.1.0.6/32}], as: [{cidr: 192.168.0.0/31}], nat: {portForward: {ports: [{port: "1", as: "1"}]}}}]',
    ),
    finds: [`FG0703 ${AT}.ips`],
  },
  {
    is: "has a single public prefix",
    yaml: exposing(
      '[{ips: [{cidr: 10.1.0.4/31}], as: »[{cidr: 192.168.0.1/32}, {cidr: 192.168.0.2/32}], nat: {portForward: {ports: [{port: "1", as: "1"}]}}}]',
    ),
    finds: [`FG0703 ${AT}.as`],
  },
  {
    is: "has no exclusions",
    yaml: exposing(
      '[{ips: »[{cidr: 10.1.0.4/31}, {not: 10.1.0.5/32}], as: [{cidr: 192.168.0.1/32}], nat: {portForward: {ports: [{port: "1", as: "1"}]}}}]',
    ),
    finds: [`FG0703 ${AT}.ips`],
  },
  {
    is: "has equally many addresses on both sides",
    yaml: exposing(
      '[{ips: [{cidr: 10.1.0.4/31}], as: »[{cidr: 192.168.0.1/32}], nat: {portForward: {ports: [{port: "1", as: "1"}]}}}]',
    ),
    finds: [`FG0704 ${AT}.as`],
  },
  {
    is: "forwards a private port once",
    yaml: exposing(`[${forwarding('{proto: tcp, port: "20-30", as: "120-130"}, {port: »"25", as: "225"}')}]`),
    finds: [`FG0705 ${PORTS}[1].port`],
    says: ["tcp 25 overlaps 20-30", "privately"],
  },
  {
    is: "uses a public port once",
    yaml: exposing(`[${forwarding('{port: "25", as: »"125"}, {proto: udp, port: "20-24", as: »"123-127"}')}]`).replace(
      'as: »"125"',
      'as: "125"',
    ),
    finds: [`FG0705 ${PORTS}[1].as`],
    says: ["publicly"],
  },
  {
    is: "forwards no port twice in one block either",
    yaml: exposing(`[${forwarding('{port: "1", as: "1"}, {port: »"1", as: »"1"}')}]`),
    finds: [`FG0705 ${PORTS}[1].port`, `FG0705 ${PORTS}[1].as`],
  },
]);

testTable("blocks with NAT of one side", [
  {
    is: "may be masquerade and portForward of the same addresses",
    yaml: exposing(
      `[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/24}", "masquerade: {}")}, ${forwarding('{port: "22", as: "22"}')}]`,
    ),
    finds: [],
  },
  {
    is: "do not overlap privately",
    yaml: exposing(
      `[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/24}", "static: {}")}, ${block("{cidr: »10.1.0.0/25}", "{cidr: 192.168.9.0/24}", "masquerade: {}")}]`,
    ),
    finds: ["FG0613 spec.peering.vpc-1.expose[1].ips[0].cidr"],
  },
  {
    is: "do not overlap publicly",
    yaml: exposing(
      `[${block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/24}", "static: {}")}, ${block("{cidr: 10.1.1.0/25}", "{cidr: »192.168.0.0/25}", "static: {}")}]`,
    ),
    finds: ["FG0613 spec.peering.vpc-1.expose[1].as[0].cidr"],
  },
  {
    is: "do not overlap publicly with what is exposed as it is",
    yaml: exposing(
      `[{ips: [{cidr: 10.1.0.0/24}]}, ${block("{cidr: 10.1.1.0/24}", "{cidr: »10.1.0.0/24}", "static: {}")}]`,
    ),
    finds: ["FG0613 spec.peering.vpc-1.expose[1].as[0].cidr"],
  },
  {
    is: "are found behind a portForward that may overlap",
    yaml: exposing(
      `[${forwarding('{port: "1", as: "1"}', "{vpcSubnet: default}", "{cidr: 192.168.0.0/24}")}, ${block("{cidr: 10.1.0.0/25}", "{cidr: 192.168.0.0/32}", "masquerade: {}")}, ${block("{cidr: »10.1.0.0/26}", "{cidr: »192.168.0.0/32}", "masquerade: {}")}]`,
    ),
    finds: ["FG0613 spec.peering.vpc-1.expose[2].ips[0].cidr", "FG0613 spec.peering.vpc-1.expose[2].as[0].cidr"],
  },
  {
    is: "are not two portForwards of one address",
    yaml: exposing(
      `[${forwarding('{port: "1", as: "1"}')}, ${forwarding('{port: "2", as: "2"}', "{cidr: »10.1.0.5/32}", "{cidr: 192.168.0.2/32}")}]`,
    ),
    finds: ["FG0613 spec.peering.vpc-1.expose[1].ips[0].cidr"],
  },
]);

testTable("IPv6", [
  {
    is: "may be exposed, alone and beside IPv4, with any NAT",
    yaml: stream(
      peering("p", { "vpc-1": '[{ips: [{cidr: "2001:db8:1::/64"}]}]', "vpc-2": "[{ips: [{vpcSubnet: six}]}]" }),
      peering("q", {
        "vpc-1": `[{ips: [{cidr: 10.1.0.0/24}]}, ${block("{vpcSubnet: six}", '{cidr: "2001:db8:f::/64"}', "static: {}")}]`,
        "ext.inet": `[{ips: [{cidr: 8.8.8.0/24}]}, {ips: [{cidr: "2620:fe::/48"}]}]`,
      }),
    ),
    finds: [],
  },
  {
    is: "is not exposed where it is not routable",
    yaml: peering("p", {
      "ext.inet": '[{ips: [{cidr: »"fe80::/64"}, {cidr: »"::1/128"}, {cidr: »"ff02::/16"}, {cidr: »"::/127"}]}]',
      "vpc-1": "[{ips: [{vpcSubnet: six}]}]",
    }),
    finds: [0, 1, 2, 3].map((n) => `FG0609 spec.peering["ext.inet"].expose[0].ips[${n}].cidr` as const),
  },
  {
    is: "is everything of an external, with a warning",
    yaml: peering("p", {
      "ext.inet": '[{ips: [{cidr: »"::/0"}]}]',
      "vpc-1": "[{ips: [{vpcSubnet: six}]}]",
    }),
    finds: ['FG0610 spec.peering["ext.inet"].expose[0].ips[0].cidr'],
  },
  {
    is: "is not translated to IPv4",
    yaml: peering("p", { "vpc-1": "[{ips: [{vpcSubnet: six}]}]", "vpc-2": TWO })
      .replace("vpc-1: {expose", "vpc-1: {»expose")
      .replace("vpc-2: {expose", "vpc-2: {»expose"),
    finds: ["FG0612 spec.peering.vpc-1.expose", "FG0612 spec.peering.vpc-2.expose"],
  },
]);

function exposeOf(text: string): Expose {
  const sources = [BASE, { file: "case.yaml", text: exposing(`[${text}]`) }];
  const { fabric, errors } = loadFabric(sources);
  const expose = fabric?.peerings.find(({ id }) => id === "p")?.sides[0].exposes[0];
  assert.ok(expose, errors.map((error) => formatDiagnostic(error, sources)).join("\n"));
  return expose;
}

describe("NAT in the fabric", () => {
  it("pairs the addresses of static NAT in the order written", () => {
    const ips = "{cidr: 10.1.0.16/30}, {cidr: 10.1.0.0/30}, {not: 10.1.0.17/32}";
    const as = "{cidr: 192.168.0.9/32}, {cidr: 192.168.0.0/30}, {cidr: 192.168.0.1/32}, {cidr: 192.168.0.4/31}";
    assert.deepEqual(exposeOf(block(ips, as, "static: {}")), {
      kind: "prefixes",
      prefixes: ["10.1.0.16/32", "10.1.0.18/31", "10.1.0.0/30"],
      nat: {
        kind: "static",
        public: ["192.168.0.9/32", "192.168.0.0/30", "192.168.0.1/32", "192.168.0.4/31"],
        pairs: [
          ["10.1.0.16", "10.1.0.16", "192.168.0.9", "192.168.0.9"],
          ["10.1.0.18", "10.1.0.19", "192.168.0.0", "192.168.0.1"],
          ["10.1.0.0", "10.1.0.1", "192.168.0.2", "192.168.0.3"],
          ["10.1.0.2", "10.1.0.3", "192.168.0.4", "192.168.0.5"],
        ].map(([a, b, c, d]) => ({ private: { first: a, last: b }, public: { first: c, last: d } })),
      },
    });
  });

  it("has the RFCs' idle times unless one is set, which leaves TCP's transitory time", () => {
    const standard = exposeOf(block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/31}", "masquerade: {}"));
    assert.deepEqual(standard, {
      kind: "prefixes",
      prefixes: ["10.1.0.0/24"],
      nat: {
        kind: "masquerade",
        public: ["192.168.0.0/31"],
        timeouts: { tcpEstablishedMs: 7_440_000, tcpTransitoryMs: 240_000, udpMs: 300_000, icmpMs: 60_000 },
      },
    });
    const set = exposeOf(block("{cidr: 10.1.0.0/24}", "{cidr: 192.168.0.0/31}", "masquerade: {idleTimeout: 1m30.5s}"));
    assert.ok(set.kind === "prefixes" && set.nat?.kind === "masquerade");
    assert.deepEqual(set.nat.timeouts, {
      tcpEstablishedMs: 90_500,
      tcpTransitoryMs: 240_000,
      udpMs: 90_500,
      icmpMs: 90_500,
    });
  });

  it("has forwarded ports as ranges, for both protocols where none is written", () => {
    const expose = exposeOf(forwarding('{proto: udp, port: "53", as: "5353"}, {port: "80-81", as: "8080-8081"}'));
    assert.ok(expose.kind === "prefixes" && expose.nat?.kind === "port-forward");
    assert.deepEqual(expose.nat.public, ["192.168.0.1/32"]);
    assert.deepEqual(expose.nat.rules, [
      { protocols: ["udp"], private: { first: 53, last: 53 }, public: { first: 5353, last: 5353 } },
      { protocols: ["tcp", "udp"], private: { first: 80, last: 81 }, public: { first: 8080, last: 8081 } },
    ]);
  });
});
