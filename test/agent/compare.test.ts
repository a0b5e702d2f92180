// What would change per gateway, as values and as text.

import assert from "node:assert/strict";
import { diffText } from "../../agent/cli/diff-text.ts";
import { compareFabrics } from "../../agent/plan/compare.ts";
import { policyLines } from "../../agent/plan/policy-text.ts";
import type { Fabric, Peering } from "../../fabric-api/fabric.ts";
import { fabric, gateway, group, peering, vpc } from "./fabric.ts";

const of = (before: Fabric, after: Fabric, name: string) => {
  const found = compareFabrics(before, after).find((changes) => changes.gateway === name);
  assert.ok(found);
  return found;
};

describe("comparing fabrics", () => {
  it("finds nothing between equal fabrics, and says so", () => {
    const changes = compareFabrics(fabric(), fabric());
    assert.deepEqual(
      changes.map(({ gateway: name, state }) => `${name} ${state}`),
      ["gateway-1 unchanged", "gateway-2 unchanged"],
    );
    assert.equal(diffText([{ object: "gateway/gateway-1", outcome: "unchanged" }], changes), "nothing would change\n");
  });

  it("shows a new peering as peering, policy and one route each way", () => {
    const after = fabric({ vpcs: [vpc(1), vpc(2), vpc(3)], peerings: [peering(1, 2), peering(1, 3)] });
    const { state, peerings, policy, routes, sessions, settings } = of(fabric(), after, "gateway-2");
    assert.equal(state, "changed");
    assert.deepEqual(peerings.added, [{ peering: "vpc-1--vpc-3", group: "default", rank: 1 }]);
    assert.deepEqual(policy.added, [
      { peering: "vpc-1--vpc-3", lines: ["vpc-1 exposes 10.1.1.0/24", "vpc-3 exposes 10.3.1.0/24"] },
    ]);
    assert.deepEqual(
      routes.added.map(({ into, prefix, destination, communities, med }) => [
        into,
        prefix,
        destination,
        communities,
        med,
      ]),
      [
        ["vpc-3", "10.1.1.0/24", "vpc-1", ["50001:1"], 10],
        ["vpc-1", "10.3.1.0/24", "vpc-3", ["50001:1"], 10],
      ],
    );
    for (const list of [routes.removed, routes.changed, policy.changed, sessions.added, settings.changed]) {
      assert.deepEqual(list, []);
    }
  });

  it("shows swapped ranks as changed signals, not as routes that come and go", () => {
    const after = fabric({ groups: [group("default", "gateway-2", "gateway-1")] });
    const { routes, peerings } = of(fabric(), after, "gateway-1");
    assert.deepEqual(
      peerings.changed.map((one) => [one.before.rank, one.after.rank]),
      [[0, 1]],
    );
    assert.deepEqual([routes.added, routes.removed], [[], []]);
    assert.deepEqual(
      routes.changed.map((one) => [one.before.med, one.after.med]),
      [
        [0, 10],
        [0, 10],
      ],
    );
  });

  it("shows gateways that come and go with all they do", () => {
    const after = fabric({ gateways: [gateway(1)], groups: [group("default", "gateway-1")] });
    const gone = of(fabric(), after, "gateway-2");
    assert.equal(gone.state, "removed");
    assert.equal(gone.routes.removed.length, 2);
    assert.deepEqual(gone.sessions.removed, [{ address: "172.16.2.4", asn: 65100, local: "eth1" }]);
    const come = of(after, fabric(), "gateway-2");
    assert.equal(come.state, "added");
    assert.deepEqual(come.routes.added, gone.routes.removed);
  });

  it("shows changed neighbours and addresses", () => {
    const moved = gateway(1, {
      vtepIp: "10.255.2.9",
      neighbors: [{ ip: "172.16.2.2", asn: 65200, source: "eth1" }],
      interfaces: [{ name: "eth1", kernel: "eth1", ips: ["172.16.2.3/31"], mtu: 1500 }],
    });
    const { sessions, settings } = of(fabric(), fabric({ gateways: [moved, gateway(2)] }), "gateway-1");
    assert.deepEqual(
      sessions.changed.map((one) => [one.before.asn, one.after.asn]),
      [[65100, 65200]],
    );
    assert.deepEqual(
      settings.changed.map(({ after }) => `${after.name} ${after.value}`),
      ["vtepIP 10.255.2.9", "interface eth1 172.16.2.3/31 mtu 1500"],
    );
  });

  it("shows a VPC's new VNI, and every route into it", () => {
    const after = fabric({ vpcs: [{ ...vpc(1), vni: 77 }, vpc(2)] });
    const { vpcs, routes } = of(fabric(), after, "gateway-1");
    assert.deepEqual(vpcs.changed, [{ before: { name: "vpc-1", vni: 100_001 }, after: { name: "vpc-1", vni: 77 } }]);
    assert.deepEqual(
      routes.changed.map((one) => [one.after.into, one.after.vni]),
      [["vpc-1", 77]],
    );
  });

  it("is the same both ways round, with + and - swapped", () => {
    const after = fabric({ peerings: [], gateways: [gateway(1), gateway(3)] });
    const there = compareFabrics(fabric(), after);
    const back = compareFabrics(after, fabric());
    assert.deepEqual(
      there.map(({ routes, policy }) => [routes.added, routes.removed, policy.added, policy.removed]),
      back.map(({ routes, policy }) => [routes.removed, routes.added, policy.removed, policy.added]),
    );
  });

  it("does not depend on where a policy's peering stands, but on its text", () => {
    const one = peering(1, 2);
    const exposes = [{ kind: "prefixes" as const, prefixes: ["10.1.1.0/25"] }];
    const narrower: Peering = { ...one, sides: [{ ...one.sides[0], exposes }, one.sides[1]] };
    const { policy } = of(fabric(), fabric({ peerings: [narrower] }), "gateway-1");
    assert.equal(policy.changed.length, 1);
    const text = diffText([], compareFabrics(fabric(), fabric({ peerings: [narrower] })));
    assert.match(text, /~ vpc-1--vpc-2\n {8}\+ vpc-1 exposes 10\.1\.1\.0\/25\n {8}- vpc-1 exposes 10\.1\.1\.0\/24\n/);
  });

  it("prints a review of a demotion", () => {
    const after = fabric({ groups: [group("default", "gateway-2", "gateway-1")] });
    const text = diffText([{ object: "gateway/gateway-1", outcome: "configured" }], compareFabrics(fabric(), after));
    assert.equal(
      text,
      `objects
  ~ gateway/gateway-1
~ gateway gateway-1
  peerings
    ~ vpc-1--vpc-2  rank 0 -> rank 1, group default
  routes
    ~ 10.1.1.0/24 into vpc-2  to vpc-1 by vpc-1--vpc-2, VNI 100002, community 50001:0 -> community 50001:1, med 0 -> med 10
    ~ 10.2.1.0/24 into vpc-1  to vpc-2 by vpc-1--vpc-2, VNI 100001, community 50001:0 -> community 50001:1, med 0 -> med 10
~ gateway gateway-2
  peerings
    ~ vpc-1--vpc-2  rank 1 -> rank 0, group default
  routes
    ~ 10.1.1.0/24 into vpc-2  to vpc-1 by vpc-1--vpc-2, VNI 100002, community 50001:1 -> community 50001:0, med 10 -> med 0
    ~ 10.2.1.0/24 into vpc-1  to vpc-2 by vpc-1--vpc-2, VNI 100001, community 50001:1 -> community 50001:0, med 10 -> med 0
`,
    );
  });
});

describe("a peering's policy as lines", () => {
  it("has one for each block and rule, with everything that changes what passes", () => {
    const timeouts = { tcpEstablishedMs: 7440_000, tcpTransitoryMs: 240_000, udpMs: 300_000, icmpMs: 60_000 };
    const text: Peering = {
      id: "x",
      group: "default",
      sides: [
        {
          vpc: "vpc-1",
          exposes: [
            {
              kind: "prefixes",
              prefixes: ["10.1.1.5/32"],
              nat: {
                kind: "port-forward",
                public: ["192.0.2.1/32"],
                timeouts,
                rules: [{ protocols: ["tcp"], private: { first: 22, last: 22 }, public: { first: 2222, last: 2222 } }],
              },
            },
            {
              kind: "prefixes",
              prefixes: ["10.1.1.0/24"],
              nat: { kind: "masquerade", public: ["192.0.2.1/32"], timeouts },
            },
          ],
        },
        { vpc: "vpc-2", exposes: [{ kind: "default" }] },
      ],
      acl: {
        default: "deny",
        rules: [
          {
            name: "ssh",
            from: "vpc-2",
            to: "vpc-1",
            action: "allow",
            src: [],
            dst: [{ prefixes: ["192.0.2.1/32"], ports: { first: 2222, last: 2222 } }],
            protocols: [6],
            scope: "flow",
            log: true,
          },
        ],
      },
    };
    assert.deepEqual(policyLines(text), [
      "vpc-1 exposes 10.1.1.5/32 as 192.0.2.1/32 (port-forward tcp 2222 to 22, idle tcp 7440 s (240 s transitory), udp 300 s, icmp 60 s)",
      "vpc-1 exposes 10.1.1.0/24 as 192.0.2.1/32 (masquerade, idle tcp 7440 s (240 s transitory), udp 300 s, icmp 60 s)",
      "vpc-2 exposes default",
      "acl 1 (ssh) allow from vpc-2 to vpc-1 [192.0.2.1/32 port 2222] protocol 6, per flow, logged",
      "acl otherwise deny",
    ]);
  });
});
