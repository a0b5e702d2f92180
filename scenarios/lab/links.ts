// The links of a lab: veth pairs between the nodes' network namespaces, and what is done to them.
import { ipBatch, must } from "./command.ts";
import type { LinkEnd, Topology, TopologyLink } from "./topology.ts";

export type NetnsOf = (node: string) => string;

/** Makes all links, down. */
export async function createLinks(links: readonly TopologyLink[], netns: NetnsOf): Promise<void> {
  await ipBatch(
    links.map(({ ends: [a, b], mtu }) => {
      const [left, right] = [a, b].map((end) => `${end.interface} mtu ${mtu} netns ${netns(end.node)}`);
      return `link add name ${left} type veth peer name ${right}`;
    }),
  );
}

/**
 * Gives a node's link ends what real NICs would do: complete checksums on the wire, because XDP changes addresses inside
 * (a veth would hand over the pseudo-header sum). The peer of a gateway needs GRO, or frames that XDP redirects are lost.
 */
export async function tuneLinks(node: string, topology: Topology, netns: NetnsOf): Promise<void> {
  const gateways = new Set(topology.nodes.filter((other) => other.role === "gateway").map((other) => other.name));
  await Promise.all(
    endsOf(node, topology).map(({ own, peer }) => {
      const gro = gateways.has(peer.node) ? ["gro", "on"] : [];
      return must("nsenter", [`--net=/run/netns/${netns(node)}`, "ethtool", "-K", own.interface, "tx", "off", ...gro]);
    }),
  );
}

/** Sets all links of a node up or down at this node's side, in one go. */
export async function setLinks(node: string, topology: Topology, netns: NetnsOf, to: "up" | "down"): Promise<void> {
  await ipBatch(
    endsOf(node, topology).map(({ own }) => `link set ${own.interface} ${to}`),
    netns(node),
  );
}

/** Removes the addresses and routes of a node that was switched off; a real one would have forgotten them too. */
export async function flushNode(node: string, topology: Topology, netns: NetnsOf): Promise<void> {
  await ipBatch(
    ["lo", ...endsOf(node, topology).map(({ own }) => own.interface)].map((name) => `addr flush dev ${name}`),
    netns(node),
  );
}

/** Loses every packet to and from a node silently, at the far ends of its links; or stops doing so. */
export async function blackhole(node: string, topology: Topology, netns: NetnsOf, to: "on" | "off"): Promise<void> {
  await Promise.all(
    endsOf(node, topology).map(async ({ peer }) => {
      const table = `netdev fabgate-lab-${peer.interface}`;
      const chains = ["ingress", "egress"].map(
        (hook) => `chain ${hook} { type filter hook ${hook} device "${peer.interface}" priority -500; policy drop; }\n`,
      );
      const input = to === "on" ? `table ${table} {\n${chains.join("")}}\n` : `delete table ${table}\n`;
      const args = [`--net=/run/netns/${netns(peer.node)}`, "nft", "-f", "-"];
      await must("nsenter", args, { input });
    }),
  );
}

function endsOf(node: string, topology: Topology): { own: LinkEnd; peer: LinkEnd }[] {
  return topology.links.flatMap(({ ends: [a, b] }) => {
    const ends = [];
    if (a.node === node) ends.push({ own: a, peer: b });
    if (b.node === node) ends.push({ own: b, peer: a });
    return ends;
  });
}
