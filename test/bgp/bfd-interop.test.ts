// Against FRR's bfdd and BIRD, many sessions at once: each has addresses (FRR) or a link (BIRD) of its own.

import assert from "node:assert/strict";
import type { AuthConfig } from "../../bgp/bfd/auth.ts";
import type { DesiredSession } from "../../bgp/bfd/client.ts";
import { BfdLab, type Bird, type Fabgate, type Frr, sessionOf, transitionsOf } from "./bfd-lab.ts";
import { until } from "./lab.ts";

interface Timers {
  readonly tx: number;
  readonly rx: number;
  readonly mult: number;
}

interface Case {
  readonly name: string;
  readonly ours: Timers;
  readonly theirs: Timers;
  readonly passive?: "ours" | "theirs";
  readonly auth?: AuthConfig;
}

function even(ms: number): Case {
  const timers = { tx: ms, rx: ms, mult: 3 };
  return { name: `${ms} ms × 3`, ours: timers, theirs: timers };
}

const CASES: readonly Case[] = [
  // Ten milliseconds with a multiplier that lets this machine do other things as well.
  { name: "10 ms × 20", ours: { tx: 10, rx: 10, mult: 20 }, theirs: { tx: 10, rx: 10, mult: 20 } },
  even(50),
  even(100),
  even(300),
  even(1000),
  { name: "unequal timers", ours: { tx: 50, rx: 200, mult: 4 }, theirs: { tx: 100, rx: 60, mult: 5 } },
  { name: "a passive neighbour", ours: even(100).ours, theirs: even(100).theirs, passive: "theirs" },
  { name: "us passive", ours: even(100).ours, theirs: even(100).theirs, passive: "ours" },
];
const PASSWORD: AuthConfig = { type: "simple-password", keyId: 4, key: "open sesame" };
const AUTH_CASES: readonly Case[] = [
  PASSWORD,
  { type: "keyed-sha1", keyId: 5, key: "between spine and us" } as const,
  { type: "meticulous-keyed-sha1", keyId: 6, key: "every packet counts" } as const,
].map((auth) => ({ ...even(100), name: auth.type, auth }));

/** What must come out of the negotiation at our end, in milliseconds. */
function negotiated({ ours, theirs }: Case): { txIntervalMs: number; detectionTimeMs: number } {
  return {
    txIntervalMs: Math.max(ours.tx, theirs.rx),
    detectionTimeMs: theirs.mult * Math.max(ours.rx, theirs.tx),
  };
}

function desired(test: Case, peer: string, localAddress: string): DesiredSession {
  return {
    peer,
    localAddress,
    desiredMinTxMs: test.ours.tx,
    requiredMinRxMs: test.ours.rx,
    detectMult: test.ours.mult,
    passive: test.passive === "ours",
    ...(test.auth ? { auth: test.auth } : {}),
  };
}

async function untilNegotiated(fabgate: Fabgate, test: Case, peer: string, localAddress: string): Promise<void> {
  await until(`${test.name} is Up with its timers`, async () => {
    const { state, txIntervalMs, detectionTimeMs } = await sessionOf(fabgate.client, peer, localAddress);
    const expected = negotiated(test);
    return state === "Up" && txIntervalMs === expected.txIntervalMs && detectionTimeMs === expected.detectionTimeMs;
  });
}

/** Also that it lasts, and that nothing was discarded on the way. */
async function expectNegotiated(fabgate: Fabgate, test: Case, peer: string, localAddress: string): Promise<void> {
  await untilNegotiated(fabgate, test, peer, localAddress);
  // Up is not just a moment.
  const { rxPackets } = await sessionOf(fabgate.client, peer, localAddress);
  await until(`${test.name} lives`, async () => {
    return (await sessionOf(fabgate.client, peer, localAddress)).rxPackets >= rxPackets + 3;
  });
  assert.deepEqual((await sessionOf(fabgate.client, peer, localAddress)).discards, {});
}

describe("BFD with FRR", function () {
  this.timeout(30_000);
  const lab = new BfdLab();
  const FRR = "10.9.1.1";
  const local = (index: number): string => `10.9.1.${10 + index}`;
  let frr: Frr;
  let fabgate: Fabgate;
  /** By case; they come Up side by side. */
  let agreed: Promise<void>[];

  const configuration = [
    "bfd",
    ...CASES.flatMap(({ theirs, passive }, index) => [
      ` peer ${local(index)} local-address ${FRR}`,
      `  detect-multiplier ${theirs.mult}`,
      `  transmit-interval ${theirs.tx}`,
      `  receive-interval ${theirs.rx}`,
      ...(passive === "theirs" ? ["  passive-mode"] : []),
      " exit",
    ]),
    "exit",
  ].join("\n");
  const sessions = CASES.map((test, index) => desired(test, FRR, local(index)));

  before(async () => {
    const locals = CASES.map((_, index) => `${local(index)}/24`);
    await lab.link("wire", "frr", [`${FRR}/24`], "gw", locals);
    [frr, fabgate] = await Promise.all([lab.frr("frr", configuration), lab.fabgate("gw")]);
    await fabgate.client.ensure(sessions);
    agreed = CASES.map((test, index) => expectNegotiated(fabgate, test, FRR, local(index)));
    await Promise.allSettled(agreed);
  });
  after(() => lab.close());

  for (const [index, test] of CASES.entries()) {
    it(`agrees on ${test.name}`, async () => {
      await agreed[index];
      assert.equal((await sessionOf(fabgate.client, FRR, local(index))).downs, 0);
      const peer = await frr.peer(local(index));
      assert.equal(peer?.status, "up");
      assert.equal(peer["remote-transmit-interval"], test.ours.tx);
      assert.equal(peer["remote-receive-interval"], test.ours.rx);
      assert.equal(peer["remote-detect-multiplier"], test.ours.mult);
    });
  }

  it("renegotiates while Up, whoever begins", async () => {
    const at = CASES.findIndex(({ name }) => name.startsWith("100 ms"));
    const slower = { ...even(100), ours: { tx: 400, rx: 500, mult: 3 } };
    await fabgate.client.ensure(
      sessions.map((session, index) => (index === at ? desired(slower, FRR, local(at)) : session)),
    );
    await expectNegotiated(fabgate, slower, FRR, local(at));
    await until("FRR knows", async () => (await frr.peer(local(at)))?.["remote-transmit-interval"] === 400);
    await frr.vtysh(
      "conf t",
      "bfd",
      `peer ${local(at)} local-address ${FRR}`,
      "transmit-interval 600",
      "receive-interval 450",
    );
    await expectNegotiated(fabgate, { ...slower, theirs: { tx: 600, rx: 450, mult: 3 } }, FRR, local(at));
    await fabgate.client.ensure(sessions);
    await frr.vtysh(
      "conf t",
      "bfd",
      `peer ${local(at)} local-address ${FRR}`,
      "transmit-interval 100",
      "receive-interval 100",
    );
    await expectNegotiated(fabgate, even(100), FRR, local(at));
  });

  it("takes a shutdown at FRR for what it is, and comes Up after it", async () => {
    const at = 1;
    fabgate.events.length = 0;
    await frr.vtysh("conf t", "bfd", `peer ${local(at)} local-address ${FRR}`, "shutdown");
    await until("Down", async () => (await sessionOf(fabgate.client, FRR, local(at))).state === "Down");
    assert.deepEqual(transitionsOf(fabgate.events, FRR), ["Up > Down neighbor-admin-down"]);
    await frr.vtysh("conf t", "bfd", `peer ${local(at)} local-address ${FRR}`, "no shutdown");
    await until("Up", async () => (await sessionOf(fabgate.client, FRR, local(at))).state === "Up");
  });

  it("tells FRR when it is switched off", async () => {
    await fabgate.client.ensure(sessions.map((session, index) => ({ ...session, adminDown: index === 2 })));
    await until("FRR is down", async () => (await frr.peer(local(2)))?.status === "down");
    assert.equal((await frr.peer(local(2)))?.["remote-diagnostic"], "administratively down");
    await fabgate.client.ensure(sessions);
    await until("FRR is up", async () => (await frr.peer(local(2)))?.status === "up");
  });

  it("notices that bfdd has died, and finds the new one", async () => {
    fabgate.events.length = 0;
    await frr.kill();
    await until("all are Down", async () =>
      (await fabgate.client.list()).sessions.every(({ state }) => state !== "Up"),
    );
    assert.ok(transitionsOf(fabgate.events, FRR).every((text) => text === "Up > Down detection-time-expired"));
    frr = await lab.frr("frr", configuration);
    await until("all are Up", async () => (await fabgate.client.list()).sessions.every(({ state }) => state === "Up"));
  });

  it("is found again by FRR after it was away for long, and not missed when it was not", async () => {
    const at = CASES.findIndex(({ name }) => name.startsWith("1000 ms"));
    await expectNegotiated(fabgate, even(1000), FRR, local(at));
    const upsBefore = (await sessionOf(fabgate.client, FRR, local(at))).ups;
    await fabgate.child.kill("SIGKILL");
    await until("FRR misses the fast ones", async () => (await frr.peer(local(1)))?.status === "down");
    fabgate = await lab.fabgate("gw");
    await until("all are Up", async () => (await fabgate.client.list()).sessions.every(({ state }) => state === "Up"));
    // 3 s of detection time: FRR has not noticed.
    assert.equal((await sessionOf(fabgate.client, FRR, local(at))).ups, upsBefore);
  });
});

describe("BFD with BIRD", function () {
  this.timeout(30_000);
  const lab = new BfdLab();
  const cases = [...CASES, ...AUTH_CASES];
  const bird4 = (index: number): string => `10.9.${20 + index}.1`;
  const local = (index: number): string => `10.9.${20 + index}.2`;
  let bird: Bird;
  let fabgate: Fabgate;
  /** By case; they come Up side by side. */
  let agreed: Promise<void>[];

  const sessions = cases.map((test, index) => desired(test, bird4(index), local(index)));

  function configuration(list: readonly Case[]): string {
    const interfaces = list.map(({ theirs, passive, auth }, index) => {
      const type = auth?.type.replace("simple-password", "simple").replaceAll("-", " ");
      const security = auth ? `authentication ${type}; password "${auth.key}" { id ${auth.keyId}; };` : "";
      const timers = `min tx interval ${theirs.tx} ms; min rx interval ${theirs.rx} ms; multiplier ${theirs.mult};`;
      return `interface "w${index}" { ${timers} passive ${passive === "theirs" ? "yes" : "no"}; ${security} };`;
    });
    const neighbors = list.map((_, index) => `neighbor ${local(index)} dev "w${index}" local ${bird4(index)};`);
    return ["router id 10.9.0.1;", "protocol device {}", "protocol bfd {", ...interfaces, ...neighbors, "}"].join("\n");
  }

  before(async () => {
    for (const index of cases.keys())
      await lab.link(`w${index}`, "bird", [`${bird4(index)}/24`], "gw", [`${local(index)}/24`]);
    [bird, fabgate] = await Promise.all([lab.bird("bird", configuration(cases)), lab.fabgate("gw")]);
    await fabgate.client.ensure(sessions);
    agreed = cases.map((test, index) => expectNegotiated(fabgate, test, bird4(index), local(index)));
    await Promise.allSettled(agreed);
  });
  after(() => lab.close());

  for (const [index, test] of cases.entries()) {
    it(`agrees on ${test.name}`, async () => {
      await agreed[index];
      assert.equal((await sessionOf(fabgate.client, bird4(index))).downs, 0);
      assert.match((await bird.session(local(index))) ?? "", / Up /);
    });
  }

  it("renegotiates while Up, whoever begins", async () => {
    const at = cases.findIndex(({ name }) => name.startsWith("100 ms"));
    const slower = { ...even(100), ours: { tx: 400, rx: 500, mult: 3 } };
    await fabgate.client.ensure(
      sessions.map((session, index) => (index === at ? desired(slower, bird4(at), local(at)) : session)),
    );
    await expectNegotiated(fabgate, slower, bird4(at), local(at));
    const theirs = { ...slower, theirs: { tx: 600, rx: 450, mult: 5 } };
    await bird.configure(configuration(cases.map((test, index) => (index === at ? theirs : test))));
    await expectNegotiated(fabgate, theirs, bird4(at), local(at));
    await Promise.all([bird.configure(configuration(cases)), fabgate.client.ensure(sessions)]);
    await expectNegotiated(fabgate, even(100), bird4(at), local(at));
  });

  it("does not come Up with another key, and counts why", async () => {
    const at = cases.findIndex(({ name }) => name === "meticulous-keyed-sha1");
    const peer = bird4(at);
    const wrong = sessions.map((session, index) => {
      return index === at && session.auth ? { ...session, auth: { ...session.auth, key: "another" } } : session;
    });
    await fabgate.client.ensure(wrong);
    await until("Down", async () => (await sessionOf(fabgate.client, peer)).state === "Down");
    await until("counted", async () => ((await sessionOf(fabgate.client, peer)).discards["auth-mismatch"] ?? 0) > 2);
    await fabgate.client.ensure(sessions);
    await until("Up", async () => (await sessionOf(fabgate.client, peer)).state === "Up");
  });

  it("notices that BIRD has died, and finds the new one", async () => {
    await bird.child.kill("SIGKILL");
    await until("all are Down", async () =>
      (await fabgate.client.list()).sessions.every(({ state }) => state !== "Up"),
    );
    bird = await lab.bird("bird", configuration(cases));
    await until("all are Up", async () => (await fabgate.client.list()).sessions.every(({ state }) => state === "Up"));
  });

  it("goes on with BIRD after an orderly restart, authentication included", async () => {
    for (const [index, test] of cases.entries()) await untilNegotiated(fabgate, test, bird4(index), local(index));
    // Ten times 10 ms are not enough to start a process, ten times the second that it asks for before it ends are.
    await fabgate.client.ensure(sessions.map((session) => ({ ...session, detectMult: 10 })));
    const transitionsBefore = await Promise.all(
      cases.map(async (_, index) => {
        const { ups, downs } = await sessionOf(fabgate.client, bird4(index));
        return { ups, downs };
      }),
    );
    await fabgate.child.kill("SIGTERM");
    fabgate = await lab.fabgate("gw");
    await until("the first event", () => fabgate.events.length > 0);
    const [first] = fabgate.events;
    assert.ok(first?.type === "sessions");
    assert.deepEqual([...new Set(first.sessions.map(({ state }) => state))], ["Up"]);
    for (const index of cases.keys()) {
      assert.match((await bird.session(local(index))) ?? "", / Up /);
      const { ups, downs } = await sessionOf(fabgate.client, bird4(index));
      assert.deepEqual({ ups, downs }, transitionsBefore[index]);
    }
  });
});
