// The scenario file: what is done to a lab and what must hold then. scenarios/<name>/scenario.yaml, checked completely
// before anything is started, names of nodes, gateways and streams included.
import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { LabError } from "../lab/errors.ts";
import { type ManifestObject, readObjects, splitObjects } from "../lab/manifests.ts";
import { scenariosDirectory } from "../lab/paths.ts";
import { type PositionedYaml, readYaml } from "../lab/positioned-yaml.ts";
import { FAULTS } from "../lab/state.ts";
import { readTopology, type Topology } from "../lab/topology.ts";
import { duration } from "./duration.ts";

const LATER_FAULTS: readonly string[] = ["freeze-agent", "detach-dataplane"];
const port = z.int().min(1).max(65535);
const name = z.string().min(1);

const fault = z.enum(FAULTS, {
  error: (issue) =>
    LATER_FAULTS.includes(String(issue.input))
      ? `${String(issue.input)} is not supported yet (${FAULTS.join(", ")} are)`
      : `one of ${FAULTS.join(", ")}`,
});

const stepFields = {
  /** Puts objects into the lab's manifests, each replacing the one of the same kind and name; all at once. */
  apply: z
    .strictObject({ files: z.array(z.string()).optional(), manifests: z.string().optional() })
    .refine((apply) => apply.files !== undefined || apply.manifests !== undefined, "files or manifests"),
  /** Removes an object from the lab's manifests. */
  delete: z.strictObject({ kind: name, name }),
  /** Runs a command on a node; it must end with 0. */
  exec: z.strictObject({ node: name, command: z.array(z.string()).min(1), within: duration.default(10_000) }),
  /** Sends packets between hosts until they are allowed or denied as expected. */
  probe: z
    .strictObject({
      from: name,
      to: name,
      /** Where `from` sends to; default: the address of `to`. */
      address: z.string().optional(),
      proto: z.enum(["icmp", "udp", "tcp"]),
      port: port.default(7000),
      /** Payload in bytes. */
      size: z.int().min(56).max(60_000).default(56),
      expect: z.enum(["allowed", "denied"]),
      /** The address that `to` must see packets come from. */
      seenAs: z.string().optional(),
      /** A host where nothing of it may arrive, such as another one with the same address. */
      notAt: name.optional(),
      within: duration.default(5000),
    })
    .refine(
      (probe) => probe.proto !== "icmp" || (probe.seenAs ?? probe.notAt) === undefined,
      "seenAs and notAt need proto udp or tcp",
    ),
  /** Transfers bulk data over TCP with iperf3. */
  transfer: z.strictObject({
    from: name,
    to: name,
    address: z.string().optional(),
    megabytes: z.int().min(1).max(100_000),
    within: duration.default(30_000),
  }),
  /** Starts a stream of numbered packets, or a live TCP connection, that goes on until the scenario ends. */
  traffic: z.strictObject({
    name,
    from: name,
    to: name,
    address: z.string().optional(),
    proto: z.enum(["udp", "tcp"]),
    port: port.default(7001),
    interval: duration.default(1),
  }),
  /**
   * Waits until the stream has run without loss for `settle`, counted from the start of this step (for at most `within`),
   * then judges what happened since the last expect.
   */
  expect: z
    .strictObject({
      traffic: name,
      /** Row of the table at the end; samples of the same label are put together. */
      label: z.string().optional(),
      maxLossWindow: duration.optional(),
      maxLost: z.int().min(0).optional(),
      connection: z.enum(["survives", "breaks"]).optional(),
      settle: duration.default(500),
      within: duration.default(20_000),
    })
    .refine(
      ({ maxLossWindow, maxLost, connection }) => (maxLossWindow ?? maxLost ?? connection) !== undefined,
      "maxLossWindow, maxLost or connection",
    ),
  fail: z.strictObject({ node: name, how: fault }),
  /** Undoes a failure; a gateway node that was off may come back as another Gateway object. */
  restore: z.strictObject({ node: name, gateway: name.optional() }),
  "restart-agent": z.strictObject({ node: name }),
  /** Proves by all gateways' counters that packets of a peering pass exactly this gateway, there and back. */
  servedBy: z.strictObject({
    peering: name,
    from: name,
    to: name,
    address: z.string().optional(),
    /** Name of the Gateway object. */
    gateway: name,
    within: duration.default(10_000),
  }),
  /**
   * Proves by the counters at the far ends that a node spreads the packets of many flows over all its links which are up. What comes
   * to it is the senders' choice: a Linux leaf's VXLAN device keeps one of its equal ways to a VTEP for each core, whatever the flow.
   */
  spread: z.strictObject({
    node: name,
    from: name,
    to: name,
    flows: z.int().min(2).max(256).default(64),
    /** Least part of the packets that leave the node on each link. */
    minShare: z.number().gt(0).max(0.5).default(0.2),
    within: duration.default(10_000),
  }),
  /** Says something to whoever watches. */
  show: z.strictObject({ note: z.string() }),
} as const;

export type StepKind = keyof typeof stepFields;
type Fields = { readonly [K in StepKind]: z.output<(typeof stepFields)[K]> };
/** What a step of one kind says. */
export type StepOf<K extends StepKind> = Fields[K];

export type Step =
  | { readonly [K in StepKind]: { readonly kind: K; readonly step: Fields[K] } }[StepKind]
  | { readonly kind: "repeat"; readonly times: number; readonly steps: readonly Step[] };

const optionalFields = z.strictObject({
  apply: stepFields.apply.optional(),
  delete: stepFields.delete.optional(),
  exec: stepFields.exec.optional(),
  probe: stepFields.probe.optional(),
  transfer: stepFields.transfer.optional(),
  traffic: stepFields.traffic.optional(),
  expect: stepFields.expect.optional(),
  fail: stepFields.fail.optional(),
  restore: stepFields.restore.optional(),
  "restart-agent": stepFields["restart-agent"].optional(),
  servedBy: stepFields.servedBy.optional(),
  spread: stepFields.spread.optional(),
  show: stepFields.show.optional(),
});
const oneKind =
  "a step is one of apply, delete, exec, probe, transfer, traffic, expect, fail, restore, restart-agent, servedBy, spread, show";
const simpleStep = optionalFields.refine((step) => Object.keys(step).length === 1, oneKind);
const repeatStep = optionalFields
  .extend({
    repeat: z.strictObject({ times: z.int().min(1).max(100), steps: z.array(simpleStep).min(1) }).optional(),
  })
  .refine((step) => Object.keys(step).length === 1, `${oneKind}, repeat`);

const fileSchema = z.strictObject({
  description: z
    .string()
    .min(1)
    .regex(/^[^\n]*$/, "one line"),
  topology: z.string().default("topology.clab.yml"),
  /** Directory of the manifests the lab starts with. */
  manifests: z.string().default("manifests"),
  steps: z.array(repeatStep).min(1),
});
type FileStep = z.output<typeof simpleStep>;

export interface Scenario {
  readonly name: string;
  readonly directory: string;
  readonly description: string;
  readonly topologyFile: string;
  readonly topology: Topology;
  readonly manifests: readonly ManifestObject[];
  readonly steps: readonly Step[];
}

/** Directory of a scenario given as a name of ours or as a path. ERR_LAB_USAGE if it has no scenario.yaml. */
export function findScenario(nameOrDirectory: string): string {
  const candidates = nameOrDirectory.includes("/")
    ? [resolve(nameOrDirectory)]
    : [join(scenariosDirectory, nameOrDirectory), resolve(nameOrDirectory)];
  const found = candidates.find((directory) => existsSync(join(directory, "scenario.yaml")));
  if (found === undefined) {
    throw new LabError("ERR_LAB_USAGE", `no scenario "${nameOrDirectory}"; there are: ${scenarioNames().join(", ")}`);
  }
  return found;
}

/** Names of the scenarios that come with fabgate, sorted. */
export function scenarioNames(): string[] {
  return readdirSync(scenariosDirectory)
    .filter((entry) => existsSync(join(scenariosDirectory, entry, "scenario.yaml")))
    .sort();
}

/** Reads and checks a scenario directory. Throws ERR_LAB_INVALID naming file:line:column. */
export function readScenario(directory: string): Scenario {
  const yaml = readYaml(join(directory, "scenario.yaml"), fileSchema);
  const file = yaml.value;
  const topologyFile = resolve(directory, file.topology);
  const topology = readTopology(topologyFile);
  const manifests = resolve(directory, file.manifests);
  const check = new NameCheck(topology, yaml);
  const steps = file.steps.map((fields, index): Step => {
    const path = ["steps", index];
    const { repeat, ...simple } = fields;
    if (repeat === undefined) return check.step(simple, path);
    const inner = repeat.steps.map((step, n) => check.step(step, [...path, "repeat", "steps", n]));
    return { kind: "repeat", times: repeat.times, steps: inner };
  });
  return {
    name: basename(directory),
    directory,
    description: file.description,
    topologyFile,
    topology,
    manifests: existsSync(manifests) ? readObjects(manifests) : [],
    steps,
  };
}

/** Objects of an `apply` step. */
export function objectsOf(apply: StepOf<"apply">, directory: string): ManifestObject[] {
  const fromFiles = (apply.files ?? []).flatMap((file) => readObjects(resolve(directory, file)));
  return apply.manifests === undefined
    ? fromFiles
    : [...fromFiles, ...splitObjects(apply.manifests, "inline manifests")];
}

/** Checks that the names in steps exist, in the order in which the steps run. */
class NameCheck {
  readonly #topology: Topology;
  readonly #yaml: PositionedYaml<unknown>;
  readonly #streams = new Set<string>();
  readonly #gateways: Set<string>;

  constructor(topology: Topology, yaml: PositionedYaml<unknown>) {
    this.#topology = topology;
    this.#yaml = yaml;
    this.#gateways = new Set(topology.nodes.flatMap((node) => node.gateway ?? []));
  }

  step(fields: FileStep, path: readonly PropertyKey[]): Step {
    const kind = Object.keys(fields)[0] as StepKind;
    const at = [...path, kind];
    const value = fields[kind] as Readonly<Record<string, unknown>>;
    for (const key of ["from", "to", "notAt"]) if (key in value) this.#node(value[key], [...at, key], "host");
    if ("node" in value) this.#node(value.node, [...at, "node"]);
    if (fields.restore?.gateway !== undefined) this.#gateways.add(fields.restore.gateway);
    if (fields.servedBy !== undefined) this.#gateway(fields.servedBy.gateway, [...at, "gateway"]);
    if (fields.traffic !== undefined) this.#streams.add(fields.traffic.name);
    if (fields.expect !== undefined && !this.#streams.has(fields.expect.traffic)) {
      this.#fail([...at, "traffic"], `no traffic "${fields.expect.traffic}" was started before`);
    }
    // The schema has seen to it that the value belongs to the kind.
    return { kind, step: value } as unknown as Step;
  }

  #node(name: unknown, path: readonly PropertyKey[], role?: "host"): void {
    const node = this.#topology.nodes.find((other) => other.name === name);
    if (node === undefined) this.#fail(path, `no node "${String(name)}" in the topology`);
    else if (role !== undefined && node.role !== role) this.#fail(path, `${node.name} is no ${role}`);
  }

  #gateway(name: string, path: readonly PropertyKey[]): void {
    if (this.#gateways.has(name)) return;
    this.#fail(path, `no node has the label fabgate.gateway ${name} (${[...this.#gateways].join(", ")})`);
  }

  #fail(path: readonly PropertyKey[], message: string): never {
    throw new LabError("ERR_LAB_INVALID", `${this.#yaml.at(path)}: ${message}`);
  }
}
