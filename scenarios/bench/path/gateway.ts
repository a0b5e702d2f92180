// Our gateway on the measured path: a process in the gateway's namespace that programs the dataplane by hand, without agent and BGP.
import type { DataplaneCounters, DataplaneDesired } from "../../../dataplane/desired.ts";
import { pinDirectory, removeLeftoverPins } from "../pins.ts";
import { Child } from "./child.ts";
import { GATEWAY, LEFT, type PathSide, RIGHT } from "./frame.ts";

const UNDERLAY_MTU = 9100;

export interface GatewayProcess {
  counters(): Promise<DataplaneCounters>;
  /** Detaches the program and ends the process. */
  stop(): Promise<void>;
}

/** Attaches our program to the gateway's two links. */
export async function startGateway(netns: string, leftLink: string, rightLink: string): Promise<GatewayProcess> {
  removeLeftoverPins();
  const desired = JSON.stringify(desiredState(leftLink, rightLink));
  const child = await Child.start({
    netns,
    program: "scenarios/bench/path/gateway-process",
    args: [pinDirectory("path"), desired],
  });
  return {
    counters: async () => (await child.ask("counters")) as DataplaneCounters,
    stop: () => child.stop(),
  };
}

function desiredState(leftLink: string, rightLink: string): DataplaneDesired {
  const sides = [
    { vpc: "vpc-1", link: leftLink, side: LEFT },
    { vpc: "vpc-2", link: rightLink, side: RIGHT },
  ] as const;
  const peeringSide = ({ vpc, side }: { vpc: string; side: PathSide }) => ({
    vpc,
    default: false,
    prefixes: [side.prefix],
  });
  return {
    vtep: { ip: GATEWAY.vtep, mac: GATEWAY.routerMac },
    uplinks: sides.map(({ link }) => link),
    policy: {
      vpcs: sides.map(({ vpc, side }) => ({ name: vpc, vni: side.vni })),
      peerings: [{ id: "vpc-1--vpc-2", sides: [peeringSide(sides[0]), peeringSide(sides[1])] }],
    },
    routes: sides.map(({ side }) => ({
      vni: side.vni,
      prefix: side.prefix,
      paths: [{ vtep: side.vtep, vni: side.vni, routerMac: side.routerMac }],
    })),
    tunnels: sides.map(({ link, side }) => ({
      vtep: side.vtep,
      mtu: UNDERLAY_MTU,
      paths: [{ uplink: link, sourceMac: side.gatewayLinkMac, nextHopMac: side.leafLinkMac }],
    })),
    sourceVteps: sides.map(({ side }) => side.vtep),
  };
}
