// The gateway's object with its maps, loaded into the kernel: new, or around the maps that an earlier agent pinned. What is pinned is reused
// all or not at all, and only under the same layout; maps of another layout stay, with the program that uses them, until `removeStale`.
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statfsSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { DataplaneError } from "./errors.ts";
import { layoutDigest, maxDirections } from "./generated/layout.ts";
import { BpfMap, BpfObject, type BpfProgram, mountBpffs, possibleCpus } from "./libbpf.ts";

const objectFile = join(import.meta.dirname, "generated", "gateway.bpf.o");
const bpffsMagic = 0xcafe4a11;
const standardMount = "/sys/fs/bpf";
/** Kernel name in the object → name of the pin. BPF file systems do not allow dots. */
const pinned = {
  ".data.config": "config",
  ".bss.tunnels": "tunnels",
  policy: "policy",
  routes: "routes",
  tunnel_slots: "tunnel_slots",
  source_vteps: "source_vteps",
  uplinks: "uplinks",
  sent: "sent",
  drops: "drops",
  unattributed: "unattributed",
  direction_ids: "direction_ids",
  ".bss.stateful": "stateful_vnis",
  ".bss.rules": "acl_rules",
  flows: "flows",
  mappings: "mappings",
  bindings: "bindings",
} as const;

export type GatewayMaps = { readonly [Name in (typeof pinned)[keyof typeof pinned]]: BpfMap };

/** These are sized by the capacity for flows; entries of each for one flow. Mappings rest a while after their last flow. */
const flowMaps = { flows: 2, mappings: 2, bindings: 2 } as const;
/** Capacity as long as no peering keeps state. */
const leastFlows = 64;

export interface LoadedGateway {
  readonly flowCapacity: number;
  readonly program: BpfProgram;
  /** Ends idle flows. */
  readonly age: BpfProgram;
  readonly maps: GatewayMaps;
  /** The maps were there already. */
  readonly takenOver: boolean;
}

/** Address pairs that the cache holds per CPU at most; halved until all CPUs together take no more than 256 MiB. */
function cacheSetsPerCpu(): number {
  const setBytes = 256;
  let sets = 65536;
  while (sets > 1024 && sets * setBytes * possibleCpus > 1 << 28) sets /= 2;
  return sets;
}

/** Makes `directory` on a BPF file system. Throws no-bpffs. */
function preparePinDirectory(directory: string, mayMount: boolean): void {
  let parent = directory;
  while (!existsSync(parent)) parent = dirname(parent);
  if (statfsSync(parent).type !== bpffsMagic) {
    const under = directory.startsWith(`${standardMount}/`);
    if (!mayMount || !under) {
      const advice = under ? `; mount one: mount -t bpf bpf ${standardMount}` : "";
      throw new DataplaneError("no-bpffs", `${directory} is not on a BPF file system${advice}`);
    }
    mountBpffs(standardMount);
  }
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new DataplaneError("no-permission", `cannot make ${directory}: ${(error as Error).message}`);
  }
}

/**
 * Loads the program. `flowCapacity`: for flow maps of this size, new ones if need be, while the others are taken over; undefined: whatever is there.
 * Throws no-bpffs, not-built, no-permission, load-failed.
 */
export function loadGateway(pinDirectory: string, mayMount: boolean, flowCapacity?: number): LoadedGateway {
  preparePinDirectory(pinDirectory, mayMount);
  const directory = join(pinDirectory, `maps-${layoutDigest}`);
  const object = new BpfObject(objectFile);
  try {
    const sets = cacheSetsPerCpu();
    object.setMaxEntries("flow_cache", sets * possibleCpus);
    object.setMaxEntries("flow_translations", sets * possibleCpus);
    object.setMaxEntries("sent", maxDirections * possibleCpus);
    const settings = Buffer.alloc(4);
    settings.writeUInt32LE(sets);
    object.setInitialValue(".rodata.settings", settings);

    if (flowCapacity !== undefined) unpinFlows(directory);
    const capacity = flowCapacity ?? pinnedCapacity(directory) ?? leastFlows;
    for (const [name, entries] of Object.entries(flowMaps)) object.setMaxEntries(name, entries * capacity);
    const takenOver = reusePinned(object, directory, flowCapacity === undefined);
    object.load();
    const maps = Object.fromEntries(
      Object.entries(pinned).map(([name, pin]) => [pin, object.map(name)]),
    ) as GatewayMaps;
    mkdirSync(directory, { recursive: true });
    for (const [pin, map] of Object.entries(maps)) if (!existsSync(join(directory, pin))) map.pin(join(directory, pin));
    return { flowCapacity: capacity, program: object.program("gateway"), age: object.program("age"), maps, takenOver };
  } finally {
    object.close();
  }
}

function reusePinned(object: BpfObject, directory: string, withFlows: boolean): boolean {
  if (!existsSync(directory)) return false;
  const found = Object.entries(pinned)
    .filter(([name]) => withFlows || !(name in flowMaps))
    .map(([name, pin]) => ({ name, map: BpfMap.pinned(pin, join(directory, pin)) }));
  const usable = found.every(({ name, map }) => map !== undefined && object.fits(name, map));
  for (const { name, map } of found) {
    if (usable && map !== undefined) object.reuse(name, map);
    map?.close();
  }
  // Left half-made by a start that was interrupted: nothing is attached to these.
  if (!usable) removeDirectory(directory);
  return usable;
}

/** What the pinned flow maps were made for; undefined if they are not all there. */
function pinnedCapacity(directory: string): number | undefined {
  if (!existsSync(directory)) return undefined;
  const flows = BpfMap.pinned("flows", join(directory, "flows"));
  if (flows === undefined) return undefined;
  flows.close();
  return flows.maxEntries / flowMaps.flows;
}

/** The program that is attached keeps its own until it is replaced. */
function unpinFlows(directory: string): void {
  for (const name of Object.keys(flowMaps)) rmSync(join(directory, name), { force: true });
}

function removeDirectory(directory: string): void {
  for (const entry of readdirSync(directory)) unlinkSync(join(directory, entry));
  rmdirSync(directory);
}

/** Unpins the maps of other layouts; with `all`, ours too. */
export function unpinMaps(pinDirectory: string, all: boolean): void {
  for (const entry of readdirSync(pinDirectory)) {
    if (entry.startsWith("maps-") && (all || entry !== `maps-${layoutDigest}`))
      removeDirectory(join(pinDirectory, entry));
  }
}
