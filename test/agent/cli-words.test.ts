// What the words of a command line mean: kinds, names, selectors, and who must go with whom.

import assert from "node:assert/strict";
import { deletionOf } from "../../agent/cli/deletion.ts";
import { kindOf, select, selectOne, targetsOf } from "../../agent/cli/kinds.ts";
import { parseSelector } from "../../agent/cli/selector.ts";
import { intend } from "../../agent/cli/stored.ts";
import { keyText, listingOf, loadFabric, referencesOf } from "../../fabric-api/index.ts";
import { external, gateway, object, peering, stream, vpc } from "../fabric-api/streams.ts";

describe("kinds on the command line", () => {
  it("are known by kind, plural and short name, in any case", () => {
    for (const word of ["GatewayPeering", "gatewaypeering", "gatewaypeerings", "gwpeer", "GWPEER"]) {
      assert.equal(kindOf(word), "GatewayPeering");
    }
    assert.deepEqual(["gw", "gwgr", "gwvpc", "external"].map(kindOf), [
      "Gateway",
      "GatewayGroup",
      "VPCInfo",
      "External",
    ]);
  });

  it("are suggested when misspelt", () => {
    assert.throws(() => kindOf("gatway"), {
      code: "USAGE",
      exitCode: 2,
      message: "there is no kind gatway; did you mean gateway?",
    });
  });

  it("stand before names, with or without a slash, several at once, or are all", () => {
    assert.deepEqual(targetsOf(["gw"]), [{ kinds: ["Gateway"] }]);
    assert.deepEqual(targetsOf(["gw,gwgr"]), [{ kinds: ["Gateway", "GatewayGroup"] }]);
    assert.deepEqual(targetsOf(["gw", "a", "b"]), [
      { kinds: ["Gateway"], name: "a" },
      { kinds: ["Gateway"], name: "b" },
    ]);
    assert.deepEqual(targetsOf(["gw/a", "gwvpc/ns/b"]), [
      { kinds: ["Gateway"], name: "a" },
      { kinds: ["VPCInfo"], namespace: "ns", name: "b" },
    ]);
    assert.deepEqual(targetsOf(["gw", "ns/a"]), [{ kinds: ["Gateway"], namespace: "ns", name: "a" }]);
    assert.equal(targetsOf(["all"])[0]?.kinds.length, 5);
    for (const wrong of [[], ["gw/"], ["/a"], ["gw/a", "b"]]) assert.throws(() => targetsOf(wrong), { code: "USAGE" });
  });

  it("choose objects, suggest names, and ask when a name is not enough", () => {
    const objects = ["default/a", "other/a", "default/beta"].map((text) => {
      const [namespace = "", name = ""] = text.split("/");
      return { kind: "Gateway" as const, namespace, name };
    });
    const chosen = (...words: string[]) => select(objects, targetsOf(words)).map(keyText);
    assert.deepEqual(chosen("gw"), ["gateway/a", "gateway/other/a", "gateway/beta"]);
    assert.deepEqual(chosen("gw", "a", "a"), ["gateway/a", "gateway/other/a"]);
    assert.throws(() => chosen("gw", "bata"), {
      code: "NO_SUCH_OBJECT",
      exitCode: 1,
      message: "there is no gateway/bata; did you mean beta?",
    });
    assert.throws(() => selectOne(objects, { kinds: ["Gateway"], name: "a" }), {
      code: "USAGE",
      message: "which one? say gateway/a or gateway/other/a",
    });
    assert.equal(selectOne(objects, { kinds: ["Gateway"], namespace: "other", name: "a" }), objects[1]);
  });
});

describe("label selectors", () => {
  const labels = { tier: "gold", "example.com/zone": "z1" };
  for (const [text, holds] of [
    ["tier=gold", true],
    ["tier==gold", true],
    ["tier=silver", false],
    ["tier!=silver", true],
    ["missing!=x", true],
    ["tier", true],
    ["missing", false],
    ["!missing", true],
    ["!tier", false],
    ["tier in (silver, gold)", true],
    ["tier in (silver)", false],
    ["tier notin (silver)", true],
    ["missing notin (silver)", true],
    ["tier=gold,example.com/zone=z1", true],
    ["tier=gold, example.com/zone in (z2,z3)", false],
  ] as const) {
    it(`${text} is ${holds}`, () => assert.equal(parseSelector(text)(labels), holds));
  }

  it("say what they must look like", () => {
    for (const wrong of ["", "=x", "a=b=c", "a in b", "a,,b", "a in (b"]) {
      assert.throws(() => parseSelector(wrong), {
        code: "USAGE",
        exitCode: 2,
        message: /is no label selector; write key=value/,
      });
    }
  });
});

const EXPOSE_1 = "[{ips: [{cidr: 10.1.0.0/24}]}]";
const STORED = stream(
  object("GatewayGroup", "group-1"),
  object("GatewayGroup", "group-2"),
  gateway("gw-1", { groups: "[{name: group-1, priority: 1}, {name: group-2, priority: 2}]" }),
  vpc("vpc-1", 1, { default: "10.1.0.0/24" }),
  vpc("vpc-2", 2, { default: "10.2.0.0/24" }),
  external("inet", "vni: 3"),
  peering("p12", { "vpc-1": EXPOSE_1, "vpc-2": "[{ips: [{cidr: 10.2.0.0/24}]}]" }, "gatewayGroup: group-1"),
  peering("p1x", { "vpc-1": EXPOSE_1, "ext.inet": "[{default: true}]" }, "gatewayGroup: group-2"),
);
const listing = listingOf([{ file: "stored.yaml", text: STORED }]);
const stored = (text: string) => {
  const found = listing.objects.filter((one) => keyText(one) === text);
  assert.equal(found.length, 1, text);
  return found;
};

describe("references", () => {
  it("lead from gateways to groups, from peerings to groups, VPCs and externals", () => {
    const found = referencesOf(loadFabric(listing.sources).objects).map(
      ({ from, to, path }) => `${keyText(from)} ${path} ${keyText(to)}`,
    );
    assert.deepEqual(found, [
      "gateway/gw-1 spec.groups[0].name gatewaygroup/group-1",
      "gateway/gw-1 spec.groups[1].name gatewaygroup/group-2",
      "gatewaypeering/p12 spec.gatewayGroup gatewaygroup/group-1",
      "gatewaypeering/p12 spec.peering.vpc-1 vpcinfo/vpc-1",
      "gatewaypeering/p12 spec.peering.vpc-2 vpcinfo/vpc-2",
      "gatewaypeering/p1x spec.gatewayGroup gatewaygroup/group-2",
      "gatewaypeering/p1x spec.peering.vpc-1 vpcinfo/vpc-1",
      'gatewaypeering/p1x spec.peering["ext.inet"] external/inet',
    ]);
  });
});

describe("deleting", () => {
  const outcomes = (text: string, cascade = true) =>
    deletionOf(listing, stored(text), cascade).outcomes.map((one) => `${one.object} ${one.outcome}`);

  it("refuses what others refer to, and names them", () => {
    assert.throws(() => outcomes("vpcinfo/vpc-1", false), {
      code: "REFERRED_TO",
      exitCode: 1,
      message:
        "vpcinfo/vpc-1 is referred to by gatewaypeering/p12, gatewaypeering/p1x; delete those too with --cascade",
    });
    assert.deepEqual(outcomes("gatewaypeering/p12", false), ["gatewaypeering/p12 deleted"]);
    assert.deepEqual(outcomes("gateway/gw-1", false), ["gateway/gw-1 deleted"]);
  });

  it("takes peerings along with --cascade, and only those", () => {
    assert.deepEqual(outcomes("external/inet"), ["external/inet deleted", "gatewaypeering/p1x deleted"]);
    assert.deepEqual(outcomes("vpcinfo/vpc-1"), [
      "vpcinfo/vpc-1 deleted",
      "gatewaypeering/p12 deleted",
      "gatewaypeering/p1x deleted",
    ]);
  });

  it("ends memberships in a deleted group, and leaves what is valid", () => {
    const deletion = deletionOf(listing, stored("gatewaygroup/group-2"), true);
    assert.deepEqual(
      deletion.outcomes.map((one) => `${one.object} ${one.outcome}`),
      ["gatewaygroup/group-2 deleted", "gatewaypeering/p1x deleted", "gateway/gw-1 configured"],
    );
    const { fabric, errors } = loadFabric(deletion.sources);
    assert.deepEqual(errors, []);
    assert.deepEqual(
      fabric?.groups.map(({ name }) => name),
      ["default", "group-1"],
    );
  });

  it("never pushes a gateway into the default group", () => {
    const targets = [...stored("gatewaygroup/group-1"), ...stored("gatewaygroup/group-2")];
    assert.throws(() => deletionOf(listing, targets, true), {
      code: "REFERRED_TO",
      message: /would fall into the default one/,
    });
  });
});

describe("what a stream would do", () => {
  const intended = (text: string, prune = false) => {
    const { outcomes, changes, after } = intend(listing, [{ file: "new.yaml", text }], { prune });
    return { outcomes: outcomes.map((one) => `${one.object} ${one.outcome}`), changes, after };
  };

  it("creates, configures and leaves alone; writing a default out changes nothing", () => {
    const same = `apiVersion: gateway.githedgehog.com/v1alpha1\nkind: VPCInfo\nmetadata: {name: vpc-2, namespace: default, uid: x}\nspec: {subnets: {default: {cidr: 10.2.0.0/24}}, vni: 2}\n`;
    const text = stream(same, vpc("vpc-1", 10, { default: "10.1.0.0/24" }), vpc("vpc-3", 30, {}));
    const { outcomes, changes, after } = intended(text);
    assert.deepEqual(outcomes, ["vpcinfo/vpc-2 unchanged", "vpcinfo/vpc-1 configured", "vpcinfo/vpc-3 created"]);
    assert.equal(changes.length, 2);
    assert.deepEqual(after.errors, []);
  });

  it("is validated together with what stays, which is pointed at where it stands", () => {
    const { after } = intended(vpc("vpc-1", 1, { default: "10.99.0.0/24" }));
    const lines = STORED.split("\n");
    assert.ok(after.errors.length > 0);
    for (const { code, file, line, name } of after.errors) {
      assert.deepEqual([code, file], ["FG0605", "stored.yaml"]);
      assert.match(lines[line - 1] ?? "", /10\.1\.0\.0\/24/);
      assert.match(name ?? "", /^p1/);
    }
  });

  it("prunes what the stream lacks", () => {
    const { outcomes, after } = intended(vpc("vpc-1", 1, { default: "10.1.0.0/24" }), true);
    assert.equal(outcomes[0], "vpcinfo/vpc-1 unchanged");
    assert.equal(outcomes.filter((one) => one.endsWith(" pruned")).length, 7);
    assert.equal(after.objects.length, 1);
  });

  it("is nothing without objects, which prunes nothing", () => {
    assert.throws(() => intended("# nothing here\n", true), { code: "NO_OBJECTS" });
  });
});
