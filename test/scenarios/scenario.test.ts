import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findScenario, readScenario, scenarioNames } from "../../scenarios/run/scenario.ts";

const topology = `name: lab
topology:
  nodes:
    host-1: { labels: { fabgate.role: host } }
    host-2: { labels: { fabgate.role: host } }
    gateway-1: { labels: { fabgate.role: gateway, fabgate.gateway: gateway-1 } }
`;

describe("a scenario file", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "fabgate-scenario-"));
    writeFileSync(join(directory, "topology.clab.yml"), topology);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const read = (steps: string) => {
    writeFileSync(join(directory, "scenario.yaml"), `description: d\nsteps:\n${steps}\n`);
    return readScenario(directory);
  };
  const complaint = (steps: string): string => {
    try {
      read(steps);
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, "ERR_LAB_INVALID");
      return (error as Error).message.replaceAll(`${directory}/`, "");
    }
    assert.fail("accepted");
  };

  it("fills in what a step leaves out, and reads durations", () => {
    const { steps } = read("  - probe: { from: host-1, to: host-2, proto: udp, expect: allowed, within: 1.5s }");
    assert.deepEqual(steps, [
      {
        kind: "probe",
        step: { from: "host-1", to: "host-2", proto: "udp", expect: "allowed", within: 1500, port: 7000, size: 56 },
      },
    ]);
  });

  for (const [what, steps, expected] of [
    [
      "a node that is not there",
      "  - fail: { node: gateway-2, how: power-off }",
      'scenario.yaml:3:19: no node "gateway-2" in the topology',
    ],
    [
      "a probe from a gateway",
      "  - probe: { from: gateway-1, to: host-2, proto: udp, expect: allowed }",
      "scenario.yaml:3:20: gateway-1 is no host",
    ],
    [
      "a gateway that is not there",
      "  - servedBy: { peering: p, from: host-1, to: host-2, gateway: gateway-2 }",
      "scenario.yaml:3:64: no node has the label fabgate.gateway gateway-2 (gateway-1)",
    ],
    [
      "an expectation about traffic that never started",
      "  - expect: { traffic: t, maxLost: 0 }",
      'scenario.yaml:3:24: no traffic "t" was started before',
    ],
    [
      "an expectation that expects nothing",
      "  - expect: { traffic: t }",
      "scenario.yaml:3:13: steps[0].expect: maxLossWindow, maxLost or connection",
    ],
    [
      "a fault that comes later",
      "  - fail: { node: gateway-1, how: freeze-agent }",
      "scenario.yaml:3:35: steps[0].fail.how: freeze-agent is not supported yet (power-off, link-down, blackhole, kill-agent, kill-gobgpd, kill-bfd are)",
    ],
    [
      "a fault that nobody knows",
      "  - fail: { node: gateway-1, how: unplug }",
      "scenario.yaml:3:35: steps[0].fail.how: one of power-off, link-down, blackhole, kill-agent, kill-gobgpd",
    ],
    [
      "a step of two kinds",
      "  - restore: { node: gateway-1 }\n    show: { note: n }",
      "scenario.yaml:3:5: steps[0]: a step is one of",
    ],
    ["an unknown step", "  - explode: { node: gateway-1 }", "scenario.yaml:3:5: steps[0].explode: not supported here"],
    [
      "a duration without a unit",
      "  - probe: { from: host-1, to: host-2, proto: udp, expect: denied, within: 5 }",
      'scenario.yaml:3:76: steps[0].probe.within: a duration such as "300ms" or "5s"',
    ],
    [
      "seenAs of ICMP",
      "  - probe: { from: host-1, to: host-2, proto: icmp, expect: allowed, seenAs: 10.0.0.1 }",
      "scenario.yaml:3:12: steps[0].probe: seenAs and notAt need proto udp or tcp",
    ],
    [
      "a mistake in a repeated step",
      "  - repeat: { times: 2, steps: [{ restore: { node: nobody } }] }",
      'scenario.yaml:3:52: no node "nobody" in the topology',
    ],
  ] as const) {
    it(`is rejected with file, line and column for ${what}`, () => {
      const said = complaint(steps);
      assert.ok(said.startsWith(expected), `${said}\nexpected: ${expected}`);
    });
  }

  it("is looked for by name and by directory; an unknown name lists what there is", () => {
    assert.ok(findScenario("three-groups").endsWith("/scenarios/three-groups"));
    assert.throws(() => findScenario("nonsense"), /no scenario "nonsense"; there are: active-backup, .*two-spines/);
  });
});

it("every scenario that comes with fabgate is valid", () => {
  const names = scenarioNames();
  assert.ok(names.length >= 7);
  for (const name of names) assert.ok(readScenario(findScenario(name)).steps.length > 0, name);
});
