// GoBGP 3.x over gRPC: everything that is particular to that version and its interface ends at this class. speaker.ts uses it.
// One instance is one connection: when it has broken, it is closed and a new one made.

import { join } from "node:path";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import type { BgpPeer, EvpnPrefixRoute } from "../desired.ts";
import type { HeldPeer } from "../diff.ts";
import { BgpError } from "../errors.ts";
import type { LearnedRoute } from "../route.ts";
import {
  type Family,
  IPV4_UNICAST,
  L2VPN_EVPN,
  type OwnPathMessage,
  type PathMessage,
  type PeerMessage,
  type PolicyAssignmentMessage,
  type WatchEventMessage,
} from "./messages.ts";
import { decodeLearned, decodeOwn, encodeOverlay, encodeUnderlay } from "./paths.ts";

/** Hold time of our sessions in seconds (RFC 4271 section 4.2): the backstop behind BFD and link events. */
export const HOLD_TIME_S = 9;
/** A third of the hold time. */
export const KEEPALIVE_S = 3;
/** Seconds between attempts to connect. gobgpd does not go below 5 of its own accord; a neighbour may be quicker. */
export const CONNECT_RETRY_S = 1;
/** How long a neighbour keeps our underlay routes after our speaker died (RFC 4724), in seconds. */
export const RESTART_TIME_S = 30;
/** A restarted gobgpd sends its routes when its neighbours have sent theirs, or after this time, in seconds. */
const DEFERRAL_TIME_S = 3;

const LISTEN_PORT = 179;
/** Time for one answer, in milliseconds: a gobgpd that is stopped but not dead must not hold us for ever. */
const CALL_TIMEOUT_MS = 10_000;
/** Paths in one message: keeps it far below gRPC's limit of 4 MiB. */
const BATCH = 500;

const TABLE_GLOBAL = 0;
const DIRECTION_EXPORT = 2;
const ACTION_ACCEPT = 1;
const ACTION_REJECT = 2;
const ROUTE_TYPE_LOCAL = 3;
const FILTER_ADJIN = 1;
const PEER_EVENT_END_OF_INIT = 2;
const SESSION_STATES = ["unknown", "idle", "connect", "active", "opensent", "openconfirm", "established"] as const;
const ADMIN_STATE_DOWN = 1;

/** Name of the policy, its statement and what it says: only routes of our own leave. */
const EXPORT_POLICY = "fabgate-own-routes-only";

const SERVICE = loadSync(join(import.meta.dirname, "gobgp.proto"), {
  keepCase: true,
  longs: Number,
  defaults: true,
  oneofs: true,
  json: true,
})["apipb.GobgpApi"] as ServiceDefinition;

export interface PeerEvent {
  readonly address: string;
  readonly asn: number;
  readonly state: string;
  readonly adminDown: boolean;
}

/** What a watch reports, in gobgpd's order. */
export interface WatchHandler {
  peer(event: PeerEvent): void;
  /** Routes as received from the neighbours, before any selection. */
  routes(routes: readonly LearnedRoute[]): void;
  /** Everything that was known at the start of the watch has been reported. */
  synced(): void;
  /** The stream has ended: gobgpd is gone, or close() was called. Reported once, last. */
  closed(reason: string): void;
}

export class GobgpClient {
  readonly #client: Client;

  constructor(socketPath: string) {
    // A connection of its own for each instance, and no waiting inside gRPC: the speaker decides when to try again.
    const options = { "grpc.use_local_subchannel_pool": 1, "grpc.max_receive_message_length": -1 };
    this.#client = new Client(`unix:${socketPath}`, credentials.createInsecure(), options);
  }

  close(): void {
    this.#client.close();
  }

  /** Undefined while BGP has not been started in gobgpd. */
  async getGlobal(): Promise<{ asn: number; routerId: string } | undefined> {
    const { global } = await this.#call<{ global: { asn: number; router_id: string } | null }>("GetBgp", {});
    return global && global.asn !== 0 ? { asn: global.asn, routerId: global.router_id } : undefined;
  }

  async startBgp(asn: number, routerId: string): Promise<void> {
    await this.#call("StartBgp", { global: { asn, router_id: routerId, listen_port: LISTEN_PORT } });
  }

  /** Ends all sessions and forgets peers, routes and policy. */
  async stopBgp(): Promise<void> {
    await this.#call("StopBgp", {});
  }

  /**
   * Lets nothing out but routes of our own. A gateway is no transit: without this gobgpd passes on to one spine what it
   * learned from another, with itself as next hop.
   */
  async ensureExportPolicy(): Promise<void> {
    const assignment = { name: "global", direction: DIRECTION_EXPORT };
    const present = await this.#list<{ assignment: PolicyAssignmentMessage | null }>(
      "ListPolicyAssignment",
      assignment,
    );
    const done = present.some(
      ({ assignment: found }) =>
        found?.default_action === ACTION_REJECT && found.policies.some(({ name }) => name === EXPORT_POLICY),
    );
    if (done) return;
    const statement = {
      name: EXPORT_POLICY,
      conditions: { route_type: ROUTE_TYPE_LOCAL },
      actions: { route_action: ACTION_ACCEPT },
    };
    const policy = { name: EXPORT_POLICY, statements: [statement] };
    await this.#call("AddPolicy", { policy });
    await this.#call("SetPolicyAssignment", {
      assignment: { ...assignment, policies: [policy], default_action: ACTION_REJECT },
    });
  }

  async listPeers(): Promise<HeldPeer[]> {
    const answers = await this.#list<{ peer: PeerMessage | null }>("ListPeer", {});
    return answers.flatMap(({ peer }) => (peer?.conf ? [heldPeer(peer, peer.conf)] : []));
  }

  /** @param restarting sets the restart-state and forwarding bits of RFC 4724: the neighbour keeps our stale underlay routes. */
  async addPeer(peer: BgpPeer, restarting: boolean): Promise<void> {
    await this.#call("AddPeer", { peer: peerMessage(peer, restarting) });
  }

  async deletePeer(peer: BgpPeer): Promise<void> {
    await this.#call("DeletePeer", { address: peer.address });
  }

  /** The routes in gobgpd that came through its API and are of the kinds that we announce. */
  async listAnnounced(asn: number): Promise<{ underlay: string[]; overlay: EvpnPrefixRoute[] }> {
    const announced = { underlay: [] as string[], overlay: [] as EvpnPrefixRoute[] };
    for (const family of [IPV4_UNICAST, L2VPN_EVPN]) {
      const request = { table_type: TABLE_GLOBAL, family };
      const answers = await this.#list<{ destination: { paths: readonly PathMessage[] } | null }>("ListPath", request);
      for (const path of answers.flatMap(({ destination }) => destination?.paths ?? [])) {
        if (path.neighbor_ip !== "<nil>") continue;
        const own = decodeOwn(path, asn);
        if (own && "underlay" in own) announced.underlay.push(own.underlay);
        else if (own) announced.overlay.push(own.overlay);
      }
    }
    return announced;
  }

  async sendUnderlay(prefixes: readonly string[], withdraw: boolean): Promise<void> {
    await this.#send(prefixes.map((prefix) => encodeUnderlay(prefix, withdraw)));
  }

  /** A route with a known (rd, prefix) replaces that one. */
  async sendOverlay(routes: readonly EvpnPrefixRoute[], asn: number, withdraw: boolean): Promise<void> {
    await this.#send(routes.map((route) => encodeOverlay(route, asn, withdraw)));
  }

  /** Reports peers and learned routes, first those that are there, then every change. One watch per client. */
  async watch(handler: WatchHandler): Promise<void> {
    const peers = await this.#list<{ peer: PeerMessage | null }>("ListPeer", {});
    const families = new Map(
      peers.map(({ peer }) => [peer?.conf?.neighbor_address ?? "", peer?.afi_safis.length ?? 0]),
    );
    const request = { peer: {}, table: { filters: [{ type: FILTER_ADJIN, init: true }] } };
    const stream = this.#client.makeServerStreamRequest(...this.#method<WatchEventMessage>("WatchEvent"), request);
    const progress = new InitialDump(handler, families);
    let closed = false;
    const end = (reason: string): void => {
      if (closed) return;
      closed = true;
      handler.closed(reason);
    };
    stream.on("data", ({ peer, table }: WatchEventMessage) => {
      if (peer?.type === PEER_EVENT_END_OF_INIT) progress.peersDone();
      else if (peer?.peer) {
        const event = peerEvent(peer.peer);
        if (!event) return;
        progress.peer(event);
        handler.peer(event);
      } else if (table) {
        const routes = table.paths.flatMap((path) => decodeLearned(path) ?? []);
        if (routes.length > 0) handler.routes(routes);
        progress.table();
      }
    });
    stream.on("error", (error: ServiceError) => end(error.details));
    stream.on("end", () => end("gobgpd ended the stream"));
  }

  async #send(paths: readonly OwnPathMessage[]): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const [path, serialize, deserialize] = this.#method("AddPathStream");
      const done = (error: ServiceError | null): void => (error ? reject(failure("AddPathStream", error)) : resolve());
      const stream = this.#client.makeClientStreamRequest(
        path,
        serialize,
        deserialize,
        new Metadata(),
        deadline(),
        done,
      );
      // An error of the call arrives in `done`; a stream that is not listened to would throw it.
      stream.on("error", () => {});
      for (let at = 0; at < paths.length; at += BATCH) {
        stream.write({ table_type: TABLE_GLOBAL, paths: paths.slice(at, at + BATCH) });
      }
      stream.end();
    });
  }

  async #call<Answer>(name: string, request: object): Promise<Answer> {
    return await new Promise<Answer>((resolve, reject) => {
      const done = (error: ServiceError | null, answer?: Answer): void => {
        if (error || answer === undefined) reject(failure(name, error));
        else resolve(answer);
      };
      this.#client.makeUnaryRequest(...this.#method<Answer>(name), request, new Metadata(), deadline(), done);
    });
  }

  async #list<Answer>(name: string, request: object): Promise<Answer[]> {
    return await new Promise<Answer[]>((resolve, reject) => {
      const answers: Answer[] = [];
      const method = this.#method<Answer>(name);
      const stream = this.#client.makeServerStreamRequest(...method, request, new Metadata(), deadline());
      stream.on("data", (answer: Answer) => answers.push(answer));
      stream.on("error", (error: ServiceError) => reject(failure(name, error)));
      stream.on("end", () => resolve(answers));
    });
  }

  /** Path and codecs of a method; the answer's type is what messages.ts says of gobgp.proto. */
  #method<Answer>(name: string): [string, (request: object) => Buffer, (bytes: Buffer) => Answer] {
    const method = SERVICE[name];
    if (!method) throw new TypeError(`gobgp.proto has no method ${name}`);
    return [method.path, method.requestSerialize, (bytes) => method.responseDeserialize(bytes) as Answer];
  }
}

/**
 * Tells when the dump at the start of a watch is complete. gobgpd first reports each peer, then the end of the peers, then for
 * each established one and each of its families two table events: all routes, of which there may be none, and an empty one.
 */
class InitialDump {
  #tablesLeft = 0;
  #peersDone = false;
  #done = false;
  readonly #handler: WatchHandler;
  readonly #families: ReadonlyMap<string, number>;

  /** @param families number of address families by peer. */
  constructor(handler: WatchHandler, families: ReadonlyMap<string, number>) {
    this.#handler = handler;
    this.#families = families;
  }

  peer({ address, state }: PeerEvent): void {
    if (this.#peersDone || state !== "established") return;
    this.#tablesLeft += 2 * (this.#families.get(address) ?? FAMILIES.length);
  }

  peersDone(): void {
    this.#peersDone = true;
    this.#check();
  }

  table(): void {
    this.#tablesLeft--;
    this.#check();
  }

  #check(): void {
    if (this.#done || !this.#peersDone || this.#tablesLeft > 0) return;
    this.#done = true;
    this.#handler.synced();
  }
}

/** Families of every session. Graceful restart is for the underlay alone: overlay routes of a dead gateway must move at once. */
const FAMILIES: readonly { readonly family: Family; readonly gracefulRestart: boolean }[] = [
  { family: IPV4_UNICAST, gracefulRestart: true },
  { family: L2VPN_EVPN, gracefulRestart: false },
];

function peerMessage(peer: BgpPeer, restarting: boolean): object {
  return {
    conf: { neighbor_address: peer.address, peer_asn: peer.asn },
    timers: {
      config: { connect_retry: CONNECT_RETRY_S, hold_time: HOLD_TIME_S, keepalive_interval: KEEPALIVE_S },
    },
    ...(peer.localAddress === undefined ? {} : { transport: { local_address: peer.localAddress } }),
    graceful_restart: {
      enabled: true,
      restart_time: RESTART_TIME_S,
      deferral_time: DEFERRAL_TIME_S,
      local_restarting: restarting,
    },
    afi_safis: FAMILIES.map(({ family, gracefulRestart }) => ({
      config: { family, enabled: true },
      mp_graceful_restart: { config: { enabled: gracefulRestart } },
    })),
  };
}

function heldPeer(peer: PeerMessage, conf: NonNullable<PeerMessage["conf"]>): HeldPeer {
  const localAddress = peer.transport?.local_address ?? "";
  const timers = peer.timers?.config;
  const standard =
    timers?.hold_time === HOLD_TIME_S &&
    timers.keepalive_interval === KEEPALIVE_S &&
    timers.connect_retry === CONNECT_RETRY_S &&
    peer.graceful_restart?.enabled === true &&
    peer.graceful_restart.restart_time === RESTART_TIME_S &&
    peer.afi_safis.length === FAMILIES.length &&
    FAMILIES.every(({ family, gracefulRestart }) =>
      peer.afi_safis.some(
        ({ config, mp_graceful_restart }) =>
          config?.family?.afi === family.afi &&
          config.family.safi === family.safi &&
          (mp_graceful_restart?.config?.enabled ?? false) === gracefulRestart,
      ),
    );
  return {
    address: conf.neighbor_address,
    asn: conf.peer_asn,
    ...(["", "<nil>", "0.0.0.0", "::"].includes(localAddress) ? {} : { localAddress }),
    standard,
  };
}

function peerEvent({ conf, state }: PeerMessage): PeerEvent | undefined {
  if (!state) return undefined;
  return {
    address: state.neighbor_address,
    asn: state.peer_asn,
    state: SESSION_STATES[state.session_state] ?? "unknown",
    adminDown: state.admin_state === ADMIN_STATE_DOWN || (conf?.admin_down ?? false),
  };
}

function deadline(): { deadline: number } {
  return { deadline: Date.now() + CALL_TIMEOUT_MS };
}

function failure(method: string, error: ServiceError | null): BgpError {
  const gone: readonly (status | undefined)[] = [status.UNAVAILABLE, status.CANCELLED, status.DEADLINE_EXCEEDED];
  const text = `gobgpd: ${method}: ${error?.details ?? "no answer"}`;
  return new BgpError(gone.includes(error?.code) ? "not-connected" : "refused", text, { cause: error });
}
