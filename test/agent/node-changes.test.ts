import assert from "node:assert/strict";
import { addressRemovals, interfaceChanges, type NodeLink, routeChanges } from "../../agent/node/changes.ts";
import type { NodePlan } from "../../agent/plan/plan.ts";

const link = (name: string, changes: Partial<NodeLink> = {}): NodeLink => ({
  name,
  up: true,
  adminUp: true,
  mac: "aa:00:00:00:00:01",
  mtu: 1500,
  addresses: [],
  ...changes,
});
const wanted: NodePlan = {
  interfaces: [{ name: "eth1", ips: ["172.16.2.1/31"], mtu: 9100 }],
  loopback: ["10.255.3.1/32"],
  neighbors: [],
};

describe("the node's interfaces", () => {
  it("get the declared MTU, addresses and state", () => {
    const { commands, problems } = interfaceChanges(wanted, [link("lo"), link("eth1", { adminUp: false })]);
    assert.deepEqual(commands, [
      "link set dev eth1 mtu 9100",
      "address add 172.16.2.1/31 dev eth1",
      "link set dev eth1 up",
      "address add 10.255.3.1/32 dev lo",
    ]);
    assert.deepEqual(problems, []);
  });

  it("are left alone when they are as declared, foreign addresses included", () => {
    const { commands } = interfaceChanges(wanted, [
      link("lo", { addresses: ["127.0.0.1/8", "10.255.3.1/32"] }),
      link("eth1", { mtu: 9100, addresses: ["172.16.2.1/31", "192.0.2.1/24"] }),
      link("eth9", { adminUp: false }),
    ]);
    assert.deepEqual(commands, []);
  });

  it("that do not exist are named", () => {
    assert.deepEqual(interfaceChanges(wanted, [link("lo")]).problems, ["interface eth1 does not exist"]);
  });

  it("lose only the addresses that an earlier plan declared", () => {
    const next = { ...wanted, interfaces: [{ name: "eth1", ips: ["172.16.2.9/31"] }] };
    const links = [link("lo"), link("eth1", { addresses: ["172.16.2.1/31", "192.0.2.1/24"] })];
    assert.deepEqual(addressRemovals(wanted, next, links), ["address del 172.16.2.1/31 dev eth1"]);
  });
});

describe("the kernel's underlay routes", () => {
  const one = { prefix: "10.255.1.1/32", nextHops: [{ via: "172.16.1.0", link: "eth1" }] };
  const two = { prefix: "10.255.1.1/32", nextHops: [...one.nextHops, { via: "172.16.2.0", link: "eth2" }] };

  it("are added, replaced and removed by difference", () => {
    assert.deepEqual(routeChanges([], [one]), ["route replace 10.255.1.1/32 proto bgp via 172.16.1.0 dev eth1"]);
    assert.deepEqual(routeChanges([one], [two]), [
      "route replace 10.255.1.1/32 proto bgp nexthop via 172.16.1.0 dev eth1 nexthop via 172.16.2.0 dev eth2",
    ]);
    assert.deepEqual(routeChanges([two], []), ["route del 10.255.1.1/32 proto bgp"]);
  });

  it("are left alone when they are the same in another order", () => {
    assert.deepEqual(routeChanges([two], [{ ...two, nextHops: [...two.nextHops].reverse() }]), []);
  });
});
