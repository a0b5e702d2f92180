import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { run } from "../../scenarios/lab/command.ts";
import { Lab } from "../../scenarios/lab/lab.ts";
import { waitUntil } from "../../scenarios/lab/process-id.ts";
import { conditionOf, labDirectory, readState } from "../../scenarios/lab/state.ts";
import { runScenario } from "../../scenarios/run/runner.ts";
import { readScenario } from "../../scenarios/run/scenario.ts";

const pair = resolve(import.meta.dirname, "fixtures/pair");
const topologyFile = join(pair, "topology.clab.yml");
// Other suites may run labs on this machine at the same time.
const unique = `t${process.pid}`;
const first = `${unique}-a`;
const second = `${unique}-b`;

/** Whatever there is of a lab: namespaces, processes whose arguments name its directory, mounts, state. */
async function traces(lab: string): Promise<string[]> {
  const namespaces = (await run("ip", ["netns", "list"])).stdout
    .split("\n")
    .filter((line) => line.startsWith(`fg-${lab}-`));
  const processes = readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      return readFileSync(`/proc/${entry}/cmdline`, "utf8").includes(`${labDirectory(lab)}/`);
    } catch {
      return false;
    }
  });
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(`fg-${lab}-`) || line.includes(`${labDirectory(lab)}/`));
  return [...namespaces, ...processes, ...mounts, ...(existsSync(labDirectory(lab)) ? [labDirectory(lab)] : [])];
}

async function ping(lab: Lab, from: string, address: string): Promise<boolean> {
  return (await lab.exec(from, ["ping", "-n", "-c1", "-W1", address])).code === 0;
}

describe("a lab in namespaces", function () {
  this.timeout(60_000);

  afterEach(async () => {
    for (const name of [first, second]) await Lab.remove(name);
  });

  it("comes up with its links, host names and addresses, and goes down without a trace", async () => {
    const lab = await Lab.up({ topologyFile, name: first, owned: false });
    assert.equal((await lab.exec("host-2", ["hostname"])).stdout, "host-2\n");
    assert.ok(await ping(lab, "host-1", "10.9.0.2"));
    assert.equal(conditionOf(readState(first)), "up");
    await Lab.open(first).down();
    assert.deepEqual(await traces(first), []);
  });

  it("lives beside another one of the same topology", async () => {
    const labs = await Promise.all([first, second].map((name) => Lab.up({ topologyFile, name, owned: false })));
    for (const lab of labs) assert.ok(await ping(lab, "host-1", "10.9.0.2"), lab.name);
    await Lab.remove(first);
    assert.ok(await ping(Lab.open(second), "host-1", "10.9.0.2"));
  });

  it("is not made twice under one name", async () => {
    await Lab.up({ topologyFile, name: first, owned: false });
    await assert.rejects(
      Lab.up({ topologyFile, name: first, owned: false }),
      /lab .* is up; take it down with: fabgate lab down/,
    );
  });

  it("keeps its mounts to itself: /run/netns and /etc of a node are its own", async () => {
    const lab = await Lab.up({ topologyFile, name: first, owned: false });
    await lab.exec("host-1", ["sh", "-c", "ip netns add inner && touch /etc/only-here"]);
    assert.equal((await lab.exec("host-1", ["sh", "-c", "ls /run/netns /etc/only-here"])).code, 0);
    assert.ok(!existsSync("/run/netns/inner") && !existsSync("/etc/only-here"));
    assert.notEqual((await lab.exec("host-2", ["ls", "/etc/only-here"])).code, 0);
  });

  it("loses everything on a node at power-off, and starts it clean at restore", async () => {
    const lab = await Lab.up({ topologyFile, name: first, owned: false });
    await lab.exec("host-2", ["ip", "addr", "add", "10.8.0.1/32", "dev", "lo"]);
    await lab.exec("host-2", [
      "bpftool",
      "map",
      "create",
      "/sys/fs/bpf/m",
      "type",
      "array",
      "key",
      "4",
      "value",
      "4",
      "entries",
      "1",
      "name",
      "m",
    ]);
    const pinned = async () => (await lab.exec("host-2", ["ls", "/sys/fs/bpf"])).stdout.split("\n").includes("m");
    assert.ok(await pinned());
    await lab.fail("host-2", "power-off");
    assert.ok(!lab.isOn("host-2"));
    assert.match((await lab.exec("host-1", ["ip", "link", "show", "eth1"])).stdout, /NO-CARRIER/);
    await lab.restore("host-2");
    assert.doesNotMatch((await lab.exec("host-2", ["ip", "addr"])).stdout, /10\.8\.0\.1/);
    assert.ok(!(await pinned()));
    assert.ok(await waitUntil(() => ping(lab, "host-1", "10.9.0.2"), 5000));
  });

  it("takes links down and up at the node", async () => {
    const lab = await Lab.up({ topologyFile, name: first, owned: false });
    await lab.fail("host-2", "link-down");
    assert.ok(!(await ping(lab, "host-1", "10.9.0.2")));
    await lab.restore("host-2");
    assert.ok(await waitUntil(() => ping(lab, "host-1", "10.9.0.2"), 5000));
  });

  it("tells which exec line failed, and leaves nothing behind", async () => {
    const directory = mkdtempSync(join(tmpdir(), "fabgate-topology-"));
    try {
      const file = join(directory, "x.clab.yml");
      writeFileSync(file, readFileSync(topologyFile, "utf8").replace("10.9.0.2/24", "10.9.0.2/99"));
      await assert.rejects(
        Lab.up({ topologyFile: file, name: first, owned: false }),
        /host-2: exec "ip addr add 10.9.0.2\/99 dev eth1" ended with \d+/,
      );
      assert.deepEqual(await traces(first), []);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("stops and cleans up when it is aborted while it is made", async () => {
    const controller = new AbortController();
    const up = Lab.up({ topologyFile, name: first, owned: true, signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(up, /enough/);
    assert.deepEqual(await traces(first), []);
  });

  it("is recognised as a leftover when its maker was killed, and replaced by the next one of its name", async () => {
    const program = `
      import { Lab } from ${JSON.stringify(resolve(import.meta.dirname, "../../scenarios/lab/lab.ts"))};
      await Lab.up({ topologyFile: ${JSON.stringify(topologyFile)}, name: ${JSON.stringify(first)}, owned: true });
      process.stdout.write("up");
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    assert.equal(conditionOf(readState(first)), "busy");
    await assert.rejects(Lab.up({ topologyFile, name: first, owned: false }), /is busy/);
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await ended;
    assert.equal(conditionOf(readState(first)), "leftover");
    const before = readState(first)?.nodes["host-1"]?.processes?.init.pid;
    const lab = await Lab.up({ topologyFile, name: first, owned: false });
    assert.ok(!existsSync(`/proc/${before}`));
    assert.ok(await ping(lab, "host-1", "10.9.0.2"));
  });

  it("runs a scenario: probes, streams, a blackhole with its loss window", async () => {
    const result = await runScenario(readScenario(pair), { name: first, signal: new AbortController().signal });
    assert.deepEqual(
      result.steps.filter((step) => !step.ok),
      [],
    );
    const [row] = result.lossWindows;
    assert.deepEqual([row?.label, row?.samples], ["blackhole", 2]);
    // The denied probe inside waits a second for its answers.
    assert.ok((row?.minMs ?? 0) >= 1000 && (row?.maxMs ?? 0) < 5000, JSON.stringify(row));
    assert.deepEqual(await traces(first), []);
  });

  it("reports the first step that does not hold, with what every node believed, and takes the lab down", async () => {
    const directory = mkdtempSync(join(tmpdir(), "fabgate-scenario-"));
    try {
      writeFileSync(
        join(directory, "scenario.yaml"),
        `description: d
topology: ${topologyFile}
steps:
  - probe: { from: host-1, to: host-2, proto: udp, expect: allowed }
  - probe: { from: host-1, to: host-2, proto: udp, expect: denied, within: 100ms }
  - show: { note: never reached }
`,
      );
      const result = await runScenario(readScenario(directory), { name: first, signal: new AbortController().signal });
      assert.equal(result.ok, false);
      assert.deepEqual(
        result.steps.map((step) => step.ok),
        [true, false],
      );
      assert.equal(result.steps[1]?.error, "expected denied: 3 of 3 answered, 3 arrived");
      assert.match(
        readFileSync(join(result.diagnosis ?? "", "host-1", "neighbours.txt"), "utf8"),
        /^10\.9\.0\.2 dev eth1/,
      );
      rmSync(result.diagnosis ?? "", { recursive: true });
      assert.deepEqual(await traces(first), []);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
