// The plan of a stream does not depend on the order of its documents, nor on what was loaded and planned before.

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { plan } from "../../agent/plan/plan.ts";
import { FabricLoader, loadFabric } from "../../fabric-api/index.ts";
import { changePeering, generateFabric } from "../../scenarios/bench/manifests/generate.ts";

const MANIFESTS = generateFabric({ vpcs: 6, peerings: 12, gateways: 3, groups: 4 }).filter(
  // Those translate, which is not planned yet.
  ({ text }) => !text.includes("acl:"),
);

describe("plans of a stream", () => {
  it("are alike in any order of its documents", () => {
    const { fabric, errors } = loadFabric(MANIFESTS);
    assert.ok(fabric, errors[0]?.message);
    const expected = ["gateway-0", "gateway-1"].map((name) => plan(fabric, name));
    assert.ok((expected[0]?.bgp.announcements.length ?? 0) > 10);
    fc.assert(
      fc.property(fc.shuffledSubarray(MANIFESTS, { minLength: MANIFESTS.length }), (shuffled) => {
        const text = shuffled.map((one) => one.text).join("---\n");
        const again = loadFabric([{ file: "all.yaml", text }]).fabric;
        assert.ok(again);
        assert.deepEqual(
          ["gateway-0", "gateway-1"].map((name) => plan(again, name)),
          expected,
        );
      }),
      { numRuns: 30 },
    );
  });

  it("are those of a fresh load after one peering changed", () => {
    const loader = new FabricLoader();
    const before = loader.load(MANIFESTS).fabric;
    assert.ok(before);
    const planned = plan(before, "gateway-0");
    const last = MANIFESTS.findLast(({ text }) => text.includes("kind: GatewayPeering"));
    assert.ok(last);
    const changed = MANIFESTS.map((one) => (one === last ? changePeering(one) : one));
    const [incremental, fresh] = [loader.load(changed).fabric, loadFabric(changed).fabric];
    assert.ok(incremental && fresh);
    assert.deepEqual(plan(incremental, "gateway-0"), plan(fresh, "gateway-0"));
    assert.equal(plan(fresh, "gateway-0").bgp.announcements.length, planned.bgp.announcements.length - 1);
    // What ranks a gateway is not remembered from another fabric.
    const ranked = {
      ...incremental,
      groups: incremental.groups.map((one) => ({ ...one, members: [...one.members].reverse() })),
    };
    assert.deepEqual(plan(ranked, "gateway-0"), plan({ ...fresh, groups: ranked.groups }, "gateway-0"));
  });
});
