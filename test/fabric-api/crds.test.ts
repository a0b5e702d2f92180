// The custom resource definitions: structural in the sense of Kubernetes, and saying what the schemas say.

import assert from "node:assert/strict";
import { crds, type OpenApiSchema, printYaml } from "../../fabric-api/index.ts";

const schemaOf = (kind: string): OpenApiSchema => {
  const found = crds().find(({ spec }) => spec.names.kind === kind);
  assert.ok(found);
  const [version] = found.spec.versions;
  assert.ok(version);
  return version.schema.openAPIV3Schema;
};

/** The schema at a path of field names; "*" stands for items and for values under free keys. */
function at(schema: OpenApiSchema, ...path: string[]): OpenApiSchema {
  return path.reduce((now, step) => {
    const next = step === "*" ? (now.items ?? now.additionalProperties) : now.properties?.[step];
    assert.ok(next, step);
    return next;
  }, schema);
}

describe("crds", () => {
  it("name the kinds, their groups and their short names", () => {
    assert.deepEqual(
      crds().map(({ metadata, spec }) => [metadata.name, spec.names.shortNames[0], spec.versions[0]?.name]),
      [
        ["gateways.gateway.githedgehog.com", "gw", "v1alpha1"],
        ["gatewaygroups.gateway.githedgehog.com", "gwgr", "v1alpha1"],
        ["gatewaypeerings.gateway.githedgehog.com", "gwpeer", "v1alpha1"],
        ["vpcinfos.gateway.githedgehog.com", "gwvpc", "v1alpha1"],
        ["externals.vpc.githedgehog.com", "ext", "v1beta1"],
      ],
    );
  });

  it("have types, bounds, patterns, defaults and required fields of the schemas", () => {
    const gateway = at(schemaOf("Gateway"), "spec");
    assert.ok(gateway.required?.includes("asn") && !gateway.required.includes("groups"));
    assert.deepEqual(at(gateway, "asn"), { type: "integer", format: "int64", minimum: 1, maximum: 4294967295 });
    assert.deepEqual(at(gateway, "groups", "*", "priority").default, 0);
    assert.equal(at(gateway, "interfaces", "*", "ips").minItems, 1);
    assert.deepEqual(at(gateway, "logs", "default").enum, ["off", "error", "warning", "info", "debug", "trace"]);
    const peering = at(schemaOf("GatewayPeering"), "spec");
    assert.deepEqual(peering.required, ["peering"]);
    assert.equal(at(peering, "gatewayGroup").default, "default");
    assert.equal(at(peering, "acl", "rules", "*", "name").maxLength, 64);
    assert.deepEqual(at(peering, "peering", "*", "expose", "*", "nat", "static"), { type: "object", properties: {} });
  });

  it("have a status subresource, which keeps what is in it, and printer columns that exist", () => {
    for (const { spec } of crds()) {
      for (const { schema, subresources, additionalPrinterColumns } of spec.versions) {
        assert.deepEqual(subresources, { status: {} });
        assert.equal(at(schema.openAPIV3Schema, "status")["x-kubernetes-preserve-unknown-fields"], true);
        for (const { jsonPath } of additionalPrinterColumns) {
          if (jsonPath.startsWith(".spec")) at(schema.openAPIV3Schema, ...jsonPath.split(".").slice(1));
        }
      }
    }
  });

  it("are structural: a type everywhere, properties or free keys, patterns that Go can read", () => {
    const visit = (schema: OpenApiSchema): void => {
      assert.ok(schema.type);
      assert.ok(schema.properties === undefined || schema.additionalProperties === undefined);
      assert.doesNotMatch(schema.pattern ?? "", /\(\?[=!<]/);
      const inner = [...Object.values(schema.properties ?? {}), schema.additionalProperties, schema.items];
      for (const one of inner) if (one !== undefined) visit(one);
    };
    for (const { spec } of crds()) visit(schemaOf(spec.names.kind));
  });

  it("print with words quoted that YAML 1.1 takes for booleans", () => {
    assert.match(printYaml(crds()), /- "off"\n/);
  });
});
