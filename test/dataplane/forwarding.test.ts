// Traffic of real kernels through the attached program: leaf A — gateway — leaf B, each in a network namespace of its own, the leaves with kernel
// VXLAN devices. What leaf B's kernel accepts has right headers and checksums.
import assert from "node:assert/strict";
import { join } from "node:path";
import "./support/build.ts";
import { Dataplane } from "../../dataplane/dataplane.ts";
import type { DataplaneDesired } from "../../dataplane/desired.ts";
import { Lab, silentLog, until } from "./support/lab.ts";

const gatewayVtep = "10.255.2.1";
const gatewayMac = "02:02:00:00:00:01";
const leaves = {
  a: { vtep: "10.255.1.1", mac: "02:01:00:00:00:0a", vni: 100001, net: "10.1.0.0/24", host: "10.1.0.1", link: 0 },
  b: { vtep: "10.255.1.2", mac: "02:01:00:00:00:0b", vni: 100002, net: "10.2.0.0/24", host: "10.2.0.1", link: 1 },
} as const;

describe("forwarding between kernels over veth", () => {
  let lab: Lab;
  let dataplane: Dataplane;
  let gateway: string;
  const names = { a: "", b: "" };
  let desired: DataplaneDesired;

  function buildLeaf(name: "a" | "b"): void {
    const leaf = leaves[name];
    const other = leaves[name === "a" ? "b" : "a"];
    const space = lab.namespace(name);
    names[name] = space;
    const uplink = `up${leaf.link}`;
    lab.veth({ namespace: space, name: "eth0" }, { namespace: gateway, name: uplink }, 9100);
    lab.ip(space, `addr add ${leaf.vtep}/32 dev lo`);
    lab.ip(space, `addr add 172.16.${leaf.link}.1/24 dev eth0`);
    lab.ip(gateway, `addr add 172.16.${leaf.link}.254/24 dev ${uplink}`);
    lab.ip(space, `route add ${gatewayVtep}/32 via 172.16.${leaf.link}.254`);
    lab.ip(
      space,
      `link add vx0 address ${leaf.mac} mtu 9000 type vxlan id ${leaf.vni} dstport 4789 local ${leaf.vtep} nolearning`,
    );
    lab.ip(space, "link set vx0 up");
    lab.ip(space, `addr add ${leaf.host}/32 dev vx0`);
    lab.ip(space, `neigh replace 169.254.0.1 lladdr ${gatewayMac} dev vx0`);
    lab.ip(space, `route add ${other.net} via 169.254.0.1 dev vx0 onlink src ${leaf.host}`);
    lab.run(space, `bridge fdb append ${gatewayMac} dev vx0 dst ${gatewayVtep}`);
  }

  before(() => {
    lab = new Lab();
    gateway = lab.namespace("gw");
    lab.ip(gateway, `addr add ${gatewayVtep}/32 dev lo`);
    buildLeaf("a");
    buildLeaf("b");
    lab.enter(gateway);
    dataplane = Dataplane.open({ pinDir: join(lab.bpffs, "gw"), log: silentLog });
    const sides = [
      { vpc: "vpc-a", default: false, prefixes: [leaves.a.net] },
      { vpc: "vpc-b", default: false, prefixes: [leaves.b.net] },
    ] as const;
    desired = {
      vtep: { ip: gatewayVtep, mac: gatewayMac },
      uplinks: ["up0", "up1"],
      policy: {
        vpcs: [
          { name: "vpc-a", vni: leaves.a.vni },
          { name: "vpc-b", vni: leaves.b.vni },
        ],
        peerings: [{ id: "a--b", sides }],
      },
      routes: [leaves.a, leaves.b].map(({ vni, net, vtep, mac }) => ({
        vni,
        prefix: net,
        paths: [{ vtep, vni, routerMac: mac }],
      })),
      tunnels: (["a", "b"] as const).map((name) => ({
        vtep: leaves[name].vtep,
        mtu: 9100,
        paths: [
          {
            uplink: `up${leaves[name].link}`,
            sourceMac: lab.macOf(gateway, `up${leaves[name].link}`),
            nextHopMac: lab.macOf(names[name], "eth0"),
          },
        ],
      })),
      sourceVteps: [leaves.a.vtep, leaves.b.vtep],
    };
    dataplane.apply(desired);
  });

  after(() => {
    dataplane?.remove();
    lab?.close();
  });

  it("runs in the driver's native mode", () => {
    assert.deepEqual(dataplane.uplinks(), [
      { name: "up0", mode: "native" },
      { name: "up1", mode: "native" },
    ]);
  });

  it("carries pings both ways and counts each once", () => {
    const before = dataplane.counters().directions;
    assert.match(lab.run(names.a, `ping -c 20 -i 0.01 -W 1 ${leaves.b.host}`), / 0% packet loss/);
    const after = dataplane.counters().directions;
    after.forEach((direction, index) => {
      assert.equal(direction.out.packets - (before[index]?.out.packets ?? 0), 20);
      assert.deepEqual(direction.in, direction.out);
    });
  });

  it("takes one hop off the TTL", () => {
    assert.match(lab.run(names.a, `ping -c 1 -W 1 -t 2 ${leaves.b.host}`), / ttl=63 /);
  });

  it("carries inner packets of 9000 bytes whole", () => {
    assert.match(lab.run(names.a, `ping -c 5 -i 0.01 -W 1 -M do -s 8972 ${leaves.b.host}`), / 0% packet loss/);
  });

  it("carries TCP of jumbo and small segments, and UDP, with no checksum wrong", async () => {
    lab.start(names.b, "iperf3 -s -p 5201");
    await until("iperf3 listens", () => lab.run(names.b, "ss -Hltn sport = :5201").includes("5201"));
    for (const segment of [8900, 536]) {
      const output = lab.run(names.a, `iperf3 -J -c ${leaves.b.host} -p 5201 -t 1 -M ${segment}`);
      const result = JSON.parse(output) as { end: { sum_received: { bytes: number } } };
      assert.ok(result.end.sum_received.bytes > 10_000_000, `only ${result.end.sum_received.bytes} bytes arrived`);
    }
    const udp = lab.run(names.a, `iperf3 -J -u -b 10M -l 1400 -c ${leaves.b.host} -p 5201 -t 1`);
    const { lost_packets: lost, packets } = (
      JSON.parse(udp) as { end: { sum: { lost_packets: number; packets: number } } }
    ).end.sum;
    // A starved receiver may lose some; what the gateway lost is in its counters.
    assert.ok(packets > 500 && lost < packets / 2, `${lost} of ${packets} datagrams lost`);
    for (const { drops } of dataplane.counters().directions) assert.deepEqual(drops, {});
    for (const space of [names.a, names.b]) {
      const errors = lab.run(space, "nstat -asz TcpInCsumErrors UdpInCsumErrors IpInCsumErrors IcmpInCsumErrors");
      assert.doesNotMatch(errors, /CsumErrors\s+[1-9]/);
    }
  });

  it("leaves what is not VXLAN to the kernel", () => {
    assert.match(lab.run(names.a, `ping -c 3 -i 0.01 -W 1 ${gatewayVtep}`), / 0% packet loss/);
    assert.ok(dataplane.counters().passed >= 3);
  });

  it("goes on without the process, and the next one takes over without a gap", () => {
    const before = dataplane.counters();
    dataplane.close();
    assert.match(lab.run(names.a, `ping -c 5 -i 0.01 -W 1 ${leaves.b.host}`), / 0% packet loss/);
    dataplane = Dataplane.open({ pinDir: join(lab.bpffs, "gw"), log: silentLog });
    const report = dataplane.apply(desired);
    const none = { added: 0, changed: 0, removed: 0 };
    const uplinks = [
      { name: "up0", mode: "native" },
      { name: "up1", mode: "native" },
    ];
    assert.deepEqual(report, { policy: false, routes: none, tunnels: none, sourceVteps: none, uplinks });
    const counted = dataplane.counters().directions.map(({ out }) => out.packets);
    assert.deepEqual(
      counted,
      before.directions.map(({ out }) => out.packets + 5),
    );
  });
});
