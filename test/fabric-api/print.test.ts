// Objects printed and read again are the same objects.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { loadFabric, type ManifestObject, printObject } from "../../fabric-api/index.ts";
import { BASE, external, gateway, object, peering, stream } from "./streams.ts";

function objectsOf(text: string): Omit<ManifestObject, "origin">[] {
  return loadFabric([{ file: "x.yaml", text }]).objects.map(({ origin: _, ...rest }) => rest);
}

const FULL = stream(
  BASE.text,
  readFileSync(`${import.meta.dirname}/fixtures/older-spelling.yaml`, "utf8"),
  gateway("g, namespace: fab, labels: {a: b}", {
    logs: "{default: off, tags: {bgp: trace}, rateLimit: {burst: 3}}",
    groups: "[{name: default, priority: 7}, {name: other}]",
    profiling: "{}",
    vtepMAC: '"02:00:00:00:00:09"',
  }),
  external("x", "ipv4Namespace: default", 'inboundCommunity: "1:30"', "static: {prefixes: [10.0.0.0/8]}"),
  object("GatewayGroup", "empty"),
  peering(
    "n",
    {
      "vpc-1":
        '[{ips: [{cidr: 10.1.0.0/32}], as: [{cidr: 192.168.0.1/32}], nat: {portForward: {idleTimeout: 90s, ports: [{port: "22", as: "2222"}, {proto: udp, port: "1-2", as: "3-4"}]}}}]',
      "vpc-2":
        "[{ips: [{vpcSubnet: six}, {not: 2001:db8:2::/80}], as: [{cidr: 2001:db8:f::/64}], nat: {masquerade: {}}}]",
    },
    'acl: {default: deny, rules: [{name: a, from: vpc-1, action: allow, log: true, scope: packet, match: {src: [{ports: "80"}], proto: "6"}}]}',
  ),
);

describe("a printed object", () => {
  it("is the object again when it is read, for every kind", () => {
    const objects = objectsOf(FULL);
    assert.equal(new Set(objects.map(({ kind }) => kind)).size, 5);
    for (const one of objects) assert.deepEqual(objectsOf(printObject(one as ManifestObject)), [one]);
  });

  it("is the object again whatever texts it holds", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(
        "",
        "22",
        "0x10",
        "1e3",
        "~",
        "null",
        "true",
        "off",
        "1:30",
        " a",
        "a: b",
        "- a",
        "#",
        "a\nb",
        "*x",
      ),
    );
    const labels = fc.dictionary(text, text).filter((map) => !("__proto__" in map));
    fc.assert(
      fc.property(labels, labels, (some, more) => {
        const [base] = objectsOf(object("GatewayGroup", "g"));
        assert.ok(base);
        const changed = { ...base, metadata: { ...base.metadata, labels: { ...some }, annotations: { ...more } } };
        const [again] = objectsOf(printObject(changed as ManifestObject));
        assert.deepEqual(again?.metadata, changed.metadata);
      }),
    );
  });

  it("leaves out what equals its default", () => {
    const [text] = objectsOf(peering("p", { a: "[{default: true}]" })).map((one) => printObject(one as ManifestObject));
    assert.equal(
      text,
      "apiVersion: gateway.githedgehog.com/v1alpha1\nkind: GatewayPeering\nmetadata:\n  name: p\nspec:\n  peering:\n    a:\n      expose:\n        - default: true\n",
    );
  });
});
