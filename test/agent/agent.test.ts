// The agent's process against a real gobgpd and the real kernel: what the other parts' tests cannot show, the order and the
// truth of the whole.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { RELEARN_MS } from "../../agent/plan/rib-memory.ts";
import { until } from "../bgp/lab.ts";
import { GATEWAY_VTEP, GatewayNode, UPLINK } from "./gateway-node.ts";

const node = new GatewayNode();

const base = `
apiVersion: gateway.githedgehog.com/v1alpha1
kind: Gateway
metadata: { name: ${node.name} }
spec:
  asn: 65534
  protocolIP: 10.255.2.1/32
  vtepIP: ${GATEWAY_VTEP}/32
  vtepMAC: 02:02:00:00:00:01
  interfaces: { ${UPLINK}: { ips: [10.9.0.1/31], mtu: 9100 } }
  neighbors: [{ ip: 10.9.0.0, asn: 65100, source: ${UPLINK} }]
${[1, 2, 3]
  .map(
    (number) => `---
apiVersion: gateway.githedgehog.com/v1alpha1
kind: VPCInfo
metadata: { name: vpc-${number} }
spec: { vni: ${100_000 + number}, subnets: { default: { cidr: 10.${number}.1.0/24 } } }
`,
  )
  .join("")}`;

const peering = (one: number, other: number) => `
apiVersion: gateway.githedgehog.com/v1alpha1
kind: GatewayPeering
metadata: { name: vpc-${one}--vpc-${other} }
spec:
  peering:
    vpc-${one}: { expose: [{ ips: [{ vpcSubnet: default }] }] }
    vpc-${other}: { expose: [{ ips: [{ vpcSubnet: default }] }] }
`;

const both = ["100001 10.2.1.0/24", "100002 10.1.1.0/24"];

async function spineHas(routes: readonly string[]): Promise<void> {
  await until(
    `the spine has ${routes}; it has ${node.atSpine()}; ${node.agentOutput.slice(-2000)}`,
    () => {
      return JSON.stringify(node.atSpine()) === JSON.stringify(routes);
    },
    45_000,
  );
}

describe("the agent", function () {
  this.timeout(60_000);

  before(async () => {
    await node.open();
    await node.write("fabric.yaml", base);
    await node.write("peering.yaml", peering(1, 2));
  });

  after(() => node.close());

  it("names the capability it lacks, and announces nothing", async () => {
    await node.startAgent({ drop: "-bpf,-sys_admin,-perfmon" });
    await until("the condition", async () => {
      const applied = await node.condition("Applied");
      return applied?.status === "False" && /CAP_BPF/.test(applied.message);
    });
    assert.deepEqual(node.atSpine(), []);
    await node.stopAgent("SIGTERM");
  });

  it("announces both directions of a peering once the dataplane can carry it", async () => {
    await node.startAgent();
    await spineHas(both);
    const status = await node.status();
    assert.deepEqual(
      status.conditions.filter((condition) => condition.status !== "True"),
      [],
    );
    assert.equal(status.peerings[0]?.role, "serving");
    assert.deepEqual(
      status.uplinks.map(({ name, up, mtu, dataplane }) => ({ name, up, mtu, dataplane })),
      [{ name: UPLINK, up: true, mtu: 9100, dataplane: "native" }],
    );
    assert.deepEqual(node.underlayAtSpine(), ["10.255.2.1/32", "10.255.3.1/32"]);
  });

  it("keeps the last good state when a manifest turns bad, and says where it is bad", async () => {
    await node.write("peering.yaml", peering(1, 2).replace("expose", "exposes"));
    const invalid = await until("the condition", async () => {
      const condition = await node.condition("ManifestsValid");
      return condition?.status === "False" ? condition : undefined;
    });
    assert.match(invalid.message, /stays in force; first: .*peering\.yaml:7:14: error FG0201.*unknown field "exposes"/);
    assert.deepEqual(node.atSpine(), both);
    await node.write("peering.yaml", peering(1, 2));
    await until("valid again", async () => (await node.condition("ManifestsValid"))?.status === "True");
  });

  it("refuses what the dataplane cannot do yet by name, and keeps the last good state", async () => {
    const logging = "  acl: { rules: [{ from: vpc-1, to: vpc-2, action: deny, log: true }] }\n";
    await node.write("peering.yaml", `${peering(1, 2)}${logging}`);
    const refused = await until("the condition", async () => {
      const condition = await node.condition("ManifestsValid");
      return condition?.status === "False" ? condition : undefined;
    });
    assert.match(refused.message, /stays in force; first: .*log in an acl rule is not supported/);
    assert.deepEqual(node.atSpine(), both);
    await node.write("peering.yaml", peering(1, 2));
    await until("valid again", async () => (await node.condition("ManifestsValid"))?.status === "True");
  });

  it("does not attract traffic for what nobody announces", async () => {
    await node.leavesAnnounce("vpc-1");
    await spineHas(["100002 10.1.1.0/24"]);
    const status = await node.status();
    assert.equal(status.peerings[0]?.role, "partial");
    assert.deepEqual(status.peerings[0]?.reasons, ["DestinationUnknown"]);
    await node.leavesAnnounce("vpc-1", "vpc-2");
    await spineHas(both);
  });

  it("takes a new peering in and lets it go again", async () => {
    await node.leavesAnnounce("vpc-1", "vpc-2", "vpc-3");
    await node.write("another.yaml", peering(1, 3));
    await spineHas([both[0] ?? "", "100001 10.3.1.0/24", both[1] ?? "", "100003 10.1.1.0/24"]);
    await node.write("another.yaml", "");
    await spineHas(both);
    const carried = async () => (await node.counters()).directions.some((row) => row.peering === "vpc-1--vpc-3");
    assert.equal(await carried(), true, "carried until the withdrawal has settled");
    await until("no longer carried", async () => !(await carried()));
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`leaves routes and program at ${signal}; the next start touches neither`, async () => {
      const program = await node.xdpProgram();
      const updates = await node.updatesAtSpine();
      assert.notEqual(program, undefined);
      await node.stopAgent(signal);
      assert.equal(await node.xdpProgram(), program);
      assert.deepEqual(node.atSpine(), both);
      await node.startAgent();
      await until("applied", async () => {
        const status = await node.status();
        return status.lastApply.ok && status.peerings[0]?.role === "serving";
      });
      assert.equal(await node.xdpProgram(), program);
      assert.equal(await node.updatesAtSpine(), updates);
    });
  }

  it("withdraws everything when the last uplink goes, and comes back", async () => {
    await node.lab.ip("spine", "link", "set", "to-gw", "down");
    await until("UplinksUp is false", async () => (await node.condition("UplinksUp"))?.status === "False");
    await until("withheld", async () => (await node.status()).peerings[0]?.reasons[0] === "NoUplink");
    await node.lab.ip("spine", "link", "set", "to-gw", "up");
    await spineHas(both);
  });

  it("takes everything back with --on-stop withdraw", async () => {
    await node.stopAgent("SIGKILL");
    await node.startAgent({ args: ["--on-stop", "withdraw"] });
    await until("applied", async () => (await node.status()).lastApply.ok, RELEARN_MS);
    await node.stopAgent("SIGTERM");
    await spineHas([]);
    assert.deepEqual(node.underlayAtSpine(), []);
    assert.equal(await node.xdpProgram(), undefined);
    assert.equal(existsSync(node.paths.pinDirectory), false);
  });
});
