import assert from "node:assert/strict";
import { BgpSpeaker } from "../../bgp/speaker.ts";
import { BgpLab, type Frr, type Gobgpd, until } from "./lab.ts";
import { anchor, gateway, SILENT, type5 } from "./samples.ts";

/** A spine of a fabric: passes EVPN routes on with their next hop, and reaches the leaf 10.255.1.1. */
function spineConfiguration(node: string, neighbor: string): string {
  return `hostname ${node}
router bgp 65100
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 neighbor ${neighbor} remote-as 65534
 neighbor ${neighbor} advertisement-interval 0
 neighbor ${neighbor} timers connect 1
 address-family ipv4 unicast
  network 10.255.1.1/32
  neighbor ${neighbor} activate
 exit-address-family
 address-family l2vpn evpn
  neighbor ${neighbor} activate
  neighbor ${neighbor} attribute-unchanged next-hop
 exit-address-family
`;
}

/** What FRR prints of a type-5 route: `show bgp l2vpn evpn route detail json`. */
interface FrrPath {
  readonly VNI: string;
  readonly valid: boolean;
  readonly metric?: number;
  readonly aspath: { readonly string: string };
  readonly community?: { readonly string: string };
  readonly extendedCommunity: { readonly string: string };
  readonly nexthops: readonly { readonly ip: string; readonly accessible: boolean }[];
}

interface FrrNeighbor {
  readonly bgpTimerHoldTimeMsecs: number;
  readonly connectionsEstablished: number;
  readonly messageStats: { readonly updatesRecv: number };
  readonly neighborCapabilities: { readonly addressFamiliesByPeer: object };
}

describe("BGP speaker with two FRR spines", function () {
  this.timeout(30_000);
  const lab = new BgpLab();
  let gobgpd: Gobgpd;
  let spines: Frr[];
  let speaker: BgpSpeaker;
  const desired = gateway({
    peers: [
      { address: "10.9.0.1", asn: 65100, localAddress: "10.9.0.0" },
      { address: "10.9.0.3", asn: 65100, localAddress: "10.9.0.2" },
    ],
  });

  before(async () => {
    await lab.link("gw", "10.9.0.0/31", "spine1", "10.9.0.1/31");
    await lab.link("gw", "10.9.0.2/31", "spine2", "10.9.0.3/31");
    for (const spine of ["spine1", "spine2"]) await lab.ip(spine, "addr", "add", "10.255.1.1/32", "dev", "lo");
    gobgpd = await lab.gobgpd("gw");
    spines = [
      await lab.frr("spine1", spineConfiguration("spine1", "10.9.0.0")),
      await lab.frr("spine2", spineConfiguration("spine2", "10.9.0.2")),
    ];
    speaker = new BgpSpeaker({ socketPath: gobgpd.socketPath, log: SILENT });
    speaker.start();
    await speaker.apply(desired);
    await until("sessions", () => speaker.snapshot().peers.every(({ state }) => state === "established"), 25_000);
  });

  after(async () => {
    await speaker?.stop();
    await lab.close();
  });

  async function route(spine: number, prefix: string): Promise<FrrPath | undefined> {
    const answer = JSON.parse((await spines[spine]?.show("bgp l2vpn evpn route detail json")) ?? "");
    const [address, length] = prefix.split("/");
    return answer["10.255.2.1:1"]?.[`[5]:[0]:[${length}]:[${address}]`]?.paths?.[0]?.[0];
  }

  async function neighbor(spine: number, address: string): Promise<FrrNeighbor> {
    return JSON.parse((await spines[spine]?.show(`bgp neighbors ${address} json`)) ?? "")[address];
  }

  it("has its type-5 routes valid at each, with every attribute", async () => {
    for (const spine of [0, 1]) {
      const path = await until("valid route", async () => {
        const found = await route(spine, "10.2.1.0/24");
        return found?.valid && found;
      });
      assert.equal(path.VNI, "100001");
      assert.equal(path.metric, 10);
      assert.equal(path.aspath.string, "65534");
      assert.equal(path.community?.string, "50001:0");
      assert.equal(path.extendedCommunity.string, "RT:65534:100001 ET:8 Rmac:02:02:00:00:00:01");
      assert.deepEqual(
        path.nexthops.map(({ ip, accessible }) => [ip, accessible]),
        [["10.255.2.1", true]],
      );
    }
  });

  it("prepends its AS as often as asked", async () => {
    const overlay = [anchor("192.0.2.1/32"), type5("10.2.1.0/24", { prepend: 2 })];
    await speaker.apply({ ...desired, overlay });
    await until("prepended", async () => (await route(0, "10.2.1.0/24"))?.aspath.string === "65534 65534 65534");
    await speaker.apply(desired);
    await until("as before", async () => (await route(0, "10.2.1.0/24"))?.aspath.string === "65534");
  });

  it("holds sessions of 9 s with graceful restart for IPv4 alone", async () => {
    const { bgpTimerHoldTimeMsecs, neighborCapabilities } = await neighbor(0, "10.9.0.0");
    assert.equal(bgpTimerHoldTimeMsecs, 9000);
    assert.deepEqual(Object.keys(neighborCapabilities.addressFamiliesByPeer), ["ipv4Unicast"]);
  });

  it("takes over without an update or a new session at either", async () => {
    const before = await Promise.all([neighbor(0, "10.9.0.0"), neighbor(1, "10.9.0.2")]);
    await speaker.stop();
    speaker = new BgpSpeaker({ socketPath: gobgpd.socketPath, log: SILENT });
    speaker.start();
    await speaker.apply(desired);
    await speaker.apply({ ...desired, overlay: [...desired.overlay, type5("10.2.9.0/24")] });
    for (const spine of [0, 1]) await until("marker", () => route(spine, "10.2.9.0/24"));
    const now = await Promise.all([neighbor(0, "10.9.0.0"), neighbor(1, "10.9.0.2")]);
    for (const spine of [0, 1]) {
      const then = before[spine];
      assert.ok(then);
      assert.equal(now[spine]?.messageStats.updatesRecv, then.messageStats.updatesRecv + 1);
      assert.equal(now[spine]?.connectionsEstablished, then.connectionsEstablished);
    }
  });

  it("has both spines as equal next hops to the leaf, and one less as soon as a session ends", async () => {
    const nextHops = () => speaker.snapshot().underlay.find(({ prefix }) => prefix === "10.255.1.1/32")?.nextHops;
    await until("both", () => nextHops()?.length === 2);
    assert.deepEqual(nextHops(), ["10.9.0.1", "10.9.0.3"]);
    const startMs = performance.now();
    await spines[0]?.kill();
    await until("one", () => nextHops()?.length === 1, 200);
    assert.ok(performance.now() - startMs < 200);
    assert.deepEqual(nextHops(), ["10.9.0.3"]);
  });
});
