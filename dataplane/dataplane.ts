// The dataplane as the agent sees it: open it, apply a desired state, read counters, close it. Everything it puts into the kernel is pinned, so
// forwarding goes on when the process ends, and the next process takes it over as it is.
//
// What a packet sees changes at once or not at all: the policy is one trie that is built aside and put in place by one write; routes are replaced one
// by one; tunnels move to a new slot. Afterwards the generation is raised, which empties the flow cache. Order of `apply`: add, switch the
// policy, remove, raise the generation, attach.
import { createHash, randomBytes } from "node:crypto";
import { rmdirSync } from "node:fs";
import { formatIpv4, parseIpv4, parseMac } from "./address.ts";
import { Counters, DirectionIds } from "./counters.ts";
import type { AgeReport, DataplaneCounters, DataplaneDesired, DataplanePolicy, UplinkStatus } from "./desired.ts";
import {
  type Direction,
  directionsOf,
  encodePolicy,
  encodeRoute,
  encodeTunnel,
  encodeTunnelKey,
  statefulVnis,
} from "./encode.ts";
import { DataplaneError } from "./errors.ts";
import {
  aclRuleLayout,
  ageRunLayout,
  configLayout,
  layoutDigest,
  maxRules,
  policyEntryLayout,
  prefixKeyLayout,
} from "./generated/layout.ts";
import { BpfMap } from "./libbpf.ts";
import { type LoadedGateway, loadGateway, unpinMaps } from "./maps.ts";
import { type Difference, MirroredMap, TunnelTable } from "./tables.ts";
import { reconcileUplinks, removeLinks, UplinkSlots } from "./uplinks.ts";

export interface DataplaneLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface DataplaneOptions {
  /** On a BPF file system; one gateway each: "/sys/fs/bpf/fabgate/gw-1". */
  readonly pinDir: string;
  readonly log: DataplaneLog;
  /** Mount /sys/fs/bpf if it is not mounted. */
  readonly mountBpffs?: boolean;
}

/** What an `apply` changed. */
export interface ApplyReport {
  readonly policy: boolean;
  readonly routes: Difference;
  readonly tunnels: Difference;
  readonly sourceVteps: Difference;
  readonly uplinks: readonly UplinkStatus[];
}

export interface TestRun {
  readonly verdict: "aborted" | "drop" | "pass" | "tx" | "redirect" | "unknown";
  readonly packet: Buffer;
  readonly nsPerPacket: number;
}

const verdicts = ["aborted", "drop", "pass", "tx", "redirect"] as const;
const firstKey = Buffer.alloc(4);
const defaultFlowCapacity = 1 << 20;
/** How long a freed port rests before another inside endpoint may have it (RFC 6888 REQ-8). */
const restSeconds = 120;

export class Dataplane {
  readonly #pinDir: string;
  readonly #log: DataplaneLog;
  #gateway: LoadedGateway;
  readonly #config: Buffer;
  readonly #vtepGeneration: BigUint64Array;
  readonly #unmapConfig: () => void;
  readonly #statefulVnis: Buffer;
  readonly #unmapStatefulVnis: () => void;
  readonly #rules: Buffer;
  readonly #unmapRules: () => void;
  readonly #counters: Counters;
  readonly #directionIds: DirectionIds;
  readonly #routes: MirroredMap;
  readonly #tunnels: TunnelTable;
  readonly #sourceVteps: MirroredMap;
  readonly #uplinkSlots: UplinkSlots;
  #directions: readonly Direction[] = [];
  #ids: readonly number[] = [];
  #policyTrie: BpfMap;
  /** Something was written and the generation not yet raised: also after an `apply` that failed half-way. */
  #dirty = false;
  #closed = false;
  #uplinkStatus: readonly UplinkStatus[] = [];

  private constructor(options: DataplaneOptions, gateway: LoadedGateway) {
    this.#pinDir = options.pinDir;
    this.#log = options.log;
    this.#gateway = gateway;
    const { bytes, unmap } = gateway.maps.config.map();
    this.#config = Buffer.from(bytes, 0, configLayout.size);
    this.#vtepGeneration = new BigUint64Array(bytes, configLayout.vtepGeneration, 1);
    this.#unmapConfig = unmap;
    const stateful = gateway.maps.stateful_vnis.map();
    this.#statefulVnis = Buffer.from(stateful.bytes);
    this.#unmapStatefulVnis = stateful.unmap;
    const rules = gateway.maps.acl_rules.map();
    this.#rules = Buffer.from(rules.bytes);
    this.#unmapRules = rules.unmap;
    this.#counters = new Counters(gateway.maps);
    this.#directionIds = new DirectionIds(gateway.maps.direction_ids);
    this.#routes = new MirroredMap(gateway.maps.routes);
    this.#tunnels = new TunnelTable(gateway.maps.tunnel_slots, gateway.maps.tunnels);
    this.#sourceVteps = new MirroredMap(gateway.maps.source_vteps);
    this.#uplinkSlots = new UplinkSlots(gateway.maps.uplinks);
    const current = gateway.maps.policy.lookup(firstKey)?.readUInt32LE();
    if (current === undefined) throw new DataplaneError("map-failed", "the pinned map policy is empty");
    this.#policyTrie = BpfMap.byId("policy_trie", current);
    if (this.#config.readBigUInt64LE(configLayout.hashSeed) === 0n) {
      randomBytes(8).copy(this.#config, configLayout.hashSeed);
    }
  }

  /**
   * Loads the program, or takes over what is pinned; attaches nothing yet, and leaves what is attached alone.
   * Throws DataplaneError: no-libbpf, no-permission, no-bpffs, not-built, load-failed.
   */
  static open(options: DataplaneOptions): Dataplane {
    const gateway = loadGateway(options.pinDir, options.mountBpffs ?? false);
    options.log.info(
      { takenOver: gateway.takenOver, program: gateway.program.tag, layout: layoutDigest },
      "dataplane open",
    );
    return new Dataplane(options, gateway);
  }

  /** Makes the kernel hold this state. Synchronous. Applying the same twice changes nothing. Throws DataplaneError. */
  apply(desired: DataplaneDesired): ApplyReport {
    this.#expectOpen();
    const stateful = statefulVnis(desired.policy);
    const capacity = desired.flowTableCapacity ?? defaultFlowCapacity;
    if (stateful.some((byte) => byte !== 0) && this.#gateway.flowCapacity !== capacity) this.#resizeFlows(capacity);
    const usedUplinks = this.#tunnels.usedUplinks();
    const tunnelEntries = desired.tunnels.map((tunnel) => ({
      key: encodeTunnelKey(tunnel.vtep),
      value: encodeTunnel(tunnel, (name) => this.#uplinkSlots.slot(name, usedUplinks)),
    }));
    const routeEntries = desired.routes.map(encodeRoute);
    const vtepEntries = desired.sourceVteps.map((vtep) => ({ key: addressKey(vtep), value: firstKey }));
    const vtep = parseIpv4(desired.vtep.ip);
    const mac = parseMac(desired.vtep.mac);
    const policy = this.#buildPolicy(desired.policy);

    const tunnels = this.#tunnels.apply(tunnelEntries);
    const sourceVteps = this.#sourceVteps.apply(vtepEntries);
    const routes = this.#routes.apply(routeEntries);
    if (policy !== undefined) this.#switchPolicy(policy);
    stateful.copy(this.#statefulVnis);
    routes.remove();
    sourceVteps.remove();
    tunnels.remove();

    if (mac.compare(this.#config, configLayout.mac, configLayout.mac + 6) !== 0) {
      mac.copy(this.#config, configLayout.mac);
      this.#dirty = true;
    }
    for (const { added, changed, removed } of [routes.difference, tunnels.difference, sourceVteps.difference]) {
      if (added + changed + removed > 0) this.#dirty = true;
    }
    const changed = this.#setVtep(vtep);
    if (changed) this.#cleanUp();

    this.#uplinkStatus = reconcileUplinks(
      this.#pinDir,
      desired.uplinks,
      this.#gateway.program,
      this.#gateway.maps.flows.id,
    );
    for (const uplink of this.#uplinkStatus) {
      if (uplink.mode !== "native")
        this.#log.warn({ uplink }, `uplink ${uplink.name}: ${uplink.mode}: ${uplink.reason}`);
    }
    if (this.#uplinkStatus.every(({ mode }) => mode !== "detached")) unpinMaps(this.#pinDir, false);
    const report = {
      policy: policy !== undefined,
      routes: routes.difference,
      tunnels: tunnels.difference,
      sourceVteps: sourceVteps.difference,
      uplinks: this.#uplinkStatus,
    };
    if (changed) this.#log.info({ ...report, vtep: formatIpv4(vtep) }, "dataplane changed");
    return report;
  }

  /** Counters of the directions of the policy that was applied last. */
  counters(): DataplaneCounters {
    this.#expectOpen();
    return this.#counters.read(this.#directions, this.#ids);
  }

  /**
   * Ends flows that were idle too long and frees what they held; to be called every few seconds. `nowMs`: monotonic time. The work is done in the
   * kernel: 1 M flows take a tenth of a second of this thread.
   */
  age(nowMs = Number(process.hrtime.bigint() / 1_000_000n)): AgeReport {
    this.#expectOpen();
    const run = Buffer.alloc(ageRunLayout.size);
    run.writeUInt32LE(Math.floor(nowMs / 1000), ageRunLayout.now);
    run.writeUInt32LE(restSeconds, ageRunLayout.rest);
    this.#gateway.age.call(run);
    return {
      flows: run.readUInt32LE(ageRunLayout.flows),
      ended: run.readUInt32LE(ageRunLayout.ended),
      mappings: run.readUInt32LE(ageRunLayout.mappings),
      freed: run.readUInt32LE(ageRunLayout.freed),
      capacity: this.#gateway.flowCapacity,
    };
  }

  /** As the last `apply` left them. */
  uplinks(): readonly UplinkStatus[] {
    return this.#uplinkStatus;
  }

  /** Runs one frame through the loaded program, over the maps in force, and counts it. `ifindex`: interface it comes in at. */
  testRun(packet: Uint8Array, options: { ifindex?: number; repeat?: number } = {}): TestRun {
    this.#expectOpen();
    const { ifindex, repeat } = options;
    const result = this.#gateway.program.testRun(packet, {
      ...(ifindex === undefined ? {} : { ingressIndex: ifindex }),
      ...(repeat === undefined ? {} : { repeat }),
    });
    return { verdict: verdicts[result.action] ?? "unknown", packet: result.packet, nsPerPacket: result.nsPerPacket };
  }

  /** The loaded program's descriptor, to call it from another program. */
  get programFd(): number {
    this.#expectOpen();
    return this.#gateway.program.fd;
  }

  /** Lets go of it; forwarding goes on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unmapConfig();
    this.#unmapStatefulVnis();
    this.#unmapRules();
    this.#counters.close();
    this.#tunnels.close();
    this.#policyTrie.close();
    this.#gateway.program.close();
    this.#gateway.age.close();
    for (const map of Object.values(this.#gateway.maps)) map.close();
  }

  /** Detaches the program everywhere, forgets everything and closes. */
  remove(): void {
    this.#expectOpen();
    removeLinks(this.#pinDir);
    unpinMaps(this.#pinDir, true);
    rmdirSync(this.#pinDir);
    this.close();
  }

  /** The program once more, around the same maps but for those of the flows. The uplinks change over when they are reconciled. */
  #resizeFlows(capacity: number): void {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 1 << 26)
      throw new DataplaneError("invalid-desired", `flow table capacity ${capacity} is not 1–${1 << 26}`);
    const old = this.#gateway;
    const loaded = loadGateway(this.#pinDir, false, capacity);
    const { flows, mappings, bindings, ...others } = loaded.maps;
    for (const map of [...Object.values(others), old.maps.flows, old.maps.mappings, old.maps.bindings]) map.close();
    old.program.close();
    old.age.close();
    this.#gateway = { ...loaded, maps: { ...old.maps, flows, mappings, bindings } };
    this.#dirty = true;
    this.#log.info({ capacity }, "flow table made");
  }

  /** The maps' memory is gone after `close`: touching it would end the process. */
  #expectOpen(): void {
    if (this.#closed) throw new DataplaneError("internal", "the dataplane is closed");
  }

  /** The policy's trie, built aside; undefined if this policy is in force. */
  #buildPolicy(policy: DataplanePolicy): BuiltPolicy | undefined {
    const directions = directionsOf(policy);
    const ids = this.#directionIds.allocate(directions);
    const fingerprint = createHash("sha256")
      .update(JSON.stringify([policy, ids]))
      .digest();
    const start = configLayout.policyFingerprint;
    if (fingerprint.compare(this.#config, start, start + fingerprint.byteLength) === 0) {
      this.#directions = directions;
      this.#ids = ids;
      return undefined;
    }
    const rulesHalf = this.#config.readUInt32LE(configLayout.rulesHalf) === 0 ? 1 : 0;
    const { keys, values, count, rules } = encodePolicy(policy, ids, rulesHalf);
    const trie = BpfMap.createTrie("policy_trie", prefixKeyLayout.size, policyEntryLayout.size, Math.max(1, count));
    trie.updateBatch(keys, values, count);
    return { directions, ids, fingerprint, trie, rules, rulesHalf };
  }

  #switchPolicy({ directions, ids, fingerprint, trie, rules, rulesHalf }: BuiltPolicy): void {
    this.#dirty = true;
    rules.copy(this.#rules, rulesHalf * maxRules * aclRuleLayout.size);
    this.#config.writeUInt32LE(rulesHalf, configLayout.rulesHalf);
    this.#putPolicy(trie);
    fingerprint.copy(this.#config, configLayout.policyFingerprint);
    this.#policyTrie.close();
    this.#policyTrie = trie;
    this.#directions = directions;
    this.#ids = ids;
  }

  #putPolicy(trie: BpfMap): void {
    const fd = Buffer.alloc(4);
    fd.writeUInt32LE(trie.fd);
    this.#gateway.maps.policy.update(firstKey, fd);
  }

  /** Raises the generation if anything has changed. One 64-bit store, as a packet reads VTEP and generation in one load. */
  #setVtep(vtep: number): boolean {
    const current = Atomics.load(this.#vtepGeneration, 0);
    const wire = addressWord(vtep);
    if (!this.#dirty && (current & 0xffffffffn) === wire) return false;
    const generation = current >> 32n === 0xffffffffn ? 1n : (current >> 32n) + 1n;
    Atomics.store(this.#vtepGeneration, 0, (generation << 32n) | wire);
    this.#dirty = false;
    return true;
  }

  /** Frees what only packets of the old generation could use, after the last of them is through. */
  #cleanUp(): void {
    const unused = this.#directionIds.unused(this.#ids);
    if (unused.length === 0 && !this.#tunnels.hasLeaving()) return;
    // The kernel returns from a write to a map of maps when every program run that began before it has ended.
    this.#putPolicy(this.#policyTrie);
    this.#tunnels.release();
    this.#counters.clear(unused);
    this.#directionIds.release(unused);
  }
}

interface BuiltPolicy {
  readonly directions: readonly Direction[];
  readonly ids: readonly number[];
  readonly fingerprint: Buffer;
  readonly trie: BpfMap;
  readonly rules: Buffer;
  readonly rulesHalf: number;
}

function addressKey(text: string): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(parseIpv4(text));
  return key;
}

/** An address as a little-endian program reads it from a packet. */
function addressWord(address: number): bigint {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address);
  return BigInt(bytes.readUInt32LE());
}
