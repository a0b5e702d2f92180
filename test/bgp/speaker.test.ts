import assert from "node:assert/strict";
import type { BgpDesired, BgpSnapshot } from "../../bgp/desired.ts";
import { BgpError } from "../../bgp/errors.ts";
import { GobgpClient, type WatchHandler } from "../../bgp/gobgp/client.ts";
import { type AttributeMessage, IPV4_UNICAST, pack } from "../../bgp/gobgp/messages.ts";
import { BgpSpeaker, CONNECT_WAIT_MS, SETTLE_MS } from "../../bgp/speaker.ts";
import { BgpLab, type Gobgpd, until } from "./lab.ts";
import { evpnPath, LEAF, LEAF_RD, leafCommunities, leafMacIp, leafPrefix, NO_ESI, RawGobgp } from "./raw.ts";
import { anchor, gateway, neighbor, SILENT, type5 } from "./samples.ts";

/** gw: the speaker under test; spine: eBGP; twin: iBGP. All gobgpd. */
describe("BGP speaker", function () {
  this.timeout(60_000);
  const lab = new BgpLab();
  let ours: Gobgpd;
  let spine: Gobgpd;
  let twin: Gobgpd;
  let speaker: BgpSpeaker;
  let spineSpeaker: BgpSpeaker;
  let twinSpeaker: BgpSpeaker;
  let leaf: RawGobgp;

  const peers = [
    { address: "10.9.0.1", asn: 65100, localAddress: "10.9.0.0" },
    { address: "10.9.1.1", asn: 65534 },
  ];
  const desired = (changes: Partial<BgpDesired> = {}): BgpDesired => gateway({ peers, ...changes });
  const twinPeers = [{ address: "10.9.1.0", asn: 65534 }];

  before(async () => {
    await lab.link("gw", "10.9.0.0/31", "spine", "10.9.0.1/31");
    await lab.link("gw", "10.9.1.0/31", "twin", "10.9.1.1/31");
    ours = await lab.gobgpd("gw");
    spine = await lab.gobgpd("spine");
    twin = await lab.gobgpd("twin");
    speaker = started(ours);
    spineSpeaker = started(spine);
    twinSpeaker = started(twin);
    await spineSpeaker.apply(neighbor());
    await twinSpeaker.apply(neighbor({ asn: 65534, routerId: "10.255.2.2", peers: twinPeers }));
    await speaker.apply(desired());
    leaf = new RawGobgp(spine.socketPath);
    // Two gobgpd that call each other at the same time take several rounds of five seconds.
    await until("sessions", () => allEstablished(), 45_000);
  });

  after(async () => {
    leaf?.close();
    for (const each of [speaker, spineSpeaker, twinSpeaker]) await each?.stop();
    await lab.close();
  });

  function allEstablished(): boolean {
    return established(speaker, 2) && established(spineSpeaker, 1) && established(twinSpeaker, 1);
  }

  /** Whether a prefix of ours has reached the spine. */
  function atSpine(prefix: string): boolean {
    return spineSpeaker.snapshot().overlay.some((path) => path.prefix === prefix);
  }

  it("announces a type-5 route with all its attributes", async () => {
    await until("route at the spine", () => atSpine("10.2.1.0/24"));
    const [path] = await evpnAt(spine, "10.2.1.0/24");
    assert.deepEqual(path, {
      rd: "10.255.2.1:1",
      label: 100001,
      origin: 0,
      asPath: [65534],
      nextHop: "10.255.2.1",
      med: 10,
      localPref: undefined,
      communities: [50001 * 65536],
      extended: [
        { type: 0, subtype: 2, value: "65534:100001" },
        { type: 3, subtype: 12, tunnel_type: 8 },
        { type: 6, subtype: 3, mac: "02:02:00:00:00:01" },
      ],
    });
  });

  it("sends LOCAL_PREF to the iBGP neighbour only, and leaves the next hop there alone", async () => {
    const [path] = await until("route at the twin", async () => nonEmpty(await evpnAt(twin, "10.2.1.0/24")));
    assert.equal(path?.localPref, 999);
    assert.equal(path?.nextHop, "10.255.2.1");
    assert.deepEqual(path?.asPath, []);
    const [external] = await evpnAt(spine, "10.2.1.0/24");
    assert.equal(external?.localPref, undefined);
  });

  it("announces an anchor without community and MED", async () => {
    const [path] = await until("anchor at the spine", async () => nonEmpty(await evpnAt(spine, "192.0.2.1/32")));
    assert.equal(path?.communities, undefined);
    assert.equal(path?.med, undefined);
  });

  it("announces the VTEP with its own address on each session as next hop", async () => {
    await until("VTEP", () => spineSpeaker.snapshot().underlay.length > 0);
    assert.deepEqual(spineSpeaker.snapshot().underlay, [{ prefix: "10.255.2.1/32", nextHops: ["10.9.0.0"] }]);
  });

  it("sends one update for one changed route, at once", async () => {
    const before = await spine.updatesFrom("10.9.0.0");
    const startMs = performance.now();
    const changed = type5("10.2.1.0/24", { med: 20, communities: ["50001:1"] });
    await speaker.apply(desired({ overlay: [anchor("192.0.2.1/32"), changed] }));
    await until("new MED", async () => (await evpnAt(spine, "10.2.1.0/24"))[0]?.med === 20);
    assert.ok(performance.now() - startMs < 1000);
    assert.equal(await spine.updatesFrom("10.9.0.0"), before + 1);
    await speaker.apply(desired());
    await until("old MED", async () => (await evpnAt(spine, "10.2.1.0/24"))[0]?.med === 10);
  });

  it("lets a new speaker take over without a single update or session event", async () => {
    await speaker.apply(desired());
    const before = await spine.updatesFrom("10.9.0.0");
    await speaker.stop();
    speaker = started(ours);
    await speaker.apply(desired());
    await until("initial dump", () => speaker.snapshot().synced);
    assert.ok(established(speaker, 2));
    // A marker route shows that everything before it has arrived.
    await speaker.apply(desired({ overlay: [...desired().overlay, type5("10.2.9.0/24")] }));
    await until("marker", () => atSpine("10.2.9.0/24"));
    assert.equal(await spine.updatesFrom("10.9.0.0"), before + 1);
  });

  it("learns type-5 and type-2 routes within 50 ms of the neighbour's announcement", async () => {
    const announcements = [
      evpnPath(leafPrefix("10.1.1.0", 24, 100001), leafCommunities(100001)),
      evpnPath(leafMacIp("02:aa:00:00:00:01", "10.1.1.5", [10010, 100001]), leafCommunities(10010, 100001)),
    ];
    for (const [path, prefix] of [
      [announcements[0], "10.1.1.0/24"],
      [announcements[1], "10.1.1.5/32"],
    ] as const) {
      assert.ok(path);
      const startMs = performance.now();
      await leaf.addPaths([path]);
      const found = await changed(speaker, ({ overlay }) => overlay.find((each) => each.prefix === prefix));
      const tookMs = performance.now() - startMs;
      assert.deepEqual(found, {
        vni: 100001,
        prefix,
        vtep: LEAF,
        routerMac: "02:01:00:00:01:01",
        rd: "10.255.1.1:1",
        peer: "10.9.0.1",
      });
      assert.ok(tookMs < 50, `took ${tookMs} ms`);
    }
  });

  it("has been told everything when a watch says that it is synced", async () => {
    // Both neighbours have something to tell, so half of it is not enough, whichever comes first.
    const twinDesired = neighbor({ asn: 65534, routerId: "10.255.2.2", peers: twinPeers });
    await twinSpeaker.apply({ ...twinDesired, underlay: ["10.255.2.2/32"] });
    await changed(speaker, ({ underlay }) => underlay.length === 1);
    const seen = new Set<string>();
    const client = new GobgpClient(ours.socketPath);
    try {
      const atSync = await new Promise<string[]>((resolve, reject) => {
        const handler: WatchHandler = {
          peer() {},
          routes: (routes) => {
            for (const { nlri } of routes) seen.add(nlri.kind);
          },
          synced: () => resolve([...seen].sort()),
          closed: reject,
        };
        client.watch(handler).catch(reject);
      });
      assert.deepEqual(atSync, ["mac-ip", "prefix", "unicast"]);
    } finally {
      client.close();
      await twinSpeaker.apply(twinDesired);
      await changed(speaker, ({ underlay }) => underlay.length === 0);
    }
  });

  it("announces IPv6 prefixes too, and knows them again after a restart", async () => {
    const overlay = [...desired().overlay, type5("2001:db8:2::/48"), type5("::/0")];
    await speaker.apply(desired({ overlay }));
    await until("at the spine", () => atSpine("2001:db8:2::/48") && atSpine("::/0"));
    await speaker.stop();
    speaker = started(ours);
    await speaker.apply(desired({ overlay }));
    const prefixes = speaker.snapshot().announced.overlay.map(({ prefix }) => prefix);
    assert.deepEqual(prefixes.sort(), overlay.map(({ prefix }) => prefix).sort());
    await speaker.apply(desired());
    await until("withdrawn", () => !atSpine("2001:db8:2::/48") && !atSpine("::/0"));
  });

  it("collects the next hops of EVPN routes of every type", async () => {
    const rd = LEAF_RD;
    const routes = [
      pack("EVPNEthernetAutoDiscoveryRoute", { rd, esi: { type: 0, value: NO_ESI.value }, ethernet_tag: 1, label: 5 }),
      pack("EVPNInclusiveMulticastEthernetTagRoute", { rd, ethernet_tag: 0, ip_address: "10.255.1.3" }),
      pack("EVPNEthernetSegmentRoute", { rd, esi: NO_ESI, ip_address: "10.255.1.4" }),
    ];
    await leaf.addPaths(routes.map((nlri, n) => evpnPath(nlri, [], { nextHop: `10.255.1.${n + 11}` })));
    const expected = [LEAF, "10.255.1.11", "10.255.1.12", "10.255.1.13"];
    await changed(speaker, ({ vteps }) => expected.every((vtep) => vteps.includes(vtep)));
    await leaf.addPaths(routes.map((nlri) => evpnPath(nlri, [], { withdraw: true })));
    await changed(speaker, ({ vteps }) => vteps.length === 1);
  });

  it("does not pass on to one neighbour what another told", async () => {
    await leaf.addPaths([underlayPath("10.255.1.1", 32)]);
    await changed(speaker, ({ underlay }) => underlay.length > 0);
    // What is announced after it arrives; so it would have arrived.
    await speaker.apply(desired({ overlay: [type5("10.2.8.0/24")] }));
    await until("marker at the twin", async () => (await evpnAt(twin, "10.2.8.0/24")).length > 0);
    assert.deepEqual(await evpnAt(twin, "10.1.1.0/24"), []);
    assert.deepEqual(
      twinSpeaker.snapshot().underlay.map(({ prefix }) => prefix),
      ["10.255.2.1/32"],
    );
    await speaker.apply(desired());
  });

  it("withdraws the overlay first and the VTEP only when that has settled", async () => {
    const events: [what: string, atMs: number][] = [];
    const note = ({ overlay, underlay }: BgpSnapshot): void => {
      if (overlay.length === 0 && events.length === 0) events.push(["overlay", performance.now()]);
      if (underlay.length === 0 && events.length === 1) events.push(["underlay", performance.now()]);
    };
    await until("routes at the spine", () => atSpine("192.0.2.1/32"));
    spineSpeaker.on("change", note);
    await speaker.withdrawAll();
    await until("withdrawn", () => events.length === 2);
    spineSpeaker.off("change", note);
    const [overlay, underlay] = events;
    assert.ok(overlay && underlay && underlay[1] - overlay[1] > SETTLE_MS - 50);
    assert.deepEqual(speaker.snapshot().announced, { underlay: [], overlay: [] });
    assert.ok(established(speaker, 2));
  });

  it("has the VTEP at the neighbour before any overlay route", async () => {
    let bad = 0;
    const note = ({ overlay, underlay }: BgpSnapshot): void => {
      if (overlay.length > 0 && underlay.length === 0) bad++;
    };
    spineSpeaker.on("change", note);
    await speaker.apply(desired());
    await until("announced", () => atSpine("10.2.1.0/24"));
    spineSpeaker.off("change", note);
    assert.equal(bad, 0);
  });

  it("applies only the newest of several calls, and resolves them all", async () => {
    const calls = [1, 2, 3, 4, 5].map((n) => speaker.apply(desired({ overlay: [type5(`10.3.${n}.0/24`)] })));
    await Promise.all(calls);
    assert.deepEqual(
      speaker.snapshot().announced.overlay.map(({ prefix }) => prefix),
      ["10.3.5.0/24"],
    );
    await until("newest", () => atSpine("10.3.5.0/24"));
    assert.equal(atSpine("10.3.1.0/24"), false);
    await speaker.apply(desired());
  });

  it("refuses an invalid route and keeps the state before it", async () => {
    await rejects(speaker.apply(desired({ overlay: [type5("10.2.1.0/24", { vni: 0 })] })), "invalid");
    assert.equal(speaker.snapshot().announced.overlay.length, 2);
  });

  it("reports what gobgpd refuses", async () => {
    await rejects(speaker.apply(desired({ overlay: [type5("10.2.1.0/24", { nextHop: "nonsense" })] })), "refused");
    await speaker.apply(desired());
  });

  it("drops a neighbour's routes at once when its session goes down, stale underlay routes too", async () => {
    await changed(speaker, ({ underlay, overlay }) => underlay.length > 0 && overlay.length > 0);
    const startMs = performance.now();
    await spine.kill("SIGKILL");
    const state = await changed(speaker, (now) => now.underlay.length === 0 && now.overlay.length === 0 && now);
    assert.ok(performance.now() - startMs < 200);
    assert.deepEqual(state.vteps, []);
    assert.notEqual(state.peers.find(({ address }) => address === "10.9.0.1")?.state, "established");
    assert.equal(state.peers.find(({ address }) => address === "10.9.1.1")?.state, "established");
  });

  it("learns them again when the neighbour is back", async () => {
    await spine.start();
    await leaf.addPaths([underlayPath("10.255.1.1", 32)]).catch(() => {});
    await until("sessions", () => allEstablished(), 45_000);
    await leaf.addPaths([evpnPath(leafPrefix("10.1.1.0", 24, 100001), leafCommunities(100001))]);
    await changed(speaker, ({ overlay }) => overlay.length === 1);
  });

  it("notices a killed gobgpd within 200 ms, keeps what was learned, and brings everything back with it", async () => {
    const startMs = performance.now();
    await ours.kill("SIGKILL");
    const state = await changed(speaker, (now) => !now.connected && now);
    assert.ok(performance.now() - startMs < 200);
    assert.equal(state.synced, false);
    assert.equal(state.overlay.length, 1);
    assert.ok(state.peers.every((peer) => peer.state === "idle"));
    await ours.start();
    await until("sessions", () => allEstablished(), 45_000);
    await until("routes at the spine", () => atSpine("10.2.1.0/24") && atSpine("192.0.2.1/32"));
    await changed(speaker, ({ overlay, synced }) => synced && overlay.length === 1);
  });

  it("removes a neighbour, and its routes and its state with it", async () => {
    await speaker.apply(desired({ peers: peers.slice(1) }));
    const { overlay, peers: left } = speaker.snapshot();
    assert.deepEqual(overlay, []);
    assert.deepEqual(
      left.map(({ address }) => address),
      ["10.9.1.1"],
    );
  });

  it("starts BGP anew for another AS number", async () => {
    await speaker.apply(gateway({ asn: 65533, peers: [] }));
    const answer = (await ours.cli("global")) as { asn: number; router_id: string };
    assert.equal(answer.asn, 65533);
    assert.deepEqual(speaker.snapshot().peers, []);
    assert.equal(speaker.snapshot().announced.overlay.length, 2);
    assert.equal((await evpnAt(ours, "10.2.1.0/24")).length, 1);
  });
});

describe("BGP speaker without gobgpd", function () {
  this.timeout(30_000);
  const lab = new BgpLab();
  let speaker: BgpSpeaker | undefined;

  after(async () => {
    await speaker?.stop();
    await lab.close();
  });

  it("says so within a few seconds, and applies the state when gobgpd comes", async () => {
    const gobgpd = await lab.gobgpd("late");
    await gobgpd.kill("SIGTERM");
    speaker = started(gobgpd);
    const startMs = performance.now();
    await rejects(speaker.apply(gateway()), "not-connected");
    assert.ok(performance.now() - startMs < CONNECT_WAIT_MS + 500);
    await gobgpd.start();
    const { announced } = await changed(speaker, (now) => now.announced.overlay.length === 2 && now);
    assert.deepEqual(announced.underlay, ["10.255.2.1/32"]);
  });

  it("rejects what waits, and what comes after, when it is stopped", async () => {
    const stopped = new BgpSpeaker({ socketPath: "/nonexistent/gobgp.sock", log: SILENT });
    stopped.start();
    const waiting = rejects(stopped.apply(gateway()), "stopped");
    await stopped.stop();
    await waiting;
    await rejects(stopped.apply(gateway()), "stopped");
  });
});

function started({ socketPath }: Gobgpd): BgpSpeaker {
  const speaker = new BgpSpeaker({ socketPath, log: SILENT });
  speaker.start();
  return speaker;
}

function established(speaker: BgpSpeaker, count: number): boolean {
  const { peers } = speaker.snapshot();
  return peers.length === count && peers.every(({ state }) => state === "established");
}

/** Waits for a "change" event, and only for that, whose snapshot satisfies `probe`. */
async function changed<T>(speaker: BgpSpeaker, probe: (now: BgpSnapshot) => T | undefined | false): Promise<T> {
  return await new Promise((resolve, reject) => {
    const look = (): void => {
      const value = probe(speaker.snapshot());
      if (value === undefined || value === false) return;
      clearTimeout(timer);
      speaker.off("change", look);
      resolve(value);
    };
    const timer = setTimeout(() => {
      speaker.off("change", look);
      reject(new Error(`not seen: ${probe}; last: ${JSON.stringify(speaker.snapshot())}`));
    }, 10_000);
    speaker.on("change", look);
    look();
  });
}

async function rejects(promise: Promise<void>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof BgpError && error.code === code);
}

function nonEmpty<T>(list: T[]): T[] | undefined {
  return list.length > 0 ? list : undefined;
}

function underlayPath(prefix: string, prefix_len: number) {
  const attributes: AttributeMessage[] = [
    pack("OriginAttribute", { origin: 0 }),
    pack("NextHopAttribute", { next_hop: "0.0.0.0" }),
  ];
  const nlri = pack("IPAddressPrefix", { prefix, prefix_len });
  return { family: IPV4_UNICAST, is_withdraw: false, nlri, pattrs: attributes };
}

/** A path as the gobgp command prints it; attributes by their type code (RFC 4271, 1997, 4360, 4760). */
interface PrintedPath {
  readonly nlri: { readonly value: { readonly rd: { admin: string; assigned: number }; readonly label: number } };
  readonly attrs: readonly {
    readonly type: number;
    readonly value?: unknown;
    readonly as_paths?: readonly { readonly asns: readonly number[] }[];
    readonly nexthop?: string;
    readonly metric?: number;
    readonly communities?: readonly number[];
  }[];
}

/** The paths to an EVPN prefix that a node holds, read with the gobgp command: a second opinion on our own decoding. */
async function evpnAt(node: Gobgpd, prefix: string) {
  const table = (await node.cli("global", "rib", "-a", "evpn")) as Record<string, PrintedPath[]>;
  const found = Object.entries(table).filter(([name]) => name.endsWith(`[prefix:${prefix}]`));
  return found
    .flatMap(([, paths]) => paths)
    .map(({ nlri, attrs }) => {
      const attribute = (type: number) => attrs.find((each) => each.type === type);
      return {
        rd: `${nlri.value.rd.admin}:${nlri.value.rd.assigned}`,
        label: nlri.value.label,
        origin: attribute(1)?.value,
        asPath: (attribute(2)?.as_paths ?? []).flatMap(({ asns }) => asns),
        nextHop: attribute(14)?.nexthop,
        med: attribute(4)?.metric,
        localPref: attribute(5)?.value,
        communities: attribute(8)?.communities,
        extended: attribute(16)?.value,
      };
    });
}
