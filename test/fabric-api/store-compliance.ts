// What every store must hold to, as a suite that takes the store.

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Applied, Listing, ObjectKey, Store } from "../../fabric-api/store/index.ts";

/** A store with nothing in it, and how to clean up after it. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Another handle on the same objects: another process would have it. */
  readonly other: Store;
  readonly dispose: () => Promise<void>;
}

export function vpcManifest(name: string, vni: number, namespace?: string): Record<string, unknown> {
  return {
    apiVersion: "gateway.githedgehog.com/v1alpha1",
    kind: "VPCInfo",
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec: { vni, subnets: { default: { cidr: "10.1.0.0/24" } } },
  };
}

export const vpcKey = (name: string, namespace = "default"): ObjectKey => ({ kind: "VPCInfo", namespace, name });

export async function until(what: string, condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `timed out: ${what}`);
    await delay(5);
  }
}

const outcomes = (applied: readonly Applied[]) => applied.map(({ name, outcome }) => `${name} ${outcome}`);
const names = ({ objects }: Listing) => objects.map(({ name }) => name).sort();

export function describeStore(title: string, makeStore: () => Promise<StoreUnderTest>): void {
  describe(`${title}, as every store`, () => {
    let under: StoreUnderTest;
    let store: Store;

    beforeEach(async () => {
      under = await makeStore();
      store = under.store;
    });

    afterEach(() => under.dispose());

    it("is empty at first and knows no object", async () => {
      assert.deepEqual((await store.list()).objects, []);
      assert.equal(await store.get(vpcKey("vpc-1")), undefined);
    });

    it("gives back what was put, to every handle", async () => {
      const put = await store.put(vpcManifest("vpc-1", 1));
      assert.equal(put.outcome, "created");
      for (const handle of [store, under.other]) {
        const got = await handle.get(vpcKey("vpc-1"));
        assert.deepEqual(got?.manifest, vpcManifest("vpc-1", 1));
        assert.equal(got?.revision, put.revision);
        assert.deepEqual(names(await handle.list()), ["vpc-1"]);
      }
    });

    it("tells names in different namespaces, and kinds, apart", async () => {
      await store.put(vpcManifest("vpc-1", 1));
      await store.put(vpcManifest("vpc-1", 2, "other"));
      await store.put({ ...vpcManifest("vpc-1", 1), kind: "GatewayGroup", spec: {} });
      assert.equal((await store.list()).objects.length, 3);
      assert.deepEqual((await store.get(vpcKey("vpc-1", "other")))?.manifest, vpcManifest("vpc-1", 2, "other"));
      await store.delete(vpcKey("vpc-1", "other"));
      assert.deepEqual((await store.get(vpcKey("vpc-1")))?.manifest, vpcManifest("vpc-1", 1));
    });

    it("says whether a put created, configured or left unchanged, and changes the revision only with the content", async () => {
      const created = await store.put(vpcManifest("vpc-1", 1));
      const again = await store.put(vpcManifest("vpc-1", 1));
      const changed = await store.put(vpcManifest("vpc-1", 2));
      assert.deepEqual(outcomes([created, again, changed]), ["vpc-1 created", "vpc-1 unchanged", "vpc-1 configured"]);
      assert.equal(again.revision, created.revision);
      assert.notEqual(changed.revision, created.revision);
    });

    it("lists texts from which the objects can be loaded", async () => {
      await store.put(vpcManifest("vpc-1", 7));
      const { sources, objects } = await store.list();
      assert.ok(sources.some(({ text }) => text.includes("vni: 7")));
      assert.ok(sources.some(({ file }) => file === objects[0]?.origin.file));
    });

    it("refuses a put over a revision that is not there any more", async () => {
      const first = await store.put(vpcManifest("vpc-1", 1));
      await under.other.put(vpcManifest("vpc-1", 2));
      const stale = store.put(vpcManifest("vpc-1", 3), { revision: String(first.revision) });
      await assert.rejects(stale, { code: "STORE_CONFLICT" });
      assert.deepEqual((await store.get(vpcKey("vpc-1")))?.manifest, vpcManifest("vpc-1", 2));
    });

    it("refuses to create what exists, and to change what was deleted", async () => {
      const { revision } = await store.put(vpcManifest("vpc-1", 1));
      await assert.rejects(store.put(vpcManifest("vpc-1", 2), { revision: null }), { code: "STORE_CONFLICT" });
      await store.delete(vpcKey("vpc-1"));
      const late = store.put(vpcManifest("vpc-1", 2), { revision: String(revision) });
      await assert.rejects(late, { code: "STORE_CONFLICT" });
      assert.equal((await store.put(vpcManifest("vpc-1", 2), { revision: null })).outcome, "created");
    });

    it("deletes what is there at the revision asked for, and says what is not there", async () => {
      const { revision } = await store.put(vpcManifest("vpc-1", 1));
      await assert.rejects(store.delete(vpcKey("vpc-1"), { revision: "another" }), { code: "STORE_CONFLICT" });
      assert.equal((await store.delete(vpcKey("vpc-1"), { revision: String(revision) })).outcome, "deleted");
      await assert.rejects(store.delete(vpcKey("vpc-1")), { code: "STORE_NO_SUCH_OBJECT" });
      assert.deepEqual((await store.list()).objects, []);
    });

    it("applies many changes in their order", async () => {
      await store.put(vpcManifest("vpc-1", 1));
      await store.put(vpcManifest("vpc-2", 2));
      const applied = await store.apply([
        { op: "put", manifest: vpcManifest("vpc-3", 3) },
        { op: "delete", key: vpcKey("vpc-1") },
        { op: "put", manifest: vpcManifest("vpc-2", 20) },
        { op: "put", manifest: vpcManifest("vpc-4", 4) },
      ]);
      assert.deepEqual(outcomes(applied), ["vpc-3 created", "vpc-1 deleted", "vpc-2 configured", "vpc-4 created"]);
      assert.deepEqual(names(await store.list()), ["vpc-2", "vpc-3", "vpc-4"]);
    });

    it("applies all or nothing: one refused change undoes the others", async () => {
      await store.put(vpcManifest("vpc-1", 1));
      const before = await store.list();
      const good = { op: "put", manifest: vpcManifest("vpc-2", 2) } as const;
      for (const [bad, code] of [
        [{ op: "delete", key: vpcKey("nobody") }, "STORE_NO_SUCH_OBJECT"],
        [{ op: "put", manifest: vpcManifest("vpc-1", 5), revision: null }, "STORE_CONFLICT"],
        [{ op: "put", manifest: { kind: "VPCInfo" } }, "STORE_INVALID_OBJECT"],
        [{ op: "put", manifest: vpcManifest("vpc-2", 3) }, "STORE_INVALID_OBJECT"],
      ] as const) {
        await assert.rejects(store.apply([good, bad]), { code });
        assert.equal((await store.list()).revision, before.revision);
      }
    });

    it("applies only to the listing that was decided on, when told which", async () => {
      const { revision } = await store.list();
      await under.other.put(vpcManifest("vpc-1", 1));
      const change = { op: "put", manifest: vpcManifest("vpc-2", 2) } as const;
      await assert.rejects(store.apply([change], { revision }), { code: "STORE_CONFLICT" });
      const now = await store.list();
      assert.notEqual(now.revision, revision);
      assert.deepEqual(outcomes(await store.apply([change], { revision: now.revision })), ["vpc-2 created"]);
    });

    it("lets exactly one of many writers win who all saw the same", async () => {
      const { revision } = await store.put(vpcManifest("vpc-1", 1));
      const writers = Array.from({ length: 6 }, (_, n) =>
        (n % 2 === 0 ? store : under.other).put(vpcManifest("vpc-1", 100 + n), { revision: String(revision) }),
      );
      const results = await Promise.allSettled(writers);
      const won = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
      const lost = results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));
      assert.equal(won.length, 1);
      assert.deepEqual(lost, Array(5).fill("STORE_CONFLICT"));
      assert.equal((await store.get(vpcKey("vpc-1")))?.revision, won[0]?.revision);
    });

    it("loses no write of writers that change different objects at once", async () => {
      const writers = Array.from({ length: 6 }, (_, n) =>
        (n % 2 === 0 ? store : under.other).put(vpcManifest(`vpc-${n}`, 100 + n)),
      );
      await Promise.all(writers);
      assert.deepEqual(names(await store.list()), ["vpc-0", "vpc-1", "vpc-2", "vpc-3", "vpc-4", "vpc-5"]);
    });

    it("tells a watcher what is there and then every change, as a whole", async () => {
      await store.put(vpcManifest("vpc-1", 1));
      const seen: string[][] = [];
      const errors: unknown[] = [];
      const abort = new AbortController();
      const watching = store.watch((listing) => seen.push(names(listing)), abort.signal, {
        onError: (error) => errors.push(error),
      });
      const sees =
        (...expected: string[]) =>
        () =>
          JSON.stringify(seen.at(-1)) === JSON.stringify(expected);
      try {
        await until("what is there", sees("vpc-1"));
        await under.other.apply([
          { op: "delete", key: vpcKey("vpc-1") },
          { op: "put", manifest: vpcManifest("vpc-2", 2) },
          { op: "put", manifest: vpcManifest("vpc-3", 3) },
        ]);
        await until("the change", sees("vpc-2", "vpc-3"));
        await under.other.delete(vpcKey("vpc-2"));
        await until("the deletion", sees("vpc-3"));
        // Never half of the change of three.
        assert.deepEqual(seen, [["vpc-1"], ["vpc-2", "vpc-3"], ["vpc-3"]]);
        assert.deepEqual(errors, []);
      } finally {
        abort.abort();
        await watching;
      }
    });
  });
}
