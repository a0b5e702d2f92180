// Maps that are changed entry by entry: routes, tunnels, source VTEPs. Each knows what the kernel holds (read once, at the start), compares it with
// what is wanted and writes the difference. Additions and removals are separate steps: the caller removes last.
import { DataplaneError } from "./errors.ts";
import { maxTunnelPaths, maxTunnels, tunnelLayout, tunnelPathLayout } from "./generated/layout.ts";
import type { BpfMap } from "./libbpf.ts";

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface Difference {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}

/** A map and what is in it, by key. */
export class MirroredMap {
  readonly #map: BpfMap;
  readonly #held: Map<string, Buffer>;

  constructor(map: BpfMap) {
    this.#map = map;
    this.#held = new Map(map.entries().map(({ key, value }) => [key.toString("latin1"), value]));
  }

  /** Writes what is missing or different now; the result's `remove` deletes what is no longer wanted. */
  apply(wanted: readonly Entry[]): { difference: Difference; remove: () => void } {
    const keys = new Set<string>();
    const written: Entry[] = [];
    let added = 0;
    for (const entry of wanted) {
      const name = entry.key.toString("latin1");
      keys.add(name);
      const held = this.#held.get(name);
      if (held?.equals(entry.value)) continue;
      if (held === undefined) added++;
      written.push(entry);
    }
    this.#map.updateBatch(
      Buffer.concat(written.map(({ key }) => key)),
      Buffer.concat(written.map(({ value }) => value)),
      written.length,
    );
    for (const { key, value } of written) this.#held.set(key.toString("latin1"), value);
    const gone = [...this.#held.keys()].filter((name) => !keys.has(name));
    const remove = () => {
      for (const name of gone) {
        this.#map.delete(Buffer.from(name, "latin1"));
        this.#held.delete(name);
      }
    };
    return { difference: { added, changed: written.length - added, removed: gone.length }, remove };
  }
}

/**
 * Tunnels: VTEP → slot, and the slots' contents. A changed tunnel goes into another slot, so that no packet sees half of it; the old slot is
 * free only after `release`, which the caller calls when no packet that knows it is under way.
 */
export class TunnelTable {
  readonly #keys: BpfMap;
  readonly #slots: Buffer;
  readonly #unmap: () => void;
  readonly #held: Map<string, number>;
  readonly #leaving: number[] = [];

  constructor(keys: BpfMap, slots: BpfMap) {
    this.#keys = keys;
    const { bytes, unmap } = slots.map();
    this.#slots = Buffer.from(bytes);
    this.#unmap = unmap;
    this.#held = new Map(keys.entries().map(({ key, value }) => [key.toString("latin1"), value.readUInt32LE()]));
  }

  apply(wanted: readonly Entry[]): { difference: Difference; remove: () => void } {
    const used = new Set([...this.#held.values(), ...this.#leaving]);
    const keys = new Set<string>();
    let added = 0;
    let changed = 0;
    let next = 0;
    for (const { key, value } of wanted) {
      const name = key.toString("latin1");
      keys.add(name);
      const held = this.#held.get(name);
      if (held !== undefined && this.#slot(held).equals(value)) continue;
      while (used.has(next)) next++;
      if (next >= maxTunnels) throw new DataplaneError("too-many", `more than ${maxTunnels} tunnels`);
      used.add(next);
      this.#slot(next).set(value);
      const slot = Buffer.alloc(4);
      slot.writeUInt32LE(next);
      this.#keys.update(key, slot);
      this.#held.set(name, next);
      if (held === undefined) {
        added++;
      } else {
        changed++;
        this.#leaving.push(held);
      }
    }
    const gone = [...this.#held].filter(([name]) => !keys.has(name));
    const remove = () => {
      for (const [name, slot] of gone) {
        this.#keys.delete(Buffer.from(name, "latin1"));
        this.#held.delete(name);
        this.#leaving.push(slot);
      }
    };
    return { difference: { added, changed, removed: gone.length }, remove };
  }

  /** Whether `release` has something to do. */
  hasLeaving(): boolean {
    return this.#leaving.length > 0;
  }

  /** The slots given up may be used again. */
  release(): void {
    this.#leaving.length = 0;
  }

  /** Uplink slots that tunnels refer to. */
  usedUplinks(): Set<number> {
    const used = new Set<number>();
    for (const index of this.#held.values()) {
      const slot = this.#slot(index);
      const count = Math.min(maxTunnelPaths, slot.readUInt32LE(tunnelLayout.pathCount));
      for (let path = 0; path < count; path++) {
        used.add(slot.readUInt32LE(tunnelLayout.paths + path * tunnelPathLayout.size + tunnelPathLayout.uplink));
      }
    }
    return used;
  }

  close(): void {
    this.#unmap();
  }

  #slot(index: number): Buffer {
    return this.#slots.subarray(index * tunnelLayout.size, (index + 1) * tunnelLayout.size);
  }
}
