import assert from "node:assert/strict";
import { retiring, withRetiring } from "../../agent/plan/retain.ts";
import type { DataplanePeering, DataplanePolicy } from "../../dataplane/desired.ts";

const peering = (one: number, other: number, prefix?: string): DataplanePeering => ({
  id: `vpc-${one}--vpc-${other}`,
  sides: [
    { vpc: `vpc-${one}`, default: false, prefixes: [`10.${one}.0.0/16`] },
    { vpc: `vpc-${other}`, default: false, prefixes: [prefix ?? `10.${other}.0.0/16`] },
  ],
});
const policy = (vnis: Record<string, number>, ...peerings: DataplanePeering[]): DataplanePolicy => ({
  vpcs: Object.entries(vnis).map(([name, vni]) => ({ name, vni })),
  peerings,
});
const all = { "vpc-1": 1, "vpc-2": 2, "vpc-3": 3 };

describe("retiring peerings", () => {
  it("are those the new policy lacks", () => {
    const before = policy(all, peering(1, 2), peering(1, 3));
    const leaving = retiring(before, policy(all, peering(1, 3)));
    assert.deepEqual(
      leaving.peerings.map(({ id }) => id),
      ["vpc-1--vpc-2"],
    );
  });

  it("are carried on beside the new policy, with their VPCs", () => {
    const result = withRetiring(policy({ "vpc-1": 1, "vpc-3": 3 }, peering(1, 3)), policy(all, peering(1, 2)));
    assert.deepEqual(
      result.peerings.map(({ id }) => id),
      ["vpc-1--vpc-3", "vpc-1--vpc-2"],
    );
    assert.deepEqual(result.vpcs.map(({ name }) => name).sort(), ["vpc-1", "vpc-2", "vpc-3"]);
  });

  it("yield when another peering now holds their prefix towards the same VPC", () => {
    const declared = policy(all, peering(1, 3, "10.2.0.0/16"));
    assert.equal(withRetiring(declared, policy(all, peering(1, 2))), declared);
  });

  it("yield when the declared peering holds that prefix as its public one", () => {
    const plain = peering(1, 3);
    const nat = { kind: "static", public: ["10.2.0.0/16"] } as const;
    const translated = { ...plain.sides[1], prefixes: [], translated: [{ prefixes: ["10.3.0.0/16"], nat }] };
    const declared = policy(all, { ...plain, sides: [plain.sides[0], translated] });
    assert.equal(withRetiring(declared, policy(all, peering(1, 2))), declared);
  });

  it("yield when their VPC has another VNI now", () => {
    const declared = policy({ ...all, "vpc-2": 22 }, peering(1, 3));
    assert.equal(withRetiring(declared, policy(all, peering(1, 2))), declared);
  });

  it("yield when their VNI belongs to another VPC now", () => {
    const declared = policy({ "vpc-1": 1, "vpc-3": 3, "vpc-4": 2 }, peering(1, 3));
    assert.equal(withRetiring(declared, policy(all, peering(1, 2))), declared);
  });

  it("are not doubled when the peering is declared again", () => {
    const declared = policy(all, peering(1, 2, "10.9.0.0/16"));
    assert.equal(withRetiring(declared, policy(all, peering(1, 2))), declared);
  });
});
