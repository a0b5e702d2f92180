// The kernel's network configuration through iproute2: read as JSON, changed in batches. The only place that runs `ip`.

import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { NodeCommandError } from "../errors.ts";
import type { KernelRoute, Link, Neighbor } from "../plan/underlay.ts";

const run = promisify(execFile);
/** Output of `ip -j` with tens of thousands of routes. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Reads every link with its addresses, `lo` included. */
export async function readLinks(): Promise<(Link & { readonly index: number; readonly adminUp: boolean })[]> {
  const rows = await readJson<IpAddressRow>(["address", "show"]);
  return rows.map((row) => ({
    name: row.ifname,
    index: row.ifindex,
    up: row.flags.includes("UP") && row.flags.includes("LOWER_UP"),
    adminUp: row.flags.includes("UP"),
    mac: row.address ?? "00:00:00:00:00:00",
    mtu: row.mtu,
    addresses: (row.addr_info ?? [])
      .filter((address) => address.scope !== "link")
      .map((address) => `${address.local}/${address.prefixlen}`),
  }));
}

export interface NeighborTable {
  /** Entries whose MAC address is known and not refuted. */
  readonly resolved: readonly Neighbor[];
  /** "IP LINK" of every entry that the kernel keeps resolving, answered or not. */
  readonly managed: ReadonlySet<string>;
}

export async function readNeighbors(): Promise<NeighborTable> {
  const rows = await readJson<IpNeighborRow>(["neighbor", "show"]);
  return {
    resolved: rows.flatMap((row) =>
      row.lladdr && !row.state?.some((state) => state === "FAILED" || state === "INCOMPLETE")
        ? [{ ip: row.dst, link: row.dev, mac: row.lladdr }]
        : [],
    ),
    managed: new Set(rows.filter((row) => row.managed !== undefined).map((row) => `${row.dst} ${row.dev}`)),
  };
}

/** Reads the routes that an earlier or this agent installed. */
export async function readBgpRoutes(): Promise<KernelRoute[]> {
  const rows = await readJson<IpRouteRow>(["route", "show", "proto", "bgp"]);
  return rows.map((row) => ({
    prefix: row.dst === "default" ? "0.0.0.0/0" : row.dst.includes("/") ? row.dst : `${row.dst}/32`,
    nextHops: row.nexthops
      ? row.nexthops.map((hop) => ({ via: hop.gateway, link: hop.dev }))
      : [{ via: row.gateway ?? "", link: row.dev ?? "" }],
  }));
}

/**
 * Runs commands (each a line without the leading `ip`) in one process. All are tried; the error names those that failed.
 * @throws NodeCommandError
 */
export async function ipBatch(lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await new Promise<void>((resolve, reject) => {
    const child = spawn("ip", ["-force", "-batch", "-"], { stdio: ["pipe", "ignore", "pipe"] });
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
    child.on("error", (cause) => reject(new NodeCommandError("ip -batch", cause.message, cause)));
    child.on("close", (status) => {
      if (status === 0) resolve();
      else reject(new NodeCommandError("ip", explain(lines, output)));
    });
    child.stdin.on("error", () => {});
    child.stdin.end(`${lines.join("\n")}\n`);
  });
}

/** "Command failed -:2" → the second line, with what was said before it. */
function explain(lines: readonly string[], output: string): string {
  return output
    .trim()
    .split("\n")
    .map((line) => {
      const failed = /^Command failed -:(\d+)$/.exec(line);
      return failed ? `in "${lines[Number(failed[1]) - 1]}"` : line;
    })
    .join(" ");
}

async function readJson<Row>(args: readonly string[]): Promise<Row[]> {
  try {
    const { stdout } = await run("ip", ["-j", ...args], { maxBuffer: MAX_OUTPUT_BYTES });
    return stdout.trim() === "" ? [] : (JSON.parse(stdout) as Row[]);
  } catch (cause) {
    throw new NodeCommandError(`ip ${args.join(" ")}`, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

interface IpAddressRow {
  readonly ifname: string;
  readonly ifindex: number;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address?: string;
  readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
}

interface IpNeighborRow {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state?: readonly string[];
  readonly managed?: unknown;
}

interface IpRouteRow {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly nexthops?: readonly { readonly gateway: string; readonly dev: string }[];
}
