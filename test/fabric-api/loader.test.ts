// Loading again after changes gives what loading afresh gives, and works out only what changed.

import assert from "node:assert/strict";
import fc from "fast-check";
import { FabricLoader, formatDiagnostic, loadFabric, readSources, type Source } from "../../fabric-api/index.ts";
import { BASE, external, gateway, object, peering, stream, vpc } from "./streams.ts";

/** What each file may hold in turn; some of it is wrong, some only together with others. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  "base.yaml": [BASE.text, BASE.text.replace("10.1.0.0/24", "10.1.0.0/25"), BASE.text.replace("vni: 900", "vni: 901")],
  "gateway.yaml": [
    gateway("g", {
      vtepIP: "172.30.12.9/32",
      protocolIP: "172.30.8.9/32",
      vtepMAC: '"02:00:00:00:00:09"',
      groups: "[{name: g}]",
    }),
    gateway("g", { groups: "[{name: g}]" }),
  ],
  "group.yaml": [object("GatewayGroup", "g"), object("GatewayGroup", "h"), ""],
  "p.yaml": [
    peering(
      "p",
      { "vpc-1": "[{ips: [{vpcSubnet: default}]}]", "vpc-2": "[{ips: [{vpcSubnet: default}]}]" },
      "gatewayGroup: g",
    ),
    peering("p", { "vpc-1": "[{ips: [{cidr: 10.1.0.0/24}]}]", "vpc-2": "[{default: true}]" }),
    peering("p", { "vpc-1": "[{ips: [{cidr: 10.1.0.3/24}]}]", "vpc-2": "[{ips: [{vpcSubnet: db}]}]" }),
    "a: [",
  ],
  "q.yaml": [
    peering("q", { "vpc-3": "[{ips: [{cidr: 10.1.0.0/25}]}]", "vpc-2": "[{ips: [{vpcSubnet: default}]}]" }),
    peering("q", { "ext.x": "[{default: true}]", "vpc-2": "[{ips: [{vpcSubnet: default}]}]" }),
    peering("p", { "vpc-3": "[{ips: [{cidr: 10.3.0.0/24}]}]", "ext.inet": "[{default: true}]" }),
  ],
  "x.yaml": [
    external("x"),
    external("x", "vni: 7"),
    stream(external("x"), vpc("ext.x", 8, {})),
    "%YAML 1.2\n---\n{}\n",
  ],
};

describe("loading again", () => {
  it("finds and builds what loading afresh does, whatever changed", () => {
    const files = Object.keys(VARIANTS);
    const steps = fc.array(fc.array(fc.nat(4), { minLength: files.length, maxLength: files.length }), {
      minLength: 2,
      maxLength: 6,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const loader = new FabricLoader();
        for (const choice of list) {
          const sources = files.flatMap((file, index): Source[] => {
            const text = VARIANTS[file]?.[choice[index] ?? 0];
            return text === undefined ? [] : [{ file, text }];
          });
          assert.deepEqual(loader.load(sources), loadFabric(sources));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("leaves peerings that did not change as they are, and those alone", () => {
    const loader = new FabricLoader();
    const text = (subnet: string) =>
      peering("p", { "vpc-1": `[{ips: [{vpcSubnet: ${subnet}}]}]`, "vpc-2": "[{ips: [{vpcSubnet: db}]}]" });
    const peeringsOf = (...sources: Source[]) => loader.load(sources).fabric?.peerings ?? [];
    const [base, p] = peeringsOf(BASE, { file: "p.yaml", text: text("db") });
    assert.equal(p?.id, "p");
    // A file that comes before all others moves none of them.
    const [sameBase, changed] = peeringsOf({ file: "a.yaml", text: external("new", "vni: 7") }, BASE, {
      file: "p.yaml",
      text: text("default"),
    });
    assert.equal(sameBase, base);
    assert.notEqual(changed, p);
    // A change of a VPC changes what is exposed of it.
    const moved = BASE.text.replace("db: {cidr: 10.2.1.0/24}", "db: {cidr: 10.2.7.0/24}");
    const [, again] = peeringsOf({ ...BASE, text: moved }, { file: "p.yaml", text: text("default") });
    assert.deepEqual(again?.sides[1].exposes, [{ kind: "prefixes", prefixes: ["10.2.7.0/24"] }]);
  });
});

describe("a directory with ten mistakes", () => {
  it("has ten errors, each at its place and with what to do", async () => {
    const directory = `${import.meta.dirname}/fixtures/ten-mistakes`;
    const sources = (await readSources([directory])).map(({ file, text }) => ({
      file: file.slice(directory.length + 1),
      text,
    }));
    const { errors, warnings } = loadFabric(sources);
    assert.deepEqual(warnings, []);
    assert.deepEqual(
      errors.map(({ code, file, line, column, hint }) => `${file}:${line}:${column} ${code} ${hint ?? "-"}`),
      [
        "gateways.yaml:15:12 FG0204 -",
        "gateways.yaml:41:15 FG0303 did you mean eth1?",
        "peerings.yaml:9:7 FG0201 did you mean expose?",
        'peerings.yaml:33:25 FG0207 quote it: "22"',
        "peerings.yaml:45:17 FG0308 did you mean group-1?",
        "peerings.yaml:47:5 FG0502 did you mean vpc-1?",
        "peerings.yaml:66:21 FG0605 subnets: default 10.2.0.0/24",
        "peerings.yaml:71:11 FG0701 -",
        "peerings.yaml:83:26 FG0807 exposed: 192.168.3.0/25",
        "vpcs.yaml:16:8 FG0401 the first at vpcs.yaml:6:8",
      ],
    );
    const [, second] = errors;
    assert.ok(second);
    assert.equal(
      formatDiagnostic(second, sources),
      [
        "gateways.yaml:41:15: error FG0303: Gateway gateway-2: spec.neighbors[0].source: source eth0 is not one of this gateway's interfaces",
        "  41 |       source: eth0 # no such interface",
        "     |               ^",
        "  hint: did you mean eth1?",
      ].join("\n"),
    );
  });
});
