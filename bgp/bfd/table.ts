// Which session a packet belongs to (RFC 5880 section 6.3, RFC 5881 section 3): by Your Discriminator, or by the sender while the
// neighbour does not know ours yet. speaker.ts keeps its sessions in it.

import type { DiscardReason } from "./discard.ts";
import type { ControlPacket } from "./packet.ts";

/** Identifies a session towards the operator. */
export interface SessionKey {
  /** Neighbour's address. */
  readonly peer: string;
  /** Address that the session is bound to; undefined: any of ours. */
  readonly localAddress?: string;
}

export interface TableEntry {
  readonly key: SessionKey;
  readonly discriminator: number;
}

export class SessionTable<Entry extends TableEntry> {
  readonly #byDiscriminator = new Map<number, Entry>();
  readonly #byKey = new Map<string, Entry>();

  add(entry: Entry): void {
    this.#byDiscriminator.set(entry.discriminator, entry);
    this.#byKey.set(keyText(entry.key), entry);
  }

  remove(entry: Entry): void {
    this.#byDiscriminator.delete(entry.discriminator);
    this.#byKey.delete(keyText(entry.key));
  }

  get(key: SessionKey): Entry | undefined {
    return this.#byKey.get(keyText(key));
  }

  has(discriminator: number): boolean {
    return this.#byDiscriminator.has(discriminator);
  }

  values(): Iterable<Entry> {
    return this.#byKey.values();
  }

  /** The session of a packet from `from`, received on a socket bound to `localAddress` (undefined: to none), or why there is none. */
  select(packet: ControlPacket, from: string, localAddress: string | undefined): Entry | DiscardReason {
    if (packet.yourDiscriminator === 0) {
      const bound = localAddress === undefined ? undefined : this.get({ peer: from, localAddress });
      return bound ?? this.get({ peer: from }) ?? "unknown-peer";
    }
    const entry = this.#byDiscriminator.get(packet.yourDiscriminator);
    if (!entry) return "unknown-discriminator";
    const { key } = entry;
    const here = key.localAddress === undefined || key.localAddress === localAddress;
    return key.peer === from && here ? entry : "wrong-peer";
  }
}

/** A key as text: "peer", or "peer from local". */
export function keyText({ peer, localAddress }: SessionKey): string {
  return localAddress === undefined ? peer : `${peer} from ${localAddress}`;
}
