// The messages of agent.proto as TypeScript sees them (proto-loader with camel-case names, numbers for int64, defaults).

import type { DataplaneCounters } from "../../dataplane/desired.ts";

export interface AgentStatus {
  readonly gateway: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly manifests: {
    readonly directory: string;
    readonly generation: number;
    readonly valid: boolean;
    readonly errors: readonly string[];
    readonly warnings: readonly string[];
  };
  readonly lastApply: LastApply;
  readonly bgp: {
    readonly connected: boolean;
    readonly synced: boolean;
    readonly stale: boolean;
    readonly peers: readonly {
      readonly address: string;
      readonly asn: number;
      readonly state: string;
      readonly sinceMs: number;
      readonly bfd: string;
    }[];
    readonly announced: number;
    readonly learned: number;
    readonly unusable: Readonly<Record<string, number>>;
  };
  readonly uplinks: readonly UplinkReport[];
  /** As of the last ageing run, some seconds ago at most. */
  readonly flows: { readonly live: number; readonly capacity: number; readonly mappings: number };
  readonly peerings: readonly PeeringReport[];
  readonly conditions: readonly Condition[];
}

export interface LastApply {
  readonly atMs: number;
  readonly durationMs: number;
  readonly ok: boolean;
  readonly error: string;
  readonly generation: number;
}

export interface UplinkReport {
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  readonly dataplane: string;
  readonly reason: string;
}

export interface PeeringReport {
  readonly peering: string;
  readonly group: string;
  readonly rank: number;
  readonly role: "serving" | "standby" | "partial" | "not-announced";
  readonly announced: number;
  readonly wanted: number;
  readonly reasons: readonly string[];
}

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionMs: number;
}

export type AgentCounters = DataplaneCounters & { readonly gateway: string };
