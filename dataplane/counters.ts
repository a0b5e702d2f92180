// Counters out of the maps: what was sent per direction and CPU lies in shared memory, what was dropped in a hash by direction and reason.
// In = sent + dropped; the program counts each packet once. And the numbers (ids) under which directions are counted.
import { createHash } from "node:crypto";
import type { DataplaneCounters, DirectionCounters } from "./desired.ts";
import type { Direction } from "./encode.ts";
import { DataplaneError } from "./errors.ts";
import { dropKeyLayout, dropReasons, maxDirections, packetCountLayout } from "./generated/layout.ts";
import { type BpfMap, possibleCpus } from "./libbpf.ts";
import type { GatewayMaps } from "./maps.ts";

const wordsPerCount = packetCountLayout.size / 8;

export class Counters {
  readonly #maps: GatewayMaps;
  readonly #sent: BigUint64Array;
  readonly #unmap: () => void;

  constructor(maps: GatewayMaps) {
    this.#maps = maps;
    const { bytes, unmap } = maps.sent.map();
    this.#sent = new BigUint64Array(bytes);
    this.#unmap = unmap;
  }

  /** `ids`: of each direction, same order. */
  read(directions: readonly Direction[], ids: readonly number[]): DataplaneCounters {
    const dropped = new Map<number, { packets: number; bytes: number; reasons: Record<string, number> }>();
    for (const { key, value } of this.#maps.drops.entries()) {
      const id = key.readUInt32LE(dropKeyLayout.direction);
      const reason = reasonName(key.readUInt32LE(dropKeyLayout.reason));
      const packets = Number(value.readBigUInt64LE(packetCountLayout.packets));
      let sum = dropped.get(id);
      if (sum === undefined) {
        sum = { packets: 0, bytes: 0, reasons: {} };
        dropped.set(id, sum);
      }
      sum.packets += packets;
      sum.bytes += Number(value.readBigUInt64LE(packetCountLayout.bytes));
      sum.reasons[reason] = (sum.reasons[reason] ?? 0) + packets;
    }
    const counted = directions.map((direction, index): DirectionCounters => {
      const id = ids[index] as number;
      const out = this.#sentOf(id);
      const drops = dropped.get(id);
      return {
        ...direction,
        in: { packets: out.packets + (drops?.packets ?? 0), bytes: out.bytes + (drops?.bytes ?? 0) },
        out,
        drops: drops?.reasons ?? {},
      };
    });
    const unattributedDrops: Record<string, number> = {};
    let passed = 0;
    dropReasons.forEach((reason, number) => {
      const packets = this.#unattributed(number);
      if (number === 0) passed = packets;
      else if (packets > 0) unattributedDrops[reason] = packets;
    });
    return { directions: counted, unattributedDrops, passed };
  }

  /** Sets the counters of directions back to zero. Only when no packet can be counted there any more. */
  clear(ids: readonly number[]): void {
    if (ids.length === 0) return;
    const cleared = new Set(ids);
    for (const id of cleared) {
      for (let cpu = 0; cpu < possibleCpus; cpu++)
        this.#sent.fill(0n, this.#index(cpu, id), this.#index(cpu, id) + wordsPerCount);
    }
    for (const { key } of this.#maps.drops.entries()) {
      if (cleared.has(key.readUInt32LE(dropKeyLayout.direction))) this.#maps.drops.delete(key);
    }
  }

  close(): void {
    this.#unmap();
  }

  #sentOf(id: number): { packets: number; bytes: number } {
    let packets = 0;
    let bytes = 0;
    for (let cpu = 0; cpu < possibleCpus; cpu++) {
      packets += Number(this.#sent[this.#index(cpu, id) + packetCountLayout.packets / 8]);
      bytes += Number(this.#sent[this.#index(cpu, id) + packetCountLayout.bytes / 8]);
    }
    return { packets, bytes };
  }

  #index(cpu: number, id: number): number {
    return (cpu * maxDirections + id) * wordsPerCount;
  }

  #unattributed(reason: number): number {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(reason);
    const values = this.#maps.unattributed.lookup(key);
    let sum = 0;
    for (let cpu = 0; cpu < possibleCpus; cpu++) sum += Number(values?.readBigUInt64LE(cpu * 8) ?? 0n);
    return sum;
  }
}

function reasonName(reason: number): string {
  return dropReasons[reason] ?? `reason-${reason}`;
}

/** Which number a direction is counted under: kept in a pinned map, so that it outlives changes of the policy and the agent. */
export class DirectionIds {
  readonly #map: BpfMap;
  /** By digest, as in the map. */
  readonly #ids: Map<string, number>;
  /** Digests of the directions seen last: making them is what takes the time when there are many. */
  #digests = new Map<string, string>();

  constructor(map: BpfMap) {
    this.#map = map;
    this.#ids = new Map(map.entries().map(({ key, value }) => [key.toString("latin1"), value.readUInt32LE()]));
  }

  /** Ids of these directions, new ones where need be. Throws too-many. */
  allocate(directions: readonly Direction[]): number[] {
    const digests = new Map<string, string>();
    const used = new Set(this.#ids.values());
    const added: { digest: string; id: number }[] = [];
    let next = 0;
    const ids = directions.map(({ peering, from, to }) => {
      const name = `${peering}\0${from}\0${to}`;
      const digest = this.#digests.get(name) ?? createHash("sha256").update(name).digest().toString("latin1");
      digests.set(name, digest);
      const known = this.#ids.get(digest);
      if (known !== undefined) return known;
      while (used.has(next)) next++;
      if (next >= maxDirections) throw new DataplaneError("too-many", `more than ${maxDirections / 2} peerings`);
      used.add(next);
      added.push({ digest, id: next });
      return next;
    });
    const keys = Buffer.from(added.map(({ digest }) => digest).join(""), "latin1");
    const values = Buffer.alloc(added.length * 4);
    added.forEach(({ id }, index) => {
      values.writeUInt32LE(id, index * 4);
    });
    this.#map.updateBatch(keys, values, added.length);
    for (const { digest, id } of added) this.#ids.set(digest, id);
    this.#digests = digests;
    return ids;
  }

  /** Allocated ids that are none of these. */
  unused(ids: readonly number[]): number[] {
    const wanted = new Set(ids);
    return [...this.#ids.values()].filter((id) => !wanted.has(id));
  }

  release(ids: readonly number[]): void {
    const released = new Set(ids);
    for (const [digest, id] of this.#ids) {
      if (!released.has(id)) continue;
      this.#map.delete(Buffer.from(digest, "latin1"));
      this.#ids.delete(digest);
    }
  }
}
