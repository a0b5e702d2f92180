// The compliance suite against the simplest thing that can pass it: a list in memory.

import { printYaml } from "../../fabric-api/index.ts";
import { stepsOf } from "../../fabric-api/store/changes.ts";
import {
  type Applied,
  type ApplyOptions,
  type Change,
  keyText,
  type Listing,
  listingOf,
  type ObjectKey,
  type Store,
} from "../../fabric-api/store/index.ts";
import { describeStore } from "./store-compliance.ts";

class MemoryStore implements Store {
  readonly #texts = new Map<string, string>();
  readonly #watchers = new Set<() => void>();

  async list(): Promise<Listing> {
    return listingOf([...this.#texts].map(([file, text]) => ({ file, text })));
  }

  async get(key: ObjectKey) {
    return (await this.list()).objects.find((object) => keyText(object) === keyText(key));
  }

  async put(manifest: Record<string, unknown>, options: { readonly revision?: string | null } = {}): Promise<Applied> {
    return this.#one({ op: "put", manifest, ...options });
  }

  async delete(key: ObjectKey, options: { readonly revision?: string } = {}): Promise<Applied> {
    return this.#one({ op: "delete", key, ...options });
  }

  async apply(changes: readonly Change[], options?: ApplyOptions): Promise<Applied[]> {
    const listing = listingOf([...this.#texts].map(([file, text]) => ({ file, text })));
    const steps = stepsOf(listing, changes, options);
    for (const { applied, manifest } of steps) {
      if (manifest === undefined) this.#texts.delete(keyText(applied));
      else this.#texts.set(keyText(applied), printYaml(manifest));
    }
    for (const tell of this.#watchers) tell();
    return steps.map(({ applied }) => applied);
  }

  async watch(onChange: (listing: Listing) => void, signal: AbortSignal): Promise<void> {
    const tell = async () => onChange(await this.list());
    await tell();
    this.#watchers.add(tell);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    this.#watchers.delete(tell);
  }

  async #one(change: Change): Promise<Applied> {
    const [applied] = await this.apply([change]);
    if (applied === undefined) throw new Error("a change has a result");
    return applied;
  }
}

describeStore("a store in memory", async () => {
  const store = new MemoryStore();
  return { store, other: store, dispose: async () => {} };
});
