// The gateway's object with its maps, loaded into the kernel: new, or around the maps that an earlier agent pinned. What is pinned is reused
// all or not at all, and only under the same layout; maps of another layout stay, with the program that uses them, until `removeStale`.
import { existsSync, mkdirSync, readdirSync, rmdirSync, statfsSync, unlinkSync } from "node:fs";
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
} as const;

export type GatewayMaps = { readonly [Name in (typeof pinned)[keyof typeof pinned]]: BpfMap };

export interface LoadedGateway {
  readonly program: BpfProgram;
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

/** Loads the program. Throws no-bpffs, not-built, no-permission, load-failed. */
export function loadGateway(pinDirectory: string, mayMount: boolean): LoadedGateway {
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

    const takenOver = reusePinned(object, directory);
    object.load();
    const maps = Object.fromEntries(
      Object.entries(pinned).map(([name, pin]) => [pin, object.map(name)]),
    ) as GatewayMaps;
    if (!takenOver) {
      mkdirSync(directory, { recursive: true });
      for (const [pin, map] of Object.entries(maps)) map.pin(join(directory, pin));
    }
    return { program: object.program("gateway"), maps, takenOver };
  } finally {
    object.close();
  }
}

function reusePinned(object: BpfObject, directory: string): boolean {
  if (!existsSync(directory)) return false;
  const found = Object.entries(pinned).map(([name, pin]) => ({ name, map: BpfMap.pinned(pin, join(directory, pin)) }));
  const usable = found.every(({ name, map }) => map !== undefined && object.fits(name, map));
  for (const { name, map } of found) {
    if (usable && map !== undefined) object.reuse(name, map);
    map?.close();
  }
  // Left half-made by a start that was interrupted: nothing is attached to these.
  if (!usable) removeDirectory(directory);
  return usable;
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
