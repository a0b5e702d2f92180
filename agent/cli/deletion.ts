// What deleting objects means for those that refer to them. Pure.

import {
  type Change,
  keyText,
  type Listing,
  loadFabric,
  type ObjectKey,
  printYaml,
  type Reference,
  referencesOf,
  type Source,
  type StoredObject,
  withoutObjects,
} from "../../fabric-api/index.ts";
import { ReferredToError } from "../errors.ts";

export interface Deletion {
  readonly changes: readonly Change[];
  readonly outcomes: readonly { readonly object: string; readonly outcome: "deleted" | "configured" }[];
  /** What is left, as texts. */
  readonly sources: readonly Source[];
}

/**
 * Deletes `targets` and, with `cascade`, the peerings that need them; a gateway leaves a group that is deleted.
 * @throws ReferredToError
 */
export function deletionOf(listing: Listing, targets: readonly StoredObject[], cascade: boolean): Deletion {
  const gone = new Map(targets.map((target) => [keyText(target), target]));
  const references = referencesOf(loadFabric(listing.sources).objects).filter(
    // The default group is there with and without a manifest.
    ({ to }) => !(to.kind === "GatewayGroup" && to.name === "default"),
  );
  const dangling = (): Reference[] =>
    references.filter(({ from, to }) => gone.has(keyText(to)) && !gone.has(keyText(from)));
  if (!cascade) refuseDangling(dangling());
  for (const { from } of dangling()) {
    if (from.kind !== "GatewayPeering") continue;
    const object = listing.objects.find((candidate) => keyText(candidate) === keyText(from));
    if (object !== undefined) gone.set(keyText(object), object);
  }
  const changed = gatewaysWithout(listing, dangling());
  const deleted = [...gone.values()].map(({ kind, namespace, name }): ObjectKey => ({ kind, namespace, name }));
  return {
    changes: [
      ...changed.map(({ manifest }): Change => ({ op: "put", manifest })),
      ...deleted.map((key): Change => ({ op: "delete", key })),
    ],
    outcomes: [
      ...deleted.map((key) => ({ object: keyText(key), outcome: "deleted" as const })),
      ...changed.map(({ key }) => ({ object: keyText(key), outcome: "configured" as const })),
    ],
    sources: [
      ...withoutObjects(listing.sources, [...deleted, ...changed.map(({ key }) => key)]),
      ...changed.map(({ key, manifest }) => ({ file: keyText(key), text: printYaml(manifest) })),
    ],
  };
}

function refuseDangling(references: readonly Reference[]): void {
  if (references.length === 0) return;
  const byTarget = new Map<string, Set<string>>();
  for (const { from, to } of references) {
    byTarget.set(keyText(to), (byTarget.get(keyText(to)) ?? new Set()).add(keyText(from)));
  }
  const told = [...byTarget].map(([target, from]) => `${target} is referred to by ${[...from].join(", ")}`);
  throw new ReferredToError(`${told.join("; ")}; delete those too with --cascade`);
}

/** The gateways with their memberships in deleted groups taken out. */
function gatewaysWithout(listing: Listing, references: readonly Reference[]) {
  const groups = new Map<string, string[]>();
  for (const { from, to } of references) groups.set(keyText(from), [...(groups.get(keyText(from)) ?? []), to.name]);
  return listing.objects.flatMap((key) => {
    const left = groups.get(keyText(key));
    if (left === undefined) return [];
    const spec = key.manifest.spec as { readonly groups: readonly { readonly name: string }[] };
    const rest = spec.groups.filter(({ name }) => !left.includes(name));
    if (rest.length === 0) {
      const message = `${keyText(key)} is in no other group, and would fall into the default one; give it another group first`;
      throw new ReferredToError(message);
    }
    return [{ key, manifest: { ...key.manifest, spec: { ...spec, groups: rest } } }];
  });
}
