// Suite `path`: host to host through our gateway, beside the same path with a kernel gateway, in turn.
import { removeLeftovers } from "../path/namespaces.ts";
import { roundTripUs } from "../path/round-trip.ts";
import { tcpGbps } from "../path/tcp.ts";
import { type Throughput, Traffic } from "../path/traffic.ts";
import { World } from "../path/world.ts";
import { type Row, rowOfPairs } from "../row.ts";
import { alternate, median } from "../statistics.ts";
import type { Suite, SuiteContext } from "./suite.ts";

const PAIRS = 5;
const TCP_PAIRS = 3;
/** 1024 address pairs. */
const FLOW_BITS = 10;
const HOST_MTUS = [1500, 9000] as const;

interface Worlds {
  readonly ours: World;
  readonly kernel: World;
}

export const path: Suite = {
  name: "path",
  async run(context) {
    await removeLeftovers();
    const made: World[] = [];
    try {
      const ours = await World.up("fabgate");
      made.push(ours);
      const kernel = await World.up("kernel");
      made.push(kernel);
      const worlds = { ours, kernel };
      return [
        ...(await packetRate(worlds, context)),
        await roundTrip(worlds, context),
        ...(await tcp(worlds, context)),
      ];
    } finally {
      for (const world of made) await world.down();
    }
  },
};

/** Packets a second that arrive, and from the same measurements the time of the gateway's core that each of them took. */
async function packetRate({ ours, kernel }: Worlds, { signal, progress }: SuiteContext): Promise<Row[]> {
  const started: Traffic[] = [];
  const start = async (world: World) => {
    const traffic = await Traffic.start(world);
    started.push(traffic);
    return async () => {
      signal.throwIfAborted();
      const throughput = await traffic.measure(FLOW_BITS);
      progress(`path: ${world.kind}: ${describe(throughput)}`);
      return throughput;
    };
  };
  try {
    const pairs = await alternate(PAIRS, await start(ours), await start(kernel));
    const of = (what: (throughput: Throughput) => number) =>
      pairs.map((pair) => ({ ours: what(pair.ours), peer: what(pair.peer) }));
    const loads = of(({ gatewayLoad }) => gatewayLoad);
    const load = (side: "ours" | "peer") => `${Math.round(100 * median(loads.map((pair) => pair[side])))} %`;
    const note = `114-byte VXLAN frames of 1 k address pairs. Load of the gateway's core: ours ${load("ours")}, kernel ${load("peer")}. ${BELOW_FULL_LOAD}`;
    const name = "small packets, one core";
    return [
      rowOfPairs(
        {
          suite: path.name,
          name: `${name}`,
          unit: "packets/s",
          goal: { of: "ratio", limit: "at least", than: 5 },
          note,
        },
        "kernel",
        of(({ deliveredPps }) => deliveredPps),
      ),
      rowOfPairs(
        { suite: path.name, name: `${name}: core time`, unit: "ns", note },
        "kernel",
        of(({ gatewayNs }) => gatewayNs),
      ),
    ];
  } finally {
    for (const traffic of started) await traffic.stop();
  }
}

const BELOW_FULL_LOAD =
  "Well below 100 %, the core that makes and counts the traffic is the limit, and the gateway could do more.";

function describe({ deliveredPps, offeredPps, gatewayLoad, gatewayNs }: Throughput): string {
  const mpps = (pps: number) => (pps / 1e6).toFixed(2);
  return `${mpps(deliveredPps)} of ${mpps(offeredPps)} Mpps, core at ${Math.round(gatewayLoad * 100)} %, ${Math.round(gatewayNs)} ns each`;
}

async function roundTrip({ ours, kernel }: Worlds, { signal, progress }: SuiteContext): Promise<Row> {
  progress("path: round-trip time");
  // A packet that waits for others only loses time.
  await kernel.setGatewayGro("off");
  const measure = (world: World) => () => {
    signal.throwIfAborted();
    return roundTripUs(world);
  };
  return rowOfPairs(
    {
      suite: path.name,
      name: "round-trip time",
      unit: "µs",
      goal: { of: "ratio", limit: "at most", than: 1 },
    },
    "kernel",
    await alternate(PAIRS, measure(ours), measure(kernel)),
  );
}

/** The kernel twice: with segmentation and checksums done before its gateway, as on a wire, and left undone, as a veth allows. */
async function tcp({ ours, kernel }: Worlds, { signal, progress }: SuiteContext): Promise<Row[]> {
  const rows: Row[] = [];
  await kernel.setGatewayGro("on");
  const measure = (world: World) => () => {
    signal.throwIfAborted();
    return tcpGbps(world);
  };
  for (const mtu of HOST_MTUS) {
    for (const world of [ours, kernel]) await world.setHostMtu(mtu);
    for (const offloads of ["off", "on"] as const) {
      progress(`path: TCP, MTU ${mtu}, the kernel's leaves with offloads ${offloads}`);
      await kernel.setLeafOffloads(offloads);
      const pairs = await alternate(TCP_PAIRS, measure(ours), measure(kernel));
      const wire = offloads === "off";
      rows.push(
        rowOfPairs(
          {
            suite: path.name,
            name: `TCP, MTU ${mtu}${wire ? ", cut as on a wire" : ""}`,
            unit: "Gbit/s",
            ...(wire ? {} : { note: GIANTS }),
          },
          wire ? "kernel" : "kernel, giants",
          pairs,
        ),
      );
    }
  }
  await kernel.setLeafOffloads("off");
  return rows;
}

const GIANTS =
  "No goal: on veth the kernel gateway gets TCP segments of up to 64 kB that nobody ever cut, one pass for 44 packets; no real NIC delivers VXLAN like that.";
