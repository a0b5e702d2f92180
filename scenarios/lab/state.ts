// What is written down about a running lab, in /run/fabgate-lab/<lab>/state.json, so that another process can find, use and
// remove it. Written before anything is made, so that a crash at any point leaves a lab that can be cleaned up.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./errors.ts";
import type { NodeProcesses } from "./node.ts";
import { stateRoot } from "./paths.ts";
import { isRunning, type ProcessId } from "./process-id.ts";

export interface LabState {
  readonly version: 1;
  readonly name: string;
  readonly topologyFile: string;
  /** The process that is making or running this lab; absent once `lab up` has handed it over to the user. */
  owner?: ProcessId;
  readonly nodes: Record<string, NodeState>;
}

export const FAULTS = ["power-off", "link-down", "blackhole", "kill-agent", "kill-gobgpd", "kill-bfd"] as const;
export type Fault = (typeof FAULTS)[number];

export interface NodeState {
  readonly netns: string;
  /** Name of the Gateway object this node is, if it is a gateway. */
  gateway?: string;
  /** Absent while the node is off. */
  processes?: NodeProcesses;
  /** What `fail` did to it and `restore` has to undo. */
  fault?: Fault;
  /** Long-running programs the lab started on it, by name. */
  programs: Record<string, ProcessId>;
}

export function labDirectory(name: string): string {
  return join(stateRoot, name);
}

/** Makes the directory of a new lab; undefined if there is one of this name already. */
export function createLabDirectory(name: string): string | undefined {
  mkdirSync(stateRoot, { recursive: true, mode: 0o700 });
  const directory = labDirectory(name);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw error;
  }
  for (const sub of ["manifests", "logs", "nodes"]) mkdirSync(join(directory, sub));
  return directory;
}

export function writeState(state: LabState): void {
  const file = join(labDirectory(state.name), "state.json");
  writeFileSync(`${file}.new`, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The state of a lab; undefined if there is none, or none that was written to its end. */
export function readState(name: string): LabState | undefined {
  try {
    return JSON.parse(readFileSync(join(labDirectory(name), "state.json"), "utf8")) as LabState;
  } catch {
    return undefined;
  }
}

/** Names of all labs with a state directory, sorted. */
export function labNames(): string[] {
  try {
    return readdirSync(stateRoot).sort();
  } catch {
    return [];
  }
}

export type LabCondition = "busy" | "up" | "leftover";

/** busy: a live process is making or running it; up: handed over, nodes alive; leftover: its owner died, or all its nodes did. */
export function conditionOf(state: LabState | undefined): LabCondition {
  if (state === undefined) return "leftover";
  if (state.owner !== undefined) return isRunning(state.owner) ? "busy" : "leftover";
  const alive = Object.values(state.nodes).some(
    (node) => node.processes !== undefined && isRunning(node.processes.init),
  );
  return alive ? "up" : "leftover";
}

export function removeLabDirectory(name: string): void {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new LabError("ERR_LAB_USAGE", `"${name}" is not a lab's name`);
  rmSync(labDirectory(name), { recursive: true, force: true });
}
