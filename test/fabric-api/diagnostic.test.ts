// What a finding looks like on a terminal, and what is suggested for slips.

import assert from "node:assert/strict";
import { formatDiagnostic, formatPath, loadFabric, type Source } from "../../fabric-api/index.ts";
import { didYouMean, nearest } from "../../fabric-api/suggest.ts";
import { BASE, peering, vpc } from "./streams.ts";

function show(text: string): string[] {
  const sources: Source[] = [BASE, { file: "dir/case.yaml", text }];
  const { errors, warnings } = loadFabric(sources);
  return [...errors, ...warnings].map((one) => formatDiagnostic(one, sources));
}

describe("a finding as text", () => {
  it("shows place, code, object, path, the line with a caret, and what to do", () => {
    const text = peering("p", { "vpc-1": "[{ips: [{vpcSubnet: defualt}]}]", "vpc-2": "[{default: true}]" });
    assert.deepEqual(show(text), [
      [
        "dir/case.yaml:6:41: error FG0606: GatewayPeering p: spec.peering.vpc-1.expose[0].ips[0].vpcSubnet: VPC vpc-1 has no subnet defualt",
        "  6 |     vpc-1: {expose: [{ips: [{vpcSubnet: defualt}]}]}",
        "    |                                         ^",
        "  hint: did you mean default?",
      ].join("\n"),
    ]);
  });

  it("names the other party of a conflict with its place", () => {
    assert.deepEqual(show(vpc("v", 200, {})), [
      [
        "dir/case.yaml:5:8: error FG0401: VPCInfo v: spec.vni: VNI 200 is already that of VPCInfo vpc-2",
        "  5 |   vni: 200",
        "    |        ^",
        "  hint: the first at base.yaml:15:8",
      ].join("\n"),
    ]);
  });

  it("does without object and path where there are none, and shows warnings as such", () => {
    assert.deepEqual(show("\u0007a"), [
      [
        'dir/case.yaml:1:1: error FG0105: an object must be a mapping with apiVersion, kind, metadata and spec, not "\\u0007a"',
        "  1 |  a",
        "    | ^",
      ].join("\n"),
    ]);
    assert.match(show(vpc("v", 7, { s: "10.9.0.1/24" }))[0] ?? "", /: warning FG0406: /);
  });

  it("cuts a window out of a long line and takes control characters out of it", () => {
    const [first = ""] = show(vpc("v", 7, { [`a${"b".repeat(400)}`]: "x" }));
    const [, line = "", caret = ""] = first.split("\n");
    assert.ok(line.length < 180);
    assert.equal(line[caret.indexOf("^")], "x");
  });

  it("holds the data that it was made from", () => {
    const { errors } = loadFabric([BASE, { file: "v.yaml", text: vpc("v", 200, {}) }]);
    assert.deepEqual(errors, [
      {
        code: "FG0401",
        severity: "error",
        file: "v.yaml",
        line: 5,
        column: 8,
        kind: "VPCInfo",
        name: "v",
        path: "spec.vni",
        value: 200,
        message: "VNI 200 is already that of VPCInfo vpc-2",
        hint: "the first at base.yaml:15:8",
      },
    ]);
  });
});

describe("a path", () => {
  it("quotes keys that are no plain words", () => {
    assert.equal(
      formatPath(["spec", "peering", "ext.inet", "expose", 0, "ips"]),
      'spec.peering["ext.inet"].expose[0].ips',
    );
  });
});

describe("did you mean", () => {
  for (const [word, known, meant] of [
    ["exposes", ["expose", "ips"], "expose"],
    ["vcp-1", ["vpc-1", "vpc-2"], "vpc-1"],
    ["GATEWAYGROUP", ["gatewayGroup"], "gatewayGroup"],
    ["warn", ["warning", "info"], "warning"],
    ["protocolip", ["protocolIP", "vtepIP"], "protocolIP"],
    ["banana", ["expose", "ips"], undefined],
    ["x".repeat(65), ["x".repeat(64)], undefined],
  ] as const) {
    it(`is ${meant ?? "nothing"} for ${word}`, () => assert.equal(nearest(word, known), meant));
  }

  it("lists what is known where that is short and nothing is near", () => {
    assert.equal(didYouMean("banana", ["ips", "as"]), "known here: as, ips");
    assert.equal(didYouMean("banana", []), undefined);
  });
});
