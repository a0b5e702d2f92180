// A small fabric for packet tests: two pairs of VPCs with the same addresses, a default destination, and a route for everything that can go wrong.
import type { DataplaneDesired, DataplaneSide } from "../../../dataplane/desired.ts";
import type { Lab } from "./lab.ts";

export const gateway = { ip: "10.255.2.1", mac: "02:02:00:00:00:01" };
export const vni = { a: 100001, b: 100002, c: 100003, d: 100004, ext: 100005, alone: 100006 };
export const leaf = {
  a: "10.255.1.1",
  b: "10.255.1.2",
  /** Reached over both uplinks. */
  both: "10.255.1.3",
  /** Behind a small MTU. */
  small: "10.255.1.4",
  /** No tunnel. */
  lost: "10.255.1.5",
  /** Over an uplink that tests take away. */
  gone: "10.255.1.6",
};
export const routerMac = { a: "02:01:00:00:00:0a", b: "02:01:00:00:00:0b" };
export const up0 = { uplink: "up0", sourceMac: "02:aa:00:00:00:00", nextHopMac: "02:bb:00:00:00:00" };
export const up1 = { uplink: "up1", sourceMac: "02:aa:00:00:00:01", nextHopMac: "02:bb:00:00:00:01" };
export const smallMtu = 120;

/** A namespace with up0, up1 and up2, entered. */
export function enterGateway(lab: Lab): { readonly namespace: string; readonly peer: string } {
  const namespace = lab.namespace("gw");
  const peer = lab.namespace("peer");
  for (const index of [0, 1, 2]) {
    lab.veth({ namespace, name: `up${index}` }, { namespace: peer, name: `far${index}` }, 9100);
  }
  lab.enter(namespace);
  return { namespace, peer };
}

export function side(vpc: string, ...prefixes: string[]): DataplaneSide {
  return { vpc, default: false, prefixes };
}

export function fixture(): DataplaneDesired {
  const route = (table: number, prefix: string, ...paths: { vtep: string; routerMac: string }[]) => ({
    vni: table,
    prefix,
    paths: paths.map(({ vtep, routerMac: mac }) => ({ vtep, vni: table, routerMac: mac })),
  });
  const a = { vtep: leaf.a, routerMac: routerMac.a };
  const b = { vtep: leaf.b, routerMac: routerMac.b };
  return {
    vtep: gateway,
    uplinks: [],
    policy: {
      vpcs: Object.entries(vni).map(([name, number]) => ({ name, vni: number })),
      peerings: [
        { id: "a--b", sides: [side("a", "10.1.0.0/16", "10.7.0.0/24"), side("b", "10.2.0.0/16", "10.3.0.0/24")] },
        { id: "c--d", sides: [side("c", "10.1.0.0/16"), side("d", "10.2.0.0/16")] },
        { id: "a--ext", sides: [side("a", "10.1.0.0/16"), { vpc: "ext", default: true, prefixes: [] }] },
      ],
    },
    routes: [
      route(vni.a, "10.1.0.0/16", a),
      route(vni.b, "10.2.0.0/16", b),
      route(vni.b, "10.2.96.0/24", a, b, { vtep: leaf.both, routerMac: routerMac.a }),
      route(vni.b, "10.2.97.0/24", { vtep: leaf.gone, routerMac: routerMac.b }),
      route(vni.b, "10.2.98.0/24", { vtep: leaf.small, routerMac: routerMac.b }),
      route(vni.b, "10.2.99.0/24", { vtep: leaf.lost, routerMac: routerMac.b }),
      route(vni.b, "10.2.100.0/24", { vtep: leaf.both, routerMac: routerMac.b }),
      route(vni.c, "10.1.0.0/16", a),
      route(vni.d, "10.2.0.0/16", b),
      route(vni.ext, "0.0.0.0/0", b),
    ],
    tunnels: [
      { vtep: leaf.a, mtu: 9100, paths: [up0] },
      { vtep: leaf.b, mtu: 9100, paths: [up1] },
      { vtep: leaf.both, mtu: 9100, paths: [up0, up1] },
      { vtep: leaf.small, mtu: smallMtu, paths: [up0] },
      { vtep: leaf.gone, mtu: 9100, paths: [{ ...up0, uplink: "up2" }] },
    ],
    sourceVteps: [leaf.a, leaf.b],
  };
}
