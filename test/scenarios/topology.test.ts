import assert from "node:assert/strict";
import { parseTopology, splitWords } from "../../scenarios/lab/topology.ts";

const minimal = `name: lab
topology:
  nodes:
    a: { labels: { fabgate.role: host } }
    b: { labels: { fabgate.role: gateway, fabgate.gateway: gateway-1 } }
`;

function complaint(text: string): string {
  try {
    parseTopology(text, "x.clab.yml");
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "ERR_LAB_INVALID");
    return (error as Error).message;
  }
  assert.fail("accepted");
}

describe("a topology file", () => {
  it("layers defaults, kind, group and node: maps merge, lists add up", () => {
    const { nodes } = parseTopology(
      `name: lab
topology:
  defaults: { env: { A: 1, B: 1 }, exec: [first] }
  kinds: { linux: { sysctls: { net.ipv4.ip_forward: 1 }, exec: [second] } }
  groups: { g: { env: { B: 2 }, binds: ["x:/etc/x:ro"], labels: { fabgate.role: leaf } } }
  nodes: { n: { group: g, binds: ["../y:/y"], exec: ["third 'two words'"] } }
`,
      "/somewhere/x.clab.yml",
    );
    assert.deepEqual(nodes, [
      {
        name: "n",
        role: "leaf",
        binds: [
          { source: "/somewhere/x", target: "/etc/x", readOnly: true },
          { source: "/y", target: "/y", readOnly: false },
        ],
        exec: [["first"], ["second"], ["third", "two words"]],
        env: { A: "1", B: "2" },
        sysctls: { "net.ipv4.ip_forward": "1" },
      },
    ]);
  });

  it("gives links containerlab's MTU unless they name one", () => {
    const { links } = parseTopology(
      `${minimal}  links: [{ endpoints: ["a:eth1", "b:eth1"] }, { endpoints: ["a:eth2", "b:eth2"], mtu: 9100 }]\n`,
      "x.clab.yml",
    );
    assert.deepEqual(
      links.map((link) => link.mtu),
      [9500, 9100],
    );
    assert.deepEqual(links[0]?.ends[1], { node: "b", interface: "eth1" });
  });

  for (const [what, text, expected] of [
    [
      "a key the runner cannot honour",
      `${minimal.trimEnd()}\n    c: { labels: { fabgate.role: host }, memory: 1G }\n`,
      "x.clab.yml:6:42: topology.nodes.c.memory: not supported here",
    ],
    ["an unknown section", `${minimal}mgmt: { network: n }\n`, "x.clab.yml:6:1: mgmt: not supported here"],
    [
      "another kind",
      minimal.replace("{ labels: { fabgate.role: host }", "{ kind: srl, labels: { fabgate.role: host }"),
      'x.clab.yml:4:16: topology.nodes.a.kind: the only kind here is "linux"',
    ],
    [
      "a node without a role",
      minimal.replace("fabgate.role: host", "x: y"),
      "x.clab.yml:4:8: topology.nodes.a: label fabgate.role is missing (host, leaf, spine, gateway)",
    ],
    [
      "a gateway without its name",
      minimal.replace(", fabgate.gateway: gateway-1", ""),
      "x.clab.yml:5:8: topology.nodes.b: label fabgate.gateway belongs on nodes with fabgate.role gateway, and only there",
    ],
    [
      "a group that is not there",
      minimal.replace("a: {", "a: { group: g,"),
      'x.clab.yml:4:17: topology.nodes.a.group: no group "g" in groups',
    ],
    [
      "a link to nowhere",
      `${minimal}  links: [{ endpoints: ["a:eth1", "c:eth1"] }]\n`,
      'x.clab.yml:6:35: topology.links.0.endpoints.1: no node "c"',
    ],
    [
      "an interface used twice",
      `${minimal}  links: [{ endpoints: ["a:eth1", "b:eth1"] }, { endpoints: ["a:eth1", "b:eth2"] }]\n`,
      'x.clab.yml:6:62: topology.links.1.endpoints.0: "a:eth1" is already an end of link 0',
    ],
    [
      "a bind without a target",
      minimal.replace("a: {", 'a: { binds: ["x"],'),
      'x.clab.yml:4:17: topology.nodes.a.binds: "x" is not SOURCE:TARGET[:ro|rw], target absolute',
    ],
    ["broken YAML", "name: [\n", "x.clab.yml:2:1: "],
    ["a duplicate key", `name: lab\n${minimal}`, "x.clab.yml:2:1: Map keys must be unique"],
  ] as const) {
    it(`is rejected with file, line and column for ${what}`, () => {
      const said = complaint(text);
      assert.ok(said.startsWith(expected), `${said}\nexpected: ${expected}`);
    });
  }
});

it("command lines are split at blanks outside quotes", () => {
  assert.deepEqual(splitWords(`sh -c "echo 'a  b'"  ''`), ["sh", "-c", "echo 'a  b'", ""]);
  assert.equal(splitWords("  "), undefined);
  assert.equal(splitWords(`echo "`), undefined);
});
