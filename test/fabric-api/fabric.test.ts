// Good streams become the fabric that they say.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareBytes,
  type Fabric,
  formatDiagnostic,
  loadFabric,
  readSources,
  type Source,
} from "../../fabric-api/index.ts";
import { BASE, external, gateway, object, peering, stream, vpc } from "./streams.ts";

function fabricOf(...texts: string[]): Fabric {
  const sources = texts.map((text, index): Source => ({ file: `${index}.yaml`, text }));
  const { fabric, errors } = loadFabric(sources);
  assert.ok(fabric, errors.map((error) => formatDiagnostic(error, sources)).join("\n"));
  return fabric;
}

const numbered = (n: number) => ({
  protocolIP: `172.30.8.${n}/32`,
  vtepIP: `172.30.12.${n}/32`,
  vtepMAC: `"02:00:00:00:00:${n.toString(16).padStart(2, "0")}"`,
});

describe("the fabric", () => {
  it("takes the older documentation's shape unchanged", async () => {
    const sources = await readSources([`${import.meta.dirname}/fixtures/older-spelling.yaml`]);
    const { fabric, errors, warnings, objects } = loadFabric(sources);
    assert.deepEqual([errors, warnings], [[], []]);
    assert.deepEqual(fabric?.groups, [
      { name: "default", members: [] },
      { name: "group-1", members: [{ gateway: "gateway-1", priority: 10 }] },
    ]);
    assert.deepEqual(fabric?.peerings, [
      {
        id: "vpc-1--vpc-2",
        group: "group-1",
        sides: [
          { vpc: "vpc-1", exposes: [{ kind: "prefixes", prefixes: ["10.1.1.0/24"] }] },
          { vpc: "vpc-2", exposes: [{ kind: "prefixes", prefixes: ["10.2.0.64/26", "10.2.0.128/25"] }] },
        ],
      },
    ]);
    assert.deepEqual(
      objects.map(({ kind, metadata, origin }) => `${origin.document} ${kind} ${metadata.namespace}/${metadata.name}`),
      [
        "0 GatewayGroup fab/group-1",
        "1 Gateway fab/gateway-1",
        "2 GatewayPeering default/vpc-1--vpc-2",
        "3 VPCInfo default/vpc-1",
        "4 VPCInfo default/vpc-2",
      ],
    );
  });

  it("has a gateway with defaults filled in and addresses in canonical form", () => {
    const fields = {
      vtepMAC: "CAFE.BABE.0001",
      interfaces:
        '{e2: {ips: ["2001:DB8::1/64", 10.0.0.1/31], kernel: enp2s0, mtu: 9000}, e1: {ips: [10.0.0.3/31], pci: "02:00.0", mtu: 9100}}',
      neighbors: '[{ip: "2001:DB8:0::2", asn: 2, source: e2}, {ip: 10.0.0.2, asn: 1}]',
    };
    assert.deepEqual(fabricOf(gateway("g", fields)).gateways, [
      {
        name: "g",
        asn: 65534,
        protocolIp: "172.30.8.1",
        vtepIp: "172.30.12.1",
        vtepMac: "ca:fe:ba:be:00:01",
        vtepMtu: 8950,
        interfaces: [
          { name: "e1", kernel: "e1", pci: "02:00.0", ips: ["10.0.0.3/31"], mtu: 9100 },
          { name: "e2", kernel: "enp2s0", ips: ["2001:db8::1/64", "10.0.0.1/31"], mtu: 9000 },
        ],
        neighbors: [
          { ip: "10.0.0.2", asn: 1 },
          { ip: "2001:db8::2", asn: 2, source: "e2" },
        ],
        flowTableCapacity: 1_048_576,
      },
    ]);
  });

  it("does not guess vtepMTU from some of the uplinks", () => {
    const interfaces = "{e1: {ips: [10.0.0.3/31], mtu: 9100}, e2: {ips: [10.0.0.1/31]}}";
    assert.equal(fabricOf(gateway("g", { interfaces })).gateways[0]?.vtepMtu, undefined);
    assert.equal(fabricOf(gateway("g", { interfaces, vtepMTU: "1400" })).gateways[0]?.vtepMtu, 1400);
  });

  it("has prefixes as written, split only where an exclusion cuts them", () => {
    const ips = "{cidr: 10.3.0.128/25}, {cidr: 10.3.0.0/25}, {not: 10.3.0.130/31}, {vpcSubnet: default}";
    const text = peering("p", { "vpc-3": `[{ips: [${ips}]}, {default: true}]`, "vpc-2": "[{ips: [{vpcSubnet: db}]}]" });
    const [, p] = fabricOf(BASE.text, text).peerings;
    const cut = ["10.3.0.128/31", "10.3.0.132/30", "10.3.0.136/29", "10.3.0.144/28", "10.3.0.160/27", "10.3.0.192/26"];
    // The subnet is cut too; what several entries leave is there once.
    assert.deepEqual(p?.sides[1].exposes, [
      { kind: "prefixes", prefixes: [...cut, "10.3.0.0/25"] },
      { kind: "default" },
    ]);
  });

  it("has no peering with an external that has no VNI, and has it once it gets one", () => {
    const text = peering("x", { "ext.dark": "[{default: true}]", "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]" });
    const dark = fabricOf(BASE.text, external("dark"), text);
    assert.deepEqual(
      [dark.peerings.map(({ id }) => id), dark.vpcs.some(({ name }) => name === "ext.dark")],
      [["base"], false],
    );
    for (const lit of [
      external("dark", "vni: 950"),
      stream(external("dark"), vpc("ext.dark", 950, {})),
      vpc("ext.dark", 950, {}),
    ]) {
      const fabric = fabricOf(BASE.text, lit, text);
      assert.deepEqual(
        fabric.peerings.map(({ id }) => id),
        ["base", "x"],
      );
      assert.deepEqual(
        fabric.vpcs.find(({ name }) => name === "ext.dark"),
        { name: "ext.dark", vni: 950, external: true, subnets: [] },
      );
    }
  });

  it("has objects of other namespaces under qualified names only where names collide", () => {
    const gateways = stream(
      gateway("g, namespace: fab", numbered(1)),
      gateway("g", numbered(2)),
      gateway("h, namespace: fab", numbered(3)),
    );
    assert.deepEqual(
      fabricOf(gateways).gateways.map(({ name }) => name),
      ["fab/g", "g", "h"],
    );
    const vpcs = stream(
      vpc("v", 1, { s: "10.1.0.0/16" }),
      vpc("v, namespace: b", 2, { s: "10.2.0.0/16" }),
      vpc("w", 3, { s: "10.3.0.0/16" }),
    );
    const inB = peering("p, namespace: b", { v: "[{ips: [{vpcSubnet: s}]}]", w: "[{ips: [{vpcSubnet: s}]}]" });
    const [p] = fabricOf(vpcs, inB).peerings;
    assert.deepEqual(
      [p?.id, p?.sides[0].vpc, p?.sides[0].exposes],
      ["b/p", "b/v", [{ kind: "prefixes", prefixes: ["10.2.0.0/16"] }]],
    );
  });

  it("has one default group, whichever namespace declares it", () => {
    const text = stream(
      object("GatewayGroup", "default, namespace: fab"),
      gateway("g, namespace: fab"),
      BASE.text
        .replace("ca:fe:ba:be:00:01", "ca:fe:ba:be:00:02")
        .replace("172.30.8.1/32", "172.30.8.2/32")
        .replace("172.30.12.1/32", "172.30.12.2/32"),
    );
    const { groups, peerings } = fabricOf(text);
    assert.deepEqual(groups, [
      {
        name: "default",
        members: [
          { gateway: "g", priority: 0 },
          { gateway: "gw-base", priority: 0 },
        ],
      },
    ]);
    assert.equal(peerings[0]?.group, "default");
  });
});

describe("ranks", () => {
  it("go by priority, then by name in byte order, whatever the order of the stream", () => {
    const names = ["a", "a-b", "a.b", "a0", "ab", "b", "10", "9", "gateway-10", "gateway-9"];
    const members = fc
      .shuffledSubarray(names, { minLength: 1 })
      .chain((chosen) =>
        fc.tuple(
          ...chosen.map((name) =>
            fc.record({ name: fc.constant(name), priority: fc.constantFrom(0, 1, 10, 4294967295) }),
          ),
        ),
      );
    fc.assert(
      fc.property(members, (list) => {
        const one = (member: { name: string; priority: number }) =>
          gateway(`"${member.name}"`, {
            ...numbered(names.indexOf(member.name) + 1),
            groups: `[{name: g, priority: ${member.priority}}]`,
          });
        const ranked =
          fabricOf(stream(object("GatewayGroup", "g"), ...list.map(one))).groups.find(({ name }) => name === "g")
            ?.members ?? [];
        assert.equal(ranked.length, list.length);
        ranked.slice(1).forEach((next, index) => {
          const before = ranked[index];
          assert.ok(before);
          const byName = Buffer.compare(Buffer.from(before.gateway), Buffer.from(next.gateway)) < 0;
          assert.ok(before.priority > next.priority || (before.priority === next.priority && byName));
        });
        const again = fabricOf(stream(...[...list].reverse().map(one), object("GatewayGroup", "g")));
        assert.deepEqual(again.groups.find(({ name }) => name === "g")?.members, ranked);
      }),
      { numRuns: 40 },
    );
  });

  it("compare any names as their UTF-8 bytes", () => {
    const unit = fc.constantFrom("a", "b", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}");
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit }), (a, b) => {
        assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });
});

describe("the order of a stream", () => {
  it("does not change the fabric", () => {
    const documents = [
      ...BASE.text.split("---\n"),
      object("GatewayGroup", "g"),
      object("GatewayGroup", "a"),
      gateway("gw-2", { ...numbered(2), groups: "[{name: g, priority: 3}, {name: default}]" }),
      peering(
        "p",
        { "vpc-2": "[{ips: [{cidr: 10.2.0.0/24}]}]", "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]" },
        "gatewayGroup: g",
      ),
      peering("q", { "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]", "ext.inet": "[{default: true}]" }),
    ];
    const expected = fabricOf(stream(...documents));
    fc.assert(
      fc.property(fc.shuffledSubarray(documents, { minLength: documents.length }), (shuffled) => {
        assert.deepEqual(fabricOf(...shuffled), expected);
      }),
      { numRuns: 40 },
    );
  });
});
