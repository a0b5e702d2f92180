// The path that is measured, once for each kind of gateway and otherwise the same: two hosts, two leaves that speak VXLAN with static
// entries, and the gateway between them.
//
//   host-1 ── leaf-1 ══ gateway ══ leaf-2 ── host-2
//
// `kernel` is what a user would build without fabgate: one VXLAN device a VPC and routes between them.
import { ipBatch, must } from "../../lab/command.ts";
import { BenchError } from "../errors.ts";
import { GATEWAY, LEFT, type PathSide, RIGHT } from "./frame.ts";
import { type GatewayProcess, startGateway } from "./gateway.ts";
import { addNamespaces, inNamespace, namespaceName, removeNamespaces } from "./namespaces.ts";

export type GatewayKind = "fabgate" | "kernel";

const UNDERLAY_MTU = 9100;
const VXLAN_MTU = 9000;
const NODES = ["host-1", "leaf-1", "gateway", "leaf-2", "host-2"] as const;
export type PathNode = (typeof NODES)[number];

export class World {
  readonly kind: GatewayKind;
  #gateway: GatewayProcess | undefined;

  private constructor(kind: GatewayKind) {
    this.kind = kind;
  }

  /** Builds the path and proves by a ping that it carries traffic. ERR_BENCH_FAILED if it does not. */
  static async up(kind: GatewayKind): Promise<World> {
    const world = new World(kind);
    try {
      await world.#make();
      await world.#prove();
      return world;
    } catch (error) {
      await world.down();
      throw error;
    }
  }

  netns(node: PathNode): string {
    return namespaceName(this.kind, node);
  }

  /** Interface names differ between worlds, because the kernel names its packet-receiving threads after them. */
  link(node: PathNode, towards: PathNode): string {
    const tag = `${this.kind.slice(0, 1)}${process.pid.toString(36)}`;
    return `${tag}${initials(node)}-${initials(towards)}`;
  }

  /** Runs a program on a node to its end and returns what it printed. */
  on(node: PathNode, argv: readonly string[]): Promise<string> {
    const [program, args] = inNamespace(this.netns(node), argv);
    return must(program, args);
  }

  /** Largest packet of the hosts, in bytes. */
  async setHostMtu(mtu: number): Promise<void> {
    for (const [host, leaf] of ACCESS) {
      for (const [node, peer] of [
        [host, leaf],
        [leaf, host],
      ] as const) {
        await this.on(node, ["ip", "link", "set", this.link(node, peer), "mtu", String(mtu)]);
      }
    }
  }

  async down(): Promise<void> {
    await this.#gateway?.stop();
    await removeNamespaces(NODES.map((node) => this.netns(node)));
  }

  async #make(): Promise<void> {
    await addNamespaces(NODES.map((node) => this.netns(node)));
    const leftLink = this.link("gateway", "leaf-1");
    const rightLink = this.link("gateway", "leaf-2");
    await ipBatch([
      this.#veth("host-1", "leaf-1", VXLAN_MTU),
      this.#veth("leaf-1", "gateway", UNDERLAY_MTU, LEFT.leafLinkMac, LEFT.gatewayLinkMac),
      this.#veth("gateway", "leaf-2", UNDERLAY_MTU, RIGHT.gatewayLinkMac, RIGHT.leafLinkMac),
      this.#veth("leaf-2", "host-2", VXLAN_MTU),
    ]);
    for (const node of NODES) {
      const settings = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv6.conf.all.disable_ipv6=1"];
      await this.on(node, ["sysctl", "-q", "-w", ...settings, "net.ipv4.conf.default.rp_filter=0"]);
    }
    await ipBatch(this.#hostConfig("host-1", "leaf-1", LEFT), this.netns("host-1"));
    await ipBatch(this.#hostConfig("host-2", "leaf-2", RIGHT), this.netns("host-2"));
    await ipBatch(this.#leafConfig("leaf-1", "host-1", LEFT, RIGHT), this.netns("leaf-1"));
    await ipBatch(this.#leafConfig("leaf-2", "host-2", RIGHT, LEFT), this.netns("leaf-2"));
    await this.#staticForwarding("leaf-1", LEFT.vni, GATEWAY);
    await this.#staticForwarding("leaf-2", RIGHT.vni, GATEWAY);
    // A veth carries checksums that are still to be filled in, which a wire does not: the leaves fill them in before the gateway rewrites
    // the packet. Their GRO makes frames arrive that XDP redirects. Both for either gateway.
    await this.setLeafOffloads("off");
    for (const leaf of ["leaf-1", "leaf-2"] as const) {
      await this.on(leaf, ["ethtool", "-K", this.link(leaf, "gateway"), "gro", "on"]);
    }
    await ipBatch(
      [
        "link set lo up",
        `addr add ${GATEWAY.vtep}/32 dev lo`,
        ...underlay(leftLink, LEFT.gatewayLink, LEFT),
        ...underlay(rightLink, RIGHT.gatewayLink, RIGHT),
      ],
      this.netns("gateway"),
    );
    if (this.kind === "kernel") {
      await ipBatch([...this.#kernelSide(LEFT), ...this.#kernelSide(RIGHT)], this.netns("gateway"));
      for (const side of [LEFT, RIGHT]) await this.#staticForwarding("gateway", side.vni, side);
    } else {
      this.#gateway = await startGateway(this.netns("gateway"), leftLink, rightLink);
    }
  }

  /** Checksums and segmentation by the leaves' kernel (off), or left to the "NIC", which on a veth is nobody (on). */
  async setLeafOffloads(state: "on" | "off"): Promise<void> {
    for (const leaf of ["leaf-1", "leaf-2"] as const) {
      await this.on(leaf, ["ethtool", "-K", this.link(leaf, "gateway"), "tx", state]);
      await this.on(leaf, ["ethtool", "-K", this.link(leaf, "gateway"), "tso", state]);
    }
  }

  /** GRO on the kernel gateway's links: off on a veth, on in NICs. Ours has no use for it. */
  async setGatewayGro(state: "on" | "off"): Promise<void> {
    if (this.kind !== "kernel") return;
    for (const leaf of ["leaf-1", "leaf-2"] as const) {
      await this.on("gateway", ["ethtool", "-K", this.link("gateway", leaf), "gro", state]);
    }
  }

  async #prove(): Promise<void> {
    try {
      await this.on("host-1", ["ping", "-q", "-c", "3", "-i", "0.05", "-W", "1", RIGHT.host]);
    } catch (error) {
      throw new BenchError("ERR_BENCH_FAILED", `no way from host-1 to host-2 through the ${this.kind} gateway`, error);
    }
  }

  #veth(left: PathNode, right: PathNode, mtu: number, leftMac?: string, rightMac?: string): string {
    const end = (node: PathNode, peer: PathNode, mac: string | undefined) =>
      `${this.link(node, peer)} mtu ${mtu}${mac === undefined ? "" : ` address ${mac}`} netns ${this.netns(node)}`;
    return `link add name ${end(left, right, leftMac)} type veth peer name ${end(right, left, rightMac)}`;
  }

  #hostConfig(host: PathNode, leaf: PathNode, side: PathSide): string[] {
    const link = this.link(host, leaf);
    return [`link set ${link} up`, `addr add ${side.host}/24 dev ${link}`, `route add default via ${side.leafInside}`];
  }

  #leafConfig(leaf: PathNode, host: PathNode, side: PathSide, other: PathSide): string[] {
    const toHost = this.link(leaf, host);
    const toGateway = this.link(leaf, "gateway");
    return [
      "link set lo up",
      `addr add ${side.vtep}/32 dev lo`,
      `link set ${toGateway} up`,
      `addr add ${side.leafLink}/31 dev ${toGateway}`,
      `neigh replace ${side.gatewayLink} lladdr ${side.gatewayLinkMac} dev ${toGateway} nud permanent`,
      `route add ${GATEWAY.vtep}/32 via ${side.gatewayLink} src ${side.vtep}`,
      `link set ${toHost} up`,
      `addr add ${side.leafInside}/24 dev ${toHost}`,
      ...vxlanDevice(side.vni, side.vtep, side.routerMac, other.prefix, GATEWAY),
    ];
  }

  #kernelSide(side: PathSide): string[] {
    return vxlanDevice(side.vni, GATEWAY.vtep, GATEWAY.routerMac, side.prefix, side);
  }

  /** Frames to a remote router MAC go to its VTEP. */
  async #staticForwarding(node: PathNode, vni: number, remote: Remote): Promise<void> {
    const device = deviceName(vni);
    await this.on(node, ["bridge", "fdb", "append", remote.routerMac, "dev", device, "dst", remote.vtep]);
  }
}

interface Remote {
  readonly vtep: string;
  readonly routerMac: string;
}

const ACCESS = [
  ["host-1", "leaf-1"],
  ["host-2", "leaf-2"],
] as const;

function initials(node: PathNode): string {
  return node === "gateway" ? "g" : `${node.slice(0, 1)}${node.slice(-1)}`;
}

function deviceName(vni: number): string {
  return `vx${vni}`;
}

/** A link of the gateway to a leaf, and the leaf's VTEP behind it. */
function underlay(link: string, own: string, side: PathSide): string[] {
  return [
    `link set ${link} up`,
    `addr add ${own}/31 dev ${link}`,
    `neigh replace ${side.leafLink} lladdr ${side.leafLinkMac} dev ${link} nud permanent`,
    `route add ${side.vtep}/32 via ${side.leafLink} src ${GATEWAY.vtep}`,
  ];
}

/** A VXLAN device and the route over it to a prefix behind a remote VTEP. */
function vxlanDevice(vni: number, local: string, mac: string, prefix: string, remote: Remote): string[] {
  const device = deviceName(vni);
  return [
    `link add name ${device} address ${mac} mtu ${VXLAN_MTU} type vxlan id ${vni} dstport 4789 local ${local} nolearning`,
    `link set ${device} up`,
    `neigh replace ${remote.vtep} lladdr ${remote.routerMac} dev ${device} nud permanent`,
    `route add ${prefix} via ${remote.vtep} dev ${device} onlink`,
  ];
}
