// The binding of libbpf 1.x and of the few libc calls around it: the only file that calls C. koffi does not check bounds, so every call goes
// through a wrapper that compares the buffers with the key, value and CPU sizes of the map. Errors become DataplaneErrors that name the call.
import { closeSync, readFileSync } from "node:fs";
import koffi, { type LibraryHandle } from "koffi";
import { DataplaneError, type DataplaneErrorCode } from "./errors.ts";

const names = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

function loadLibrary(file: string): LibraryHandle {
  try {
    return koffi.load(file);
  } catch (error) {
    throw new DataplaneError("no-libbpf", `cannot load ${file} (Debian package libbpf1): ${(error as Error).message}`);
  }
}

const lib = loadLibrary("libbpf.so.1");
const libc = loadLibrary("libc.so.6");

const c = {
  setPrint: lib.func("libbpf_set_print", "void *", ["void *"]),
  possibleCpus: lib.func("libbpf_num_possible_cpus", "int", []),
  objectOpen: lib.func("bpf_object__open_file", "void *", ["str", "void *"]),
  objectLoad: lib.func("bpf_object__load", "int", ["void *"]),
  objectClose: lib.func("bpf_object__close", "void", ["void *"]),
  findMap: lib.func("bpf_object__find_map_by_name", "void *", ["void *", "str"]),
  findProgram: lib.func("bpf_object__find_program_by_name", "void *", ["void *", "str"]),
  mapFd: lib.func("bpf_map__fd", "int", ["void *"]),
  mapSetMaxEntries: lib.func("bpf_map__set_max_entries", "int", ["void *", "uint32"]),
  mapMaxEntries: lib.func("bpf_map__max_entries", "uint32", ["void *"]),
  mapKeySize: lib.func("bpf_map__key_size", "uint32", ["void *"]),
  mapValueSize: lib.func("bpf_map__value_size", "uint32", ["void *"]),
  mapType: lib.func("bpf_map__type", "int", ["void *"]),
  mapReuse: lib.func("bpf_map__reuse_fd", "int", ["void *", "int"]),
  mapSetInitial: lib.func("bpf_map__set_initial_value", "int", ["void *", "void *", "size_t"]),
  programFd: lib.func("bpf_program__fd", "int", ["void *"]),
  mapFdById: lib.func("bpf_map_get_fd_by_id", "int", ["uint32"]),
  programFdById: lib.func("bpf_prog_get_fd_by_id", "int", ["uint32"]),
  // Two arguments; the others keep buffers alive whose addresses are in the second.
  programRun: lib.func("bpf_prog_test_run_opts", "int", ["int", "void *", "void *", "void *"]),
  mapCreate: lib.func("bpf_map_create", "int", ["int", "str", "uint32", "uint32", "uint32", "void *"]),
  lookup: lib.func("bpf_map_lookup_elem", "int", ["int", "void *", "void *"]),
  update: lib.func("bpf_map_update_elem", "int", ["int", "void *", "void *", "uint64"]),
  remove: lib.func("bpf_map_delete_elem", "int", ["int", "void *"]),
  updateBatch: lib.func("bpf_map_update_batch", "int", ["int", "void *", "void *", "void *", "void *"]),
  lookupBatch: lib.func("bpf_map_lookup_batch", "int", [
    "int",
    "void *",
    "void *",
    "void *",
    "void *",
    "void *",
    "void *",
  ]),
  pin: lib.func("bpf_obj_pin", "int", ["int", "str"]),
  getPinned: lib.func("bpf_obj_get", "int", ["str"]),
  info: lib.func("bpf_obj_get_info_by_fd", "int", ["int", "void *", "void *"]),
  linkCreate: lib.func("bpf_link_create", "int", ["int", "int", "int", "void *"]),
  linkUpdate: lib.func("bpf_link_update", "int", ["int", "int", "void *"]),
  linkDetach: lib.func("bpf_link_detach", "int", ["int"]),
  xdpQuery: lib.func("bpf_xdp_query", "int", ["int", "int", "void *"]),
  mmap: libc.func("mmap", "void *", ["void *", "size_t", "int", "int", "int", "int64"]),
  munmap: libc.func("munmap", "int", ["uint64", "size_t"]),
  mount: libc.func("mount", "int", ["str", "str", "str", "ulong", "void *"]),
  interfaceIndex: libc.func("if_nametoindex", "uint32", ["str"]),
};

// Errors are reported through return values; libbpf's own chatter on stderr would break the agent's JSON log.
c.setPrint(null);

/** Values of the kernel's UAPI that are used here. */
export const bpfMapType = { arrayOfMaps: 12, percpuArray: 6, lpmTrie: 11 } as const;
const attachXdp = 37;
const exist = { any: 0n } as const;
export const xdpFlags = { skbMode: 2, driverMode: 4 } as const;

/** How many CPUs per-CPU values are made for. */
export const possibleCpus: number = c.possibleCpus();

/** Index of a network interface of this network namespace; undefined if there is none of that name. */
export function interfaceIndex(name: string): number | undefined {
  return (c.interfaceIndex(name) as number) || undefined;
}

/** Mounts a BPF file system. Throws no-bpffs. */
export function mountBpffs(directory: string): void {
  if (c.mount("bpf", directory, "bpf", 0, null) !== 0) {
    throw new DataplaneError(
      "no-bpffs",
      `cannot mount a BPF file system at ${directory}: ${errorName(-koffi.errno())}`,
    );
  }
}

function errorName(result: number): string {
  return names.get(-result) ?? `error ${-result}`;
}

function failure(code: DataplaneErrorCode, what: string, result: number, verifierLog?: string): DataplaneError {
  const name = errorName(result);
  if (name === "EPERM" || name === "EACCES") {
    if (verifierLog !== undefined && verifierLog !== "") {
      return new DataplaneError(code, `${what}: the verifier refused it (${name})`, verifierLog);
    }
    return new DataplaneError("no-permission", `${what}: ${name}; this needs root or CAP_BPF and CAP_NET_ADMIN`);
  }
  return new DataplaneError(code, `${what}: ${name}`, verifierLog);
}

function check(code: DataplaneErrorCode, what: string, result: number): number {
  if (result < 0) throw failure(code, what, result);
  return result;
}

function isError(result: number, name: string): boolean {
  return result < 0 && names.get(-result) === name;
}

function pad8(size: number): number {
  return (size + 7) & ~7;
}

/** An open map. Close it when done; pins and programs hold it in the kernel by themselves. */
export class BpfMap {
  readonly name: string;
  readonly fd: number;
  readonly type: number;
  readonly id: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;

  constructor(name: string, fd: number) {
    const info = Buffer.alloc(88);
    objectInfo(fd, info, `map ${name}`);
    this.name = name;
    this.fd = fd;
    this.type = info.readUInt32LE(0);
    this.id = info.readUInt32LE(4);
    this.keySize = info.readUInt32LE(8);
    this.valueSize = info.readUInt32LE(12);
    this.maxEntries = info.readUInt32LE(16);
  }

  /** A new LPM trie without preallocation, as an inner map. Throws map-failed. */
  static createTrie(name: string, keySize: number, valueSize: number, maxEntries: number): BpfMap {
    const options = Buffer.alloc(48);
    options.writeBigUInt64LE(48n, 0);
    options.writeUInt32LE(1 /* BPF_F_NO_PREALLOC */, 28);
    const fd: number = c.mapCreate(bpfMapType.lpmTrie, name, keySize, valueSize, maxEntries, options);
    return new BpfMap(name, check("map-failed", `create map ${name}`, fd));
  }

  /** A map that is in the kernel. Throws map-failed. */
  static byId(name: string, id: number): BpfMap {
    return new BpfMap(name, check("map-failed", `open map ${name}`, c.mapFdById(id)));
  }

  /** The map pinned at `path`; undefined if nothing is there. Throws map-failed. */
  static pinned(name: string, path: string): BpfMap | undefined {
    const fd: number = c.getPinned(path);
    if (isError(fd, "ENOENT")) return undefined;
    return new BpfMap(name, check("map-failed", `open ${path}`, fd));
  }

  /** Value size of one lookup: all CPUs' values for a per-CPU map. */
  get lookupSize(): number {
    return this.type === bpfMapType.percpuArray ? pad8(this.valueSize) * possibleCpus : this.valueSize;
  }

  lookup(key: Uint8Array): Buffer | undefined {
    this.#expect(key, this.keySize, "key");
    const value = Buffer.alloc(this.lookupSize);
    const result: number = c.lookup(this.fd, key, value);
    if (isError(result, "ENOENT")) return undefined;
    check("map-failed", `read map ${this.name}`, result);
    return value;
  }

  update(key: Uint8Array, value: Uint8Array): void {
    this.#expect(key, this.keySize, "key");
    this.#expect(value, this.lookupSize, "value");
    check("map-failed", `write map ${this.name}`, c.update(this.fd, key, value, exist.any));
  }

  /** False if there was no such key. */
  delete(key: Uint8Array): boolean {
    this.#expect(key, this.keySize, "key");
    const result: number = c.remove(this.fd, key);
    if (isError(result, "ENOENT")) return false;
    check("map-failed", `delete from map ${this.name}`, result);
    return true;
  }

  /** Writes `count` entries that lie one behind the other. */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): void {
    this.#expect(keys, this.keySize * count, "keys");
    this.#expect(values, this.valueSize * count, "values");
    if (count === 0) return;
    const options = batchOptions();
    const counted = Buffer.alloc(4);
    counted.writeUInt32LE(count);
    const result: number = c.updateBatch(this.fd, keys, values, counted, options);
    check("map-failed", `write ${count} entries to map ${this.name}`, result);
  }

  /** Every entry, copied, in batches. Not for arrays and per-CPU maps. Entries that change meanwhile may be missed or come twice. */
  entries(): { key: Buffer; value: Buffer }[] {
    const batch = 4096;
    const found: { key: Buffer; value: Buffer }[] = [];
    // The kernel's position between two batches: at most a key, at least a word.
    const position = Buffer.alloc(Math.max(this.keySize, 8));
    const counted = Buffer.alloc(4);
    const options = batchOptions();
    for (let first = true; ; first = false) {
      const keys = Buffer.alloc(batch * this.keySize);
      const values = Buffer.alloc(batch * this.valueSize);
      counted.writeUInt32LE(batch);
      const from = first ? null : position;
      const result: number = c.lookupBatch(this.fd, from, position, keys, values, counted, options);
      const last = isError(result, "ENOENT");
      if (!last) check("map-failed", `read map ${this.name}`, result);
      const count = counted.readUInt32LE();
      for (let index = 0; index < count; index++) {
        const key = keys.subarray(index * this.keySize, (index + 1) * this.keySize);
        found.push({ key, value: values.subarray(index * this.valueSize, (index + 1) * this.valueSize) });
      }
      if (last) return found;
    }
  }

  /** The values of an array made with BPF_F_MMAPABLE, as shared memory. Stays mapped until `unmap`. */
  map(): { bytes: ArrayBuffer; unmap: () => void } {
    const length = (pad8(this.valueSize) * this.maxEntries + 4095) & ~4095;
    const address: bigint = c.mmap(null, length, 3 /* read, write */, 1 /* shared */, this.fd, 0);
    if (address === 0xffffffffffffffffn || address === -1n) {
      throw failure("map-failed", `map ${this.name} into memory`, -koffi.errno());
    }
    const unmap = () => {
      c.munmap(address, length);
    };
    return { bytes: koffi.view(address, length), unmap };
  }

  /** Throws map-failed. */
  pin(path: string): void {
    check("map-failed", `pin map ${this.name} at ${path}`, c.pin(this.fd, path));
  }

  close(): void {
    closeSync(this.fd);
  }

  #expect(buffer: Uint8Array, size: number, what: string): void {
    if (buffer.byteLength !== size) {
      throw new DataplaneError("internal", `map ${this.name}: ${what} has ${buffer.byteLength} bytes, not ${size}`);
    }
  }
}

function batchOptions(): Buffer {
  const options = Buffer.alloc(24);
  options.writeBigUInt64LE(24n);
  return options;
}

function objectInfo(fd: number, info: Buffer, what: string): void {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(info.byteLength);
  check("map-failed", `describe ${what}`, c.info(fd, info, length));
}

/** A BPF object file: open, adjust, load, take maps and programs. */
export class BpfObject {
  readonly #object: bigint;
  readonly #log = Buffer.alloc(1 << 18);
  readonly #path: string;
  /** libbpf keeps the log's address from its options. */
  readonly #options = Buffer.alloc(80);

  /** Throws not-built, no-permission, load-failed. */
  constructor(path: string) {
    this.#path = path;
    try {
      readFileSync(path);
    } catch {
      throw new DataplaneError("not-built", `${path} is missing; build it with \`bash dataplane/bpf/build.sh\``);
    }
    this.#options.writeBigUInt64LE(80n, 0);
    this.#options.writeBigUInt64LE(koffi.address(this.#log), 56);
    this.#options.writeBigUInt64LE(BigInt(this.#log.byteLength), 64);
    const object: bigint | null = c.objectOpen(path, this.#options);
    if (object === null) throw failure("load-failed", `open ${path}`, -koffi.errno());
    this.#object = object;
  }

  setMaxEntries(map: string, maxEntries: number): void {
    check("load-failed", `size map ${map}`, c.mapSetMaxEntries(this.#map(map), maxEntries));
  }

  /** Initial content of a section of global variables. */
  setInitialValue(map: string, value: Uint8Array): void {
    const pointer = this.#map(map);
    const size: number = c.mapValueSize(pointer);
    if (size !== value.byteLength) {
      throw new DataplaneError("internal", `section ${map} has ${size} bytes, not ${value.byteLength}`);
    }
    check("load-failed", `initialise ${map}`, c.mapSetInitial(pointer, value, value.byteLength));
  }

  /** Whether a map that is there already is what the program declares. */
  fits(map: string, existing: BpfMap): boolean {
    const pointer = this.#map(map);
    return (
      c.mapType(pointer) === existing.type &&
      c.mapKeySize(pointer) === existing.keySize &&
      c.mapValueSize(pointer) === existing.valueSize &&
      c.mapMaxEntries(pointer) === existing.maxEntries
    );
  }

  /** Loads with this map instead of a new one. libbpf duplicates the descriptor. */
  reuse(map: string, existing: BpfMap): void {
    check("load-failed", `reuse map ${map}`, c.mapReuse(this.#map(map), existing.fd));
  }

  /** Throws load-failed with the verifier's log, or no-permission. */
  load(): void {
    const result: number = c.objectLoad(this.#object);
    if (result >= 0) return;
    const end = this.#log.indexOf(0);
    throw failure(
      "load-failed",
      `load ${this.#path}`,
      result,
      this.#log.toString("utf8", 0, end < 0 ? undefined : end),
    );
  }

  map(name: string): BpfMap {
    return new BpfMap(name, duplicate(c.mapFd(this.#map(name))));
  }

  program(name: string): BpfProgram {
    const program: bigint | null = c.findProgram(this.#object, name);
    if (program === null) throw new DataplaneError("internal", `${this.#path} has no program ${name}`);
    return new BpfProgram(duplicate(c.programFd(program)));
  }

  close(): void {
    c.objectClose(this.#object);
  }

  #map(name: string): bigint {
    const map: bigint | null = c.findMap(this.#object, name);
    if (map === null) throw new DataplaneError("internal", `${this.#path} has no map ${name}`);
    return map;
  }
}

const dup = libc.func("dup", "int", ["int"]);
function duplicate(fd: number): number {
  const copy: number = dup(fd);
  if (copy < 0) throw failure("internal", `duplicate descriptor ${fd}`, -koffi.errno());
  return copy;
}

export interface TestRunResult {
  /** What the program returned: XDP_ABORTED 0, DROP 1, PASS 2, TX 3, REDIRECT 4. */
  readonly action: number;
  readonly packet: Buffer;
  /** Mean of the repeats, in whole nanoseconds as the kernel reports it. */
  readonly nsPerPacket: number;
}

export class BpfProgram {
  readonly fd: number;
  readonly id: number;
  /** Hash of the instructions. */
  readonly tag: string;
  readonly mapIds: ReadonlySet<number>;

  constructor(fd: number) {
    const ids = Buffer.alloc(64 * 4);
    const info = Buffer.alloc(64);
    info.writeUInt32LE(64, 52);
    info.writeBigUInt64LE(koffi.address(ids), 56);
    objectInfo(fd, info, "program");
    this.fd = fd;
    this.id = info.readUInt32LE(4);
    this.tag = info.toString("hex", 8, 16);
    const count = Math.min(64, info.readUInt32LE(52));
    this.mapIds = new Set(Array.from({ length: count }, (_, index) => ids.readUInt32LE(index * 4)));
  }

  /** A loaded program; undefined if it is gone. */
  static byId(id: number): BpfProgram | undefined {
    const fd: number = c.programFdById(id);
    if (isError(fd, "ENOENT")) return undefined;
    return new BpfProgram(check("map-failed", `open program ${id}`, fd));
  }

  /** Runs the program over one frame. `repeat` runs it on the same memory again and again. */
  testRun(packet: Uint8Array, options: { repeat?: number; ingressIndex?: number } = {}): TestRunResult {
    const out = Buffer.alloc(packet.byteLength + 256);
    const run = Buffer.alloc(80);
    run.writeBigUInt64LE(80n, 0);
    run.writeBigUInt64LE(koffi.address(packet), 8);
    run.writeBigUInt64LE(koffi.address(out), 16);
    run.writeUInt32LE(packet.byteLength, 24);
    run.writeUInt32LE(out.byteLength, 28);
    const context = Buffer.alloc(24);
    if (options.ingressIndex !== undefined) {
      context.writeUInt32LE(packet.byteLength, 4);
      context.writeUInt32LE(options.ingressIndex, 12);
      run.writeBigUInt64LE(koffi.address(context), 32);
      run.writeUInt32LE(context.byteLength, 48);
    }
    run.writeInt32LE(options.repeat ?? 1, 60);
    check("load-failed", "run the program on a test packet", c.programRun(this.fd, run, packet, context));
    return {
      action: run.readUInt32LE(56),
      packet: out.subarray(0, run.readUInt32LE(28)),
      nsPerPacket: run.readUInt32LE(64),
    };
  }

  /** Runs a program of type "syscall", which reads and changes `context`. Throws load-failed. */
  call(context: Uint8Array): void {
    const run = Buffer.alloc(80);
    run.writeBigUInt64LE(80n, 0);
    run.writeBigUInt64LE(koffi.address(context), 32);
    run.writeUInt32LE(context.byteLength, 48);
    check("load-failed", "call a program", c.programRun(this.fd, run, context, null));
  }

  /**
   * Runs the program over real frames, `repeat` of them, which go where it redirects them: a traffic source. Interfaces are those of this network
   * namespace. Pages come back with what their receivers wrote. Throws load-failed.
   */
  runLive(packet: Uint8Array, options: { repeat: number; batchSize: number }): void {
    const run = Buffer.alloc(80);
    run.writeBigUInt64LE(80n, 0);
    run.writeBigUInt64LE(koffi.address(packet), 8);
    run.writeUInt32LE(packet.byteLength, 24);
    run.writeInt32LE(options.repeat, 60);
    run.writeUInt32LE(2 /* BPF_F_TEST_XDP_LIVE_FRAMES */, 68);
    run.writeUInt32LE(options.batchSize, 76);
    check("load-failed", "send live frames", c.programRun(this.fd, run, packet, null));
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** An attachment of a program to an interface. */
export class BpfLink {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Throws attach-failed or no-permission. */
  static attachXdp(program: BpfProgram, ifindex: number, flags: number): BpfLink {
    const options = Buffer.alloc(64);
    options.writeBigUInt64LE(64n, 0);
    options.writeUInt32LE(flags, 8);
    const fd: number = c.linkCreate(program.fd, ifindex, attachXdp, options);
    return new BpfLink(check("attach-failed", `attach XDP to interface ${ifindex}`, fd));
  }

  /** The link pinned at `path`; undefined if nothing is there. */
  static pinned(path: string): BpfLink | undefined {
    const fd: number = c.getPinned(path);
    if (isError(fd, "ENOENT")) return undefined;
    return new BpfLink(check("attach-failed", `open ${path}`, fd));
  }

  /** Interface index 0: the interface is gone. */
  info(): { readonly programId: number; readonly ifindex: number } {
    const info = Buffer.alloc(48);
    objectInfo(this.fd, info, "link");
    return { programId: info.readUInt32LE(8), ifindex: info.readUInt32LE(16) };
  }

  /** Replaces the program; every packet sees the old or the new one. */
  update(program: BpfProgram): void {
    check("attach-failed", "replace the XDP program", c.linkUpdate(this.fd, program.fd, null));
  }

  detach(): void {
    check("attach-failed", "detach the XDP program", c.linkDetach(this.fd));
  }

  pin(path: string): void {
    check("attach-failed", `pin link at ${path}`, c.pin(this.fd, path));
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** In which mode an XDP program runs on an interface; undefined: none does. */
export function xdpMode(ifindex: number): "native" | "generic" | undefined {
  const query = Buffer.alloc(32);
  query.writeBigUInt64LE(32n, 0);
  check("attach-failed", `ask for XDP on interface ${ifindex}`, c.xdpQuery(ifindex, 0, query));
  if (query.readUInt32LE(12) !== 0 || query.readUInt32LE(16) !== 0) return "native";
  return query.readUInt32LE(20) !== 0 ? "generic" : undefined;
}
