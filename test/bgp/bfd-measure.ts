// Measurements of `fabgate bfd` in network namespaces: `npx tsx test/bgp/bfd-measure.ts detection|cpu|load|restart`. They take seconds to half a
// minute each and print one JSON line a row. Not part of the tests: numbers, not conditions.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { DesiredSession } from "../../bgp/bfd/client.ts";
import { BfdLab, batch, type Fabgate, sessionOf } from "./bfd-lab.ts";
import { until } from "./lab.ts";

const GATEWAY = "10.9.0.1";
const CLOCK_TICKS_PER_S = 100;
let lab = new BfdLab();

function row(fields: object): void {
  console.log(JSON.stringify(fields));
}

function spread(samples: readonly number[]): object {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (part: number): number => Math.round((sorted[Math.floor(part * (sorted.length - 1))] ?? 0) * 10) / 10;
  return { n: sorted.length, min: at(0), p10: at(0.1), median: at(0.5), p90: at(0.9), max: at(1) };
}

/** A gateway and a peer with `count` addresses, a session between each of them and the gateway. */
async function pair(count: number, timers: Omit<DesiredSession, "peer">): Promise<[Fabgate, Fabgate, string[]]> {
  const peers = Array.from({ length: count }, (_, i) => `10.9.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`);
  await lab.link("wire", "gw", [`${GATEWAY}/16`], "peer", []);
  await batch(
    await lab.netns("peer"),
    peers.map((address) => `addr add ${address}/16 dev wire`),
  );
  const [gateway, peer] = await Promise.all([lab.fabgate("gw"), lab.fabgate("peer")]);
  await Promise.all([
    gateway.client.ensure(peers.map((address) => ({ ...timers, peer: address }))),
    peer.client.ensure(peers.map((localAddress) => ({ ...timers, peer: GATEWAY, localAddress }))),
  ]);
  await settled(gateway, timers);
  await settled(peer, timers);
  return [gateway, peer, peers];
}

async function settled({ client }: Fabgate, { desiredMinTxMs }: Omit<DesiredSession, "peer">): Promise<void> {
  await until(
    "all sessions are Up at full speed",
    async () =>
      (await client.list()).sessions.every(
        (session) => session.state === "Up" && session.txIntervalMs === desiredMinTxMs,
      ),
    30_000,
  );
}

/** CPU time of a process in seconds. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_S;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** From the peer's last possible packet (it is stopped) to the transition, as the gateway stamps it. */
async function detection(): Promise<void> {
  for (const intervalMs of [50, 100]) {
    const timers = { desiredMinTxMs: intervalMs, requiredMinRxMs: intervalMs, detectMult: 3 };
    const [gateway, peer] = await pair(40, timers);
    const samples: number[] = [];
    for (let round = 0; round < 5; round++) {
      await settled(gateway, timers);
      await settled(peer, timers);
      // Not in step with the packets.
      await pause(100 + 97 * round);
      gateway.events.length = 0;
      const stoppedMs = Date.now();
      peer.child.signal("SIGSTOP");
      await until("all are Down", () => gateway.events.length >= 40);
      for (const event of gateway.events) if (event.type === "transition") samples.push(event.atMs - stoppedMs);
      peer.child.signal("SIGCONT");
      await until("all are Up", async () =>
        (await gateway.client.list()).sessions.every(({ state }) => state === "Up"),
      );
    }
    row({ detectionMs: `${intervalMs} × 3`, ...spread(samples) });
    await lab.close();
    lab = new BfdLab();
  }
}

async function cpu(): Promise<void> {
  const [gateway] = await pair(500, { desiredMinTxMs: 300, requiredMinRxMs: 300, detectMult: 3 });
  const before = await cpuSeconds(gateway.child.pid);
  const beganMs = performance.now();
  await pause(10_000);
  const seconds = (performance.now() - beganMs) / 1000;
  const percent = ((await cpuSeconds(gateway.child.pid)) - before) / seconds;
  const { sessions } = await gateway.client.list();
  const rssMb = Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${gateway.child.pid}/status`, "utf8"))?.[1]) / 1024;
  const downs = sessions.reduce((sum, session) => sum + session.downs, 0);
  row({ sessions: sessions.length, percentOfACore: Math.round(percent * 1000) / 10, rssMb: Math.round(rssMb), downs });
}

/** Busy loops of normal priority on every core, three to a core. */
async function load(): Promise<void> {
  const [gateway, peer] = await pair(10, { desiredMinTxMs: 50, requiredMinRxMs: 50, detectMult: 3 });
  // Sessions of their own, as services have: autogroup gives each its share.
  const hogs = Array.from({ length: 6 }, () =>
    spawn("setsid", ["sh", "-c", "while :; do :; done"], { stdio: "ignore" }),
  );
  await pause(20_000);
  for (const hog of hogs) hog.kill("SIGKILL");
  for (const [name, { client }] of Object.entries({ gateway, peer })) {
    const { sessions } = await client.list();
    row({ load: name, sessions: sessions.length, downs: sessions.reduce((sum, session) => sum + session.downs, 0) });
  }
}

/** Silence of a crash and new start of the gateway's process, as the peer's sessions see it. */
async function restart(): Promise<void> {
  const [gateway, peer, peers] = await pair(4, { desiredMinTxMs: 300, requiredMinRxMs: 300, detectMult: 10 });
  const received = async (): Promise<number> => (await sessionOf(peer.client, GATEWAY, peers[0])).rxPackets;
  const samples: number[] = [];
  let running = gateway;
  for (let round = 0; round < 5; round++) {
    await running.child.kill("SIGKILL");
    const [before, diedMs] = [await received(), performance.now()];
    const started = lab.fabgate("gw");
    await until("the first packet", async () => (await received()) > before);
    samples.push(performance.now() - diedMs);
    running = await started;
  }
  const { sessions } = await peer.client.list();
  row({
    restartSilenceMs: "from death",
    ...spread(samples),
    downs: sessions.reduce((sum, { downs }) => sum + downs, 0),
  });
}

const measurements = { detection, cpu, load, restart } as const;
const name = process.argv[2] ?? "";
if (!(name in measurements)) throw new Error(`one of ${Object.keys(measurements).join(", ")}`);
try {
  await measurements[name as keyof typeof measurements]();
} finally {
  await lab.close();
}
