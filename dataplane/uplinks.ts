// The program on the uplinks: attach (native, else generic), take over a pinned link, replace the program in it, detach. And the slots of
// the map `uplinks`, through which the program sends.
import { readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { UplinkStatus } from "./desired.ts";
import { DataplaneError } from "./errors.ts";
import { maxUplinks } from "./generated/layout.ts";
import { BpfLink, type BpfMap, BpfProgram, interfaceIndex, xdpFlags, xdpMode } from "./libbpf.ts";

const linkPrefix = "link-";

/** An interface's pin: BPF file systems do not allow dots in names. */
function pinName(name: string): string {
  return linkPrefix + encodeURIComponent(name).replaceAll(".", "%2E");
}

function nameOf(pin: string): string {
  return decodeURIComponent(pin.slice(linkPrefix.length));
}

/**
 * Attaches the program to exactly these interfaces. Never throws for one interface: its status says what is wrong. `flowMapId` tells whether the program that
 * is there works on the same maps.
 */
export function reconcileUplinks(
  pinDirectory: string,
  names: readonly string[],
  program: BpfProgram,
  flowMapId: number,
): UplinkStatus[] {
  for (const pin of readdirSync(pinDirectory)) {
    if (pin.startsWith(linkPrefix) && !names.includes(nameOf(pin))) removeLink(join(pinDirectory, pin));
  }
  return names.map((name) => {
    const path = join(pinDirectory, pinName(name));
    const ifindex = interfaceIndex(name);
    if (ifindex === undefined) {
      removeLink(path);
      return { name, mode: "detached", reason: "no such interface" };
    }
    try {
      return reconcileUplink(path, name, ifindex, program, flowMapId);
    } catch (error) {
      if (!(error instanceof DataplaneError)) throw error;
      return { name, mode: "detached", reason: error.message };
    }
  });
}

function reconcileUplink(
  path: string,
  name: string,
  ifindex: number,
  program: BpfProgram,
  flowMapId: number,
): UplinkStatus {
  let reason = "the driver has no native mode for it";
  let link = BpfLink.pinned(path);
  // The interface was deleted and made again: the kernel has cut the old link.
  if (link !== undefined && link.info().ifindex !== ifindex) {
    link.close();
    unlinkSync(path);
    link = undefined;
  }
  if (link !== undefined) {
    const running = BpfProgram.byId(link.info().programId);
    if (running === undefined || running.tag !== program.tag || !running.mapIds.has(flowMapId)) link.update(program);
    running?.close();
  } else {
    try {
      link = BpfLink.attachXdp(program, ifindex, xdpFlags.driverMode);
    } catch (error) {
      if (error instanceof DataplaneError && error.code === "no-permission") throw error;
      reason = (error as Error).message;
      link = BpfLink.attachXdp(program, ifindex, xdpFlags.skbMode);
    }
    link.pin(path);
  }
  link.close();
  const mode = xdpMode(ifindex);
  if (mode === "native") return { name, mode };
  if (mode === "generic") return { name, mode, reason };
  return { name, mode: "detached", reason: "the kernel runs no program there" };
}

function removeLink(path: string): void {
  const link = BpfLink.pinned(path);
  if (link === undefined) return;
  if (link.info().ifindex !== 0) link.detach();
  link.close();
  unlinkSync(path);
}

export function removeLinks(pinDirectory: string): void {
  for (const pin of readdirSync(pinDirectory)) if (pin.startsWith(linkPrefix)) removeLink(join(pinDirectory, pin));
}

/** Which slot of the map `uplinks` sends through which interface. The kernel empties a slot when its interface goes away. */
export class UplinkSlots {
  readonly #map: BpfMap;
  readonly #slots = new Map<string, number>();

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Slot of an interface, filled if need be; undefined if there is no such interface. `used`: slots that tunnels still refer to. */
  slot(name: string, used: ReadonlySet<number>): number | undefined {
    const ifindex = interfaceIndex(name);
    if (ifindex === undefined) return undefined;
    const known = this.#slots.get(name);
    if (known !== undefined && this.#read(known) === ifindex) return known;
    const slot = known ?? this.#findOrChoose(ifindex, used);
    this.#map.update(slotKey(slot), slotKey(ifindex));
    this.#slots.set(name, slot);
    return slot;
  }

  #findOrChoose(ifindex: number, used: ReadonlySet<number>): number {
    const claimed = new Set(this.#slots.values());
    let free: number | undefined;
    for (let slot = 0; slot < maxUplinks; slot++) {
      const current = this.#read(slot);
      if (current === ifindex) return slot;
      if (current === undefined && !claimed.has(slot) && !used.has(slot)) free ??= slot;
    }
    if (free === undefined) throw new DataplaneError("too-many", `more than ${maxUplinks} uplinks`);
    return free;
  }

  #read(slot: number): number | undefined {
    return this.#map.lookup(slotKey(slot))?.readUInt32LE();
  }
}

function slotKey(value: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(value);
  return key;
}
