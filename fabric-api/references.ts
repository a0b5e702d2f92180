// Who refers to whom: what a reader wants to see beside an object, and what keeps it from being deleted. By the same
// look-up of names as validation; references that lead nowhere are left out.

import { formatPath } from "./diagnostic.ts";
import { DEFAULT_NAMESPACE, NameTable } from "./names.ts";
import type { KindName, ManifestObject } from "./schema/kinds.ts";
import type { ObjectKey } from "./store/store.ts";
import { DEFAULT_GROUP, EXTERNAL_PREFIX } from "./world.ts";

export interface Reference {
  readonly from: ObjectKey;
  readonly to: ObjectKey;
  /** Field of `from`: spec.gatewayGroup */
  readonly path: string;
}

/** All references among the objects, in their order. A side `ext.NAME` refers to the External and to the VPCInfo that describes it. */
export function referencesOf(objects: readonly ManifestObject[]): Reference[] {
  const tables = new Map<KindName, NameTable<ObjectKey>>();
  for (const object of objects) {
    const table = tables.get(object.kind) ?? new NameTable<ObjectKey>();
    tables.set(object.kind, table);
    const { name } = object.metadata;
    // There is one default group, whichever namespace declares it.
    const isDefault = object.kind === "GatewayGroup" && name === DEFAULT_GROUP;
    table.add(isDefault ? DEFAULT_NAMESPACE : object.metadata.namespace, name, keyOfObject(object));
  }
  const find = (kind: KindName, name: string, namespace: string): ObjectKey[] => {
    const found = tables.get(kind)?.resolve(name, namespace);
    return found !== undefined && "found" in found ? [found.found] : [];
  };
  return objects.flatMap((object): Reference[] => {
    const from = keyOfObject(object);
    const to = (keys: readonly ObjectKey[], path: readonly (string | number)[]) =>
      keys.map((key) => ({ from, to: key, path: formatPath(path) }));
    if (object.kind === "Gateway") {
      return (object.spec.groups ?? []).flatMap(({ name }, index) =>
        to(find("GatewayGroup", name, from.namespace), ["spec", "groups", index, "name"]),
      );
    }
    if (object.kind !== "GatewayPeering") return [];
    const sides = Object.keys(object.spec.peering).flatMap((side) => {
      const external = side.startsWith(EXTERNAL_PREFIX)
        ? find("External", side.slice(EXTERNAL_PREFIX.length), from.namespace)
        : [];
      return to([...find("VPCInfo", side, from.namespace), ...external], ["spec", "peering", side]);
    });
    const group = find("GatewayGroup", object.spec.gatewayGroup, from.namespace);
    return [...to(group, ["spec", "gatewayGroup"]), ...sides];
  });
}

export function keyOfObject({ kind, metadata: { namespace, name } }: ManifestObject): ObjectKey {
  return { kind, namespace, name };
}
