// The commands on stored manifests as processes: output, exit status, what is on disk. Each start takes most of a second, so
// a test makes few of them and looks at much.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { gateway, object, peering, stream, vpc } from "../fabric-api/streams.ts";

const MAIN = join(import.meta.dirname, "../../agent/cli/main.ts");

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[], input: string, manifests: string): Promise<Ended> {
  const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], {
    env: { ...process.env, FABGATE_MANIFESTS: manifests },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    err += String(chunk);
  });
  // A command that needs no input ends without reading it.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, out, err }));
  });
}

const SIDE_1 = "[{ips: [{cidr: 10.1.0.0/24}]}]";
const SIDE_2 = "[{ips: [{cidr: 10.2.0.0/24}]}]";
const labelled = (text: string, label: string) => text.replace("metadata: {", `metadata: {labels: {tier: ${label}}, `);
const gatewayOf = (number: number, priority: number) =>
  gateway(`gw-${number}`, {
    protocolIP: `172.30.8.${number}/32`,
    vtepIP: `172.30.12.${number}/32`,
    vtepMAC: `ca:fe:ba:be:00:0${number}`,
    groups: `[{name: group-1, priority: ${priority}}]`,
  });
const PEERING = peering("vpc-1--vpc-2", { "vpc-1": SIDE_1, "vpc-2": SIDE_2 }, "gatewayGroup: group-1");
const BASE = stream(
  `# the fabric of rack 7\n\n${object("GatewayGroup", "group-1")}`,
  gatewayOf(1, 20),
  gatewayOf(2, 10),
  labelled(vpc("vpc-1", 100, { default: "10.1.0.0/24", db: "10.1.1.0/24" }), "gold"),
  vpc("vpc-2", 200, { default: "10.2.0.0/24" }),
  PEERING,
);

describe("fabgate on stored manifests", function () {
  this.timeout(60_000);
  let directory: string;
  const fabgate = (args: string, input = "") => start(args.split(" "), input, directory);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "fabgate-cli-"));
    await writeFile(join(directory, "rack-7.yaml"), BASE);
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("apply puts a whole stream in, says what became of each object, and is idempotent", async () => {
    const change = stream(
      vpc("vpc-1", 101, { default: "10.1.0.0/24", db: "10.1.1.0/24" }),
      vpc("vpc-2", 200, { default: "10.2.0.0/24" }),
      `# new here\n${vpc("vpc-3", 300, { default: "10.3.0.0/24" })}`,
    );
    const dry = await fabgate("apply -f - --dry-run", change);
    assert.equal(await readFile(join(directory, "rack-7.yaml"), "utf8"), BASE);
    assert.equal(
      dry.out,
      "vpcinfo/vpc-1 configured (dry run)\nvpcinfo/vpc-2 unchanged (dry run)\nvpcinfo/vpc-3 created (dry run)\n",
    );

    const first = await fabgate("apply -f -", change);
    assert.deepEqual([first.status, first.out, first.err], [0, dry.out.replaceAll(" (dry run)", ""), ""]);
    const rack = await readFile(join(directory, "rack-7.yaml"), "utf8");
    assert.ok(rack.startsWith("# the fabric of rack 7\n"));
    // The label went, as the stream says; everything outside that document is untouched.
    assert.equal(rack.slice(rack.indexOf("name: vpc-2}")), BASE.slice(BASE.indexOf("name: vpc-2}")));
    assert.match(await readFile(join(directory, "vpcinfo-vpc-3.yaml"), "utf8"), /^# new here\n/);

    const again = await fabgate("apply -f - -o json", change);
    assert.deepEqual(
      (JSON.parse(again.out) as { outcome: string }[]).map(({ outcome }) => outcome),
      ["unchanged", "unchanged", "unchanged"],
    );
  });

  it("apply changes nothing at all when anything is wrong, and shows where, in the stream and in what is stored", async () => {
    const bad = await fabgate("apply -f -", stream(vpc("vpc-9", 9, {}), vpc("vpc-1", 200, { default: "10.9.0.0/24" })));
    assert.equal(bad.status, 1);
    assert.equal(bad.out, "");
    assert.match(bad.err, /^-:\d+:\d+: error FG0401: VPCInfo vpc-1: .*200/m);
    assert.match(
      bad.err,
      new RegExp(`^${directory}/rack-7\\.yaml:\\d+:\\d+: error FG0605: GatewayPeering vpc-1--vpc-2`, "m"),
    );
    assert.match(bad.err, /^fabgate: INVALID_MANIFESTS: \d errors in the manifests\n$/m);
    assert.deepEqual(await readdir(directory), ["rack-7.yaml"]);
    assert.equal(await readFile(join(directory, "rack-7.yaml"), "utf8"), BASE);
  });

  it("apply --prune makes what is stored what the stream says", async () => {
    const { status, out } = await fabgate("apply -f - --prune", BASE.slice(0, BASE.lastIndexOf("---")));
    assert.equal(status, 0);
    assert.deepEqual(out.split("\n").slice(-3), ["vpcinfo/vpc-2 unchanged", "gatewaypeering/vpc-1--vpc-2 pruned", ""]);
    assert.equal(await readFile(join(directory, "rack-7.yaml"), "utf8"), BASE.slice(0, BASE.lastIndexOf("---")));
  });

  it("diff reviews what apply would do, for all gateways or one, and changes nothing", async () => {
    const [text, one, missing] = await Promise.all([
      fabgate("diff -f -", gatewayOf(2, 30)),
      fabgate("diff -f - --gateway gw-2 -o json", gatewayOf(2, 30)),
      fabgate("diff -f - --gateway gw-9", gatewayOf(2, 30)),
    ]);
    assert.equal(text.status, 0);
    assert.match(
      text.out,
      /^objects\n {2}~ gateway\/gw-2\n~ gateway gw-1\n {2}peerings\n {4}~ vpc-1--vpc-2 {2}rank 0 -> rank 1, group group-1\n/,
    );
    assert.match(
      text.out,
      /~ 10\.1\.0\.0\/24 into vpc-2 {2}to vpc-1 by vpc-1--vpc-2, VNI 200, community 50001:1 -> community 50001:0, med 10 -> med 0/,
    );
    const { gateways } = JSON.parse(one.out) as { gateways: { gateway: string; routes: { changed: unknown[] } }[] };
    assert.deepEqual(
      gateways.map(({ gateway: name, routes }) => [name, routes.changed.length]),
      [["gw-2", 2]],
    );
    assert.deepEqual([missing.status, missing.out], [1, ""]);
    assert.match(missing.err, /UNKNOWN_GATEWAY: .*it has: gw-1, gw-2/);
    assert.equal(await readFile(join(directory, "rack-7.yaml"), "utf8"), BASE);
  });

  it("get shows tables, names, YAML and JSON that apply again", async () => {
    const [all, wide, names, list, single] = await Promise.all([
      fabgate("get all"),
      fabgate("get gwgr,gw -o wide"),
      fabgate("get gwvpc -l tier=gold -o name"),
      fabgate("get all -o yaml"),
      fabgate("get gwpeer/vpc-1--vpc-2 -o json"),
    ]);
    assert.match(
      all.out,
      /^NAME +ASN +PROTOCOLIP +VTEPIP +GROUPS\ngateway\/gw-1 +65534 +172\.30\.8\.1 +172\.30\.12\.1 +group-1:20\n/,
    );
    assert.match(all.out, /\ngatewaypeering\/vpc-1--vpc-2 +vpc-1 <-> vpc-2 +group-1 +gw-1,gw-2\n/);
    assert.match(wide.out, /\ngatewaygroup\/group-1 +gw-1:20,gw-2:10 +1 +-\n/);
    assert.equal(names.out, "vpcinfo/vpc-1\n");
    assert.equal((parse(list.out) as { items: unknown[] }).items.length, 6);
    assert.equal((JSON.parse(single.out) as { kind: string }).kind, "GatewayPeering");
    const back = await fabgate("apply -f - --prune", list.out);
    assert.deepEqual(
      new Set(
        back.out
          .trim()
          .split("\n")
          .map((line) => line.split(" ")[1]),
      ),
      new Set(["unchanged"]),
    );
  });

  it("describe shows an object with its ranks, what it announces, and who refers to it", async () => {
    const [peer, group, one] = await Promise.all([
      fabgate("describe gwpeer vpc-1--vpc-2"),
      fabgate("describe gwgr/group-1"),
      fabgate("describe vpcinfo/vpc-1 gw/gw-2"),
    ]);
    assert.match(
      peer.out,
      /announced by every gateway of the group at its rank\n {2}INTO +PREFIX +TO\n {2}vpc-2 +10\.1\.0\.0\/24 +vpc-1\n {2}vpc-1 +10\.2\.0\.0\/24 +vpc-2\n/,
    );
    assert.match(
      peer.out,
      /group group-1\n {2}RANK +GATEWAY +PRIORITY +COMMUNITY +MED\n {2}0 +gw-1 +20 +50001:0 +0\n {2}1 +gw-2 +10 +50001:1 +10\n/,
    );
    assert.match(
      group.out,
      /referred to by\n {2}gateway\/gw-1 {2}\(spec\.groups\[0\]\.name\)\n {2}gateway\/gw-2 .*\n {2}gatewaypeering\/vpc-1--vpc-2 {2}\(spec\.gatewayGroup\)\n/,
    );
    assert.match(
      one.out,
      /peerings\n {2}PEERING +WITH +GROUP +REACHES\n {2}vpc-1--vpc-2 +vpc-2 +group-1 +10\.2\.0\.0\/24\n/,
    );
    assert.match(one.out, /groups\n {2}GROUP +RANK +OF +PRIORITY\n {2}group-1 +1 +2 +10\n/);
  });

  it("delete refuses what is referred to, and with --cascade takes along what refers to it", async () => {
    const refused = await fabgate("delete gwvpc vpc-1");
    assert.deepEqual([refused.status, refused.out], [1, ""]);
    assert.equal(
      refused.err,
      "fabgate: REFERRED_TO: vpcinfo/vpc-1 is referred to by gatewaypeering/vpc-1--vpc-2; delete those too with --cascade\n",
    );
    const both = await fabgate("delete gwvpc vpc-1 --cascade");
    assert.deepEqual([both.status, both.out], [0, "vpcinfo/vpc-1 deleted\ngatewaypeering/vpc-1--vpc-2 deleted\n"]);
    const byFile = await fabgate("delete -f -", gatewayOf(2, 10));
    assert.equal(byFile.out, "gateway/gw-2 deleted\n");
    const rest = await readFile(join(directory, "rack-7.yaml"), "utf8");
    assert.ok(rest.startsWith("# the fabric of rack 7\n"));
    const kept = parseAllDocuments(rest).map(
      (document) => (document.toJS() as { metadata: { name: string } }).metadata.name,
    );
    assert.deepEqual(kept, ["group-1", "gw-1", "vpc-2"]);
  });

  it("tells what is wrong with the words by status 2, with an object by 1, with the store by 3", async () => {
    const cases: [string, number, RegExp][] = [
      ["get gatway", 2, /^fabgate: USAGE: there is no kind gatway; did you mean gateway\?\n$/],
      ["get gw gw-11", 1, /^fabgate: NO_SUCH_OBJECT: there is no gateway\/gw-11; did you mean gw-1\?\n$/],
      ["delete gw", 2, /^fabgate: USAGE: name the objects/],
      [
        "get gw --manifests /nowhere/at/all",
        3,
        /^fabgate: STORE_MISSING: \/nowhere\/at\/all: no such directory; make it with "mkdir -p .*\n$/,
      ],
      ["apply", 2, /^fabgate: Missing required argument: file/],
      ["completion fish", 2, /^fabgate: USAGE: say for which shell: bash or zsh\n$/],
    ];
    const ended = await Promise.all(cases.map(([args]) => fabgate(args)));
    ended.forEach(({ status, err, out }, index) => {
      const [args, expected, message] = cases[index] ?? ["", 0, /^$/];
      assert.equal(status, expected, `${args}: ${err}`);
      assert.match(err, message);
      assert.equal(out, "");
    });
  });

  it("validate --strict fails on warnings; -o json says so too", async () => {
    const warned = stream(BASE, object("GatewayGroup", "unused"));
    const [plain, strict, json] = await Promise.all([
      fabgate("validate -f -", warned),
      fabgate("validate -f - --strict", warned),
      fabgate("validate -f - --strict -o json", warned),
    ]);
    assert.deepEqual([plain.status, plain.out], [0, "valid: 7 objects, 1 warning\n"]);
    assert.equal(strict.status, 1);
    assert.match(strict.err, /fabgate: WARNINGS: 1 warning in the manifests, and --strict allows none\n$/);
    const result = JSON.parse(json.out) as { valid: boolean; errors: unknown[]; warnings: { code: string }[] };
    assert.deepEqual(
      [json.status, result.valid, result.errors, result.warnings.map(({ code }) => code)],
      [1, false, [], ["FG0311"]],
    );
  });

  it("completes kinds and names, and prints scripts that the shell accepts", async () => {
    const ask = (words: string) => fabgate(`--get-yargs-completions fabgate ${words}`);
    const [kinds, names, slashed, commands, script, zsh] = await Promise.all([
      ask("get gwp"),
      ask("describe gw gw-"),
      ask("delete vpcinfo/"),
      ask("desc"),
      fabgate("completion bash"),
      fabgate("completion zsh"),
    ]);
    assert.equal(kinds.out, "gwpeer\n");
    assert.equal(names.out, "gw-1\ngw-2\n");
    assert.equal(slashed.out, "vpcinfo/vpc-1\nvpcinfo/vpc-2\n");
    assert.match(commands.out, /^describe$/m);
    assert.match(zsh.out, /^#compdef fabgate\n/);
    const bash = spawn("bash", ["-n"], { stdio: ["pipe", "ignore", "inherit"] });
    bash.stdin.end(script.out);
    assert.equal(await new Promise((resolve) => bash.once("close", resolve)), 0);
    assert.match(script.out, /complete .* fabgate/);
  });

  it("prints the kinds as custom resource definitions", async () => {
    const { out } = await fabgate("crds");
    const definitions = parseAllDocuments(out).map(
      (document) => document.toJS() as { kind: string; metadata: { name: string } },
    );
    assert.equal(definitions.length, 5);
    assert.ok(definitions.every(({ kind }) => kind === "CustomResourceDefinition"));
  });
});
