// gobgpd's interface without the speaker in between: lets a test's neighbour originate routes that we never would.

import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import {
  type AttributeMessage,
  type ExtendedCommunityMessage,
  L2VPN_EVPN,
  type NlriMessage,
  type OwnPathMessage,
  pack,
} from "../../bgp/gobgp/messages.ts";

const SERVICE = loadSync(new URL("../../bgp/gobgp/gobgp.proto", import.meta.url).pathname, {
  keepCase: true,
  longs: Number,
  defaults: true,
  oneofs: true,
  json: true,
})["apipb.GobgpApi"] as ServiceDefinition;

export class RawGobgp {
  readonly #client: Client;

  constructor(socketPath: string) {
    const options = { "grpc.use_local_subchannel_pool": 1 };
    this.#client = new Client(`unix:${socketPath}`, credentials.createInsecure(), options);
  }

  close(): void {
    this.#client.close();
  }

  /** A unary call; the answer is thrown away. */
  async call(name: string, request: object): Promise<void> {
    const method = SERVICE[name];
    if (!method) throw new TypeError(name);
    await new Promise<void>((resolve, reject) => {
      const done = (error: ServiceError | null): void => (error ? reject(error) : resolve());
      const { path, requestSerialize, responseDeserialize } = method;
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, done);
    });
  }

  async addPaths(paths: readonly OwnPathMessage[]): Promise<void> {
    const method = SERVICE.AddPathStream;
    if (!method) throw new TypeError("AddPathStream");
    await new Promise<void>((resolve, reject) => {
      const done = (error: ServiceError | null): void => (error ? reject(error) : resolve());
      const { path, requestSerialize, responseDeserialize } = method;
      const stream = this.#client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, done);
      for (let at = 0; at < paths.length; at += 500) stream.write({ table_type: 0, paths: paths.slice(at, at + 500) });
      stream.end();
    });
  }
}

export const LEAF = "10.255.1.1";
export const LEAF_RD = pack("RouteDistinguisherIPAddress", { admin: LEAF, assigned: 1 });
export const NO_ESI = { type: 0, value: new Uint8Array(9) };

/** Route targets 65101:value, VXLAN and the leaf's router MAC. */
export function leafCommunities(...values: number[]): ExtendedCommunityMessage[] {
  return [
    ...values.map((local_admin) =>
      pack("TwoOctetAsSpecificExtended", { is_transitive: true, sub_type: 2, asn: 65101, local_admin }),
    ),
    pack("EncapExtended", { tunnel_type: 8 }),
    pack("RouterMacExtended", { mac: "02:01:00:00:01:01" }),
  ];
}

/** An EVPN route of a leaf. */
export function evpnPath(
  nlri: NlriMessage,
  communities: readonly ExtendedCommunityMessage[],
  { withdraw = false, nextHop = LEAF }: { withdraw?: boolean; nextHop?: string } = {},
): OwnPathMessage {
  const attributes: AttributeMessage[] = [
    pack("OriginAttribute", { origin: 0 }),
    pack("MpReachNLRIAttribute", { family: L2VPN_EVPN, next_hops: [nextHop], nlris: [nlri] }),
    pack("ExtendedCommunitiesAttribute", { communities }),
  ];
  return { family: L2VPN_EVPN, is_withdraw: withdraw, nlri, pattrs: attributes };
}

/** A leaf's type-5 NLRI. */
export function leafPrefix(
  ip_prefix: string,
  ip_prefix_len: number,
  label: number,
  gw_address = "0.0.0.0",
  esi = NO_ESI,
) {
  const rd = LEAF_RD;
  return pack("EVPNIPPrefixRoute", { rd, esi, ethernet_tag: 0, ip_prefix, ip_prefix_len, gw_address, label });
}

/** A leaf's type-2 NLRI. */
export function leafMacIp(mac_address: string, ip_address: string, labels: readonly number[]) {
  const rd = LEAF_RD;
  return pack("EVPNMACIPAdvertisementRoute", { rd, esi: NO_ESI, ethernet_tag: 0, mac_address, ip_address, labels });
}
