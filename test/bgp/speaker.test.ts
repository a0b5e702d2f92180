import assert from "node:assert/strict";
import type { BgpSnapshot } from "../../bgp/desired.ts";
import { BgpSpeaker } from "../../bgp/speaker.ts";
import { BgpLab, type Gobgpd, until } from "./lab.ts";
import { gateway, neighbor, SILENT, type5 } from "./samples.ts";

describe("BGP speaker with a gobgpd as neighbour", function () {
  this.timeout(30_000);
  const lab = new BgpLab();
  let ours: Gobgpd;
  let theirs: Gobgpd;
  let speaker: BgpSpeaker;
  let peer: BgpSpeaker;

  before(async () => {
    await lab.link("gw", "10.9.0.0/31", "spine", "10.9.0.1/31");
    ours = await lab.gobgpd("gw");
    theirs = await lab.gobgpd("spine");
    speaker = new BgpSpeaker({ socketPath: ours.socketPath, log: SILENT });
    peer = new BgpSpeaker({ socketPath: theirs.socketPath, log: SILENT });
    speaker.start();
    peer.start();
    await peer.apply(neighbor());
    await speaker.apply(gateway());
    await until("session", () => established(speaker.snapshot()) && established(peer.snapshot()));
  });

  after(async () => {
    await speaker.stop();
    await peer.stop();
    await lab.close();
  });

  it("announces a type-5 route with all its attributes", async () => {
    await until("route at the neighbour", () => peer.snapshot().overlay.length === 2);
    assert.deepEqual(
      peer.snapshot().overlay.find(({ prefix }) => prefix === "10.2.1.0/24"),
      {
        vni: 100001,
        prefix: "10.2.1.0/24",
        vtep: "10.255.2.1",
        routerMac: "02:02:00:00:00:01",
        rd: "10.255.2.1:1",
        peer: "10.9.0.0",
      },
    );
    assert.deepEqual(peer.snapshot().underlay, [{ prefix: "10.255.2.1/32", nextHops: ["10.9.0.0"] }]);
    assert.deepEqual(peer.snapshot().vteps, ["10.255.2.1"]);
  });

  it("lets a new speaker take over without a single update", async () => {
    const before = await theirs.updatesFrom("10.9.0.0");
    await speaker.stop();
    speaker = new BgpSpeaker({ socketPath: ours.socketPath, log: SILENT });
    speaker.start();
    await speaker.apply(gateway());
    // A marker route afterwards shows that everything before it has arrived.
    await speaker.apply(gateway({ overlay: [...gateway().overlay, type5("10.2.9.0/24")] }));
    await until("marker", () => peer.snapshot().overlay.some(({ prefix }) => prefix === "10.2.9.0/24"));
    assert.equal(await theirs.updatesFrom("10.9.0.0"), before + 1);
  });
});

function established({ peers }: BgpSnapshot): boolean {
  return peers.length > 0 && peers.every(({ state }) => state === "established");
}
