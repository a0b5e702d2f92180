import assert from "node:assert/strict";
import { type Link, liveUplinks, resolveUnderlay } from "../../agent/plan/underlay.ts";

const link = (number: number, changes: Partial<Link> = {}): Link => ({
  name: `eth${number}`,
  up: true,
  mac: `aa:00:00:00:00:0${number}`,
  mtu: 9100,
  addresses: [`172.16.${number}.1/31`],
  ...changes,
});
const links = [link(1), link(2)];
const neighbors = [
  { ip: "172.16.1.0", link: "eth1", mac: "bb:00:00:00:00:01" },
  { ip: "172.16.2.0", link: "eth2", mac: "bb:00:00:00:00:02" },
];
const ecmp = [{ prefix: "10.255.1.1/32", nextHops: ["172.16.1.0", "172.16.2.0"] }];

describe("the underlay", () => {
  it("reaches a VTEP over every uplink that has a next hop for it", () => {
    const { tunnels } = resolveUnderlay(["10.255.1.1"], ecmp, [], links, neighbors);
    assert.deepEqual(tunnels, [
      {
        vtep: "10.255.1.1",
        mtu: 9100,
        paths: [
          { uplink: "eth1", sourceMac: "aa:00:00:00:00:01", nextHopMac: "bb:00:00:00:00:01" },
          { uplink: "eth2", sourceMac: "aa:00:00:00:00:02", nextHopMac: "bb:00:00:00:00:02" },
        ],
      },
    ]);
  });

  it("leaves an uplink that is down at once, in the dataplane and in the kernel", () => {
    const view = resolveUnderlay(["10.255.1.1"], ecmp, [], [link(1, { up: false }), link(2)], neighbors);
    assert.deepEqual(
      view.tunnels[0]?.paths.map((path) => path.uplink),
      ["eth2"],
    );
    assert.deepEqual(view.kernelRoutes, [{ prefix: "10.255.1.1/32", nextHops: [{ via: "172.16.2.0", link: "eth2" }] }]);
  });

  it("does not use a next hop whose MAC is unknown, but asks for it", () => {
    const view = resolveUnderlay(["10.255.1.1"], ecmp, ["172.16.1.0"], links, neighbors.slice(1));
    assert.deepEqual(
      view.tunnels[0]?.paths.map((path) => path.uplink),
      ["eth2"],
    );
    assert.deepEqual(view.wantedNeighbors, [
      { ip: "172.16.1.0", link: "eth1" },
      { ip: "172.16.2.0", link: "eth2" },
    ]);
  });

  it("prefers the longest prefix that covers the VTEP", () => {
    const routes = [
      { prefix: "0.0.0.0/0", nextHops: ["172.16.1.0"] },
      { prefix: "10.255.0.0/16", nextHops: ["172.16.2.0"] },
    ];
    const { tunnels } = resolveUnderlay(["10.255.1.1", "192.0.2.1"], routes, [], links, neighbors);
    assert.deepEqual(
      tunnels.map((tunnel) => [tunnel.vtep, tunnel.paths.map((path) => path.uplink)]),
      [
        ["10.255.1.1", ["eth2"]],
        ["192.0.2.1", ["eth1"]],
      ],
    );
  });

  it("leaves a VTEP without any route out: unreachable", () => {
    assert.deepEqual(resolveUnderlay(["10.255.9.9"], ecmp, [], links, neighbors).tunnels, []);
  });

  it("takes the smallest MTU of the ways to a VTEP", () => {
    const view = resolveUnderlay(["10.255.1.1"], ecmp, [], [link(1), link(2, { mtu: 1600 })], neighbors);
    assert.equal(view.tunnels[0]?.mtu, 1600);
  });
});

describe("a live uplink", () => {
  const both = ["172.16.1.0", "172.16.2.0"];

  it("is up, and BFD has not declared all neighbours behind it dead", () => {
    assert.deepEqual(liveUplinks(links, both, new Set()), ["eth1", "eth2"]);
    assert.deepEqual(liveUplinks(links, both, new Set(["172.16.1.0"])), ["eth2"]);
    assert.deepEqual(liveUplinks([link(1, { up: false }), link(2)], both, new Set()), ["eth2"]);
  });

  it("needs no neighbour behind it", () => {
    assert.deepEqual(liveUplinks(links, [], new Set(both)), ["eth1", "eth2"]);
  });
});
