// From documents to objects: lists are opened, older spellings become the present ones, each object meets the schema of its
// kind, and names are checked to be unique. Objects that fail keep their identity, so that references to them are no
// further errors.

import type { Path } from "../diagnostic.ts";
import { type Place, Report, type Subject } from "../report.ts";
import { check, shown } from "../schema/check.ts";
import { isKind, KINDS, type KindName, type ManifestOf, OLDER_KIND_NAMES } from "../schema/kinds.ts";
import { didYouMean } from "../suggest.ts";
import type { ParsedDocument } from "./documents.ts";
import type { Target } from "./locate.ts";
import type { PlainMap } from "./plain.ts";

/** An object of a stream. */
export interface Entry<K extends KindName = KindName> {
  readonly kind: K;
  readonly namespace: string;
  readonly name: string;
  /** Absent if the object is structurally wrong; that is reported already. */
  readonly object?: ManifestOf<K>;
  /** Place of a field, by its path in the present spelling. */
  readonly at: (path: Path, target?: Target) => Place;
}

/** The objects of a document, in source order, with everything structural reported. */
export function readObjects(document: ParsedDocument, report: Report): Entry[] {
  report.addProblems(document);
  if (document.value === null || document.value === undefined) return [];
  return candidatesOf(document, report).flatMap((candidate) => readObject(candidate, report) ?? []);
}

/** The first of each kind, namespace and name; the others are reported. */
export function firstOfEach(all: readonly Entry[], report: Report): Entry[] {
  const entries: Entry[] = [];
  const first = new Map<string, Entry>();
  for (const entry of all) {
    const identity = `${entry.kind}/${entry.namespace}/${entry.name}`;
    const earlier = first.get(identity);
    if (earlier === undefined) {
      first.set(identity, entry);
      entries.push(entry);
      continue;
    }
    const path = ["metadata", "name"];
    const message = `${entry.kind} ${entry.name} is defined twice in namespace ${entry.namespace}`;
    const other = { at: earlier.at(path), what: "the first" };
    report.add({ code: "FG0108", at: entry.at(path), subject: entry, path, value: entry.name, message, other });
  }
  return entries;
}

/** What an object claims to be, well-formed or not. */
export interface Identity {
  readonly kind: KindName;
  readonly namespace: string;
  readonly name: string;
  readonly document: ParsedDocument;
  /** Path of the object in the document. */
  readonly base: Path;
  /** As written. */
  readonly value: PlainMap;
}

/** The objects of the documents that have a known kind and a name; what is wrong with them is not asked. */
export function identitiesOf(documents: readonly ParsedDocument[]): Identity[] {
  const unread = new Report();
  return documents
    .flatMap((document) => candidatesOf(document, unread))
    .flatMap(({ document, base, value }) => {
      if (!isMap(value)) return [];
      const kind = kindOf(value, (path) => ({ document, path: [...base, ...path] }), unread);
      const { name, namespace } = nameOf(value);
      return kind === undefined || name === undefined ? [] : [{ kind, namespace, name, document, base, value }];
    });
}

interface Candidate {
  readonly document: ParsedDocument;
  /** Path of the object in the document. */
  readonly base: Path;
  readonly value: unknown;
}

/** The objects that a document claims to hold: itself, or its items. */
function candidatesOf(document: ParsedDocument, report: Report): Candidate[] {
  const { value } = document;
  if (!isMap(value)) return [{ document, base: [], value }];
  const isList = value.kind === "List" || (value.kind === undefined && value.items !== undefined);
  if (!isList) return [{ document, base: [], value }];
  for (const key of Object.keys(value)) {
    if (["apiVersion", "kind", "metadata", "items"].includes(key)) continue;
    const at: Place = { document, path: [key], target: "key" };
    const message = `unknown field ${JSON.stringify(key)} in a list of objects`;
    report.add({
      code: "FG0201",
      at,
      path: [key],
      message,
      hint: didYouMean(key, ["apiVersion", "kind", "metadata", "items"]),
    });
  }
  const { items, apiVersion } = value;
  if (!Array.isArray(items)) {
    const message = `items must be a list of objects, not ${shown(items)}`;
    report.add({ code: "FG0105", at: { document, path: ["items"] }, path: ["items"], message });
    return [];
  }
  return items.map((item: unknown, index) => ({
    document,
    base: ["items", index],
    // An item that does not say its apiVersion has that of the mapping around it.
    value: isMap(item) && item.apiVersion === undefined ? { ...item, apiVersion } : item,
  }));
}

function readObject({ document, base, value }: Candidate, report: Report): Entry | undefined {
  const place = (path: Path, target?: Target): Place => ({
    document,
    path: [...base, ...path],
    ...(target === undefined ? {} : { target }),
  });
  if (!isMap(value)) {
    const message = `an object must be a mapping with apiVersion, kind, metadata and spec, not ${shown(value)}`;
    report.add({ code: "FG0105", at: place([]), message });
    return undefined;
  }
  const kind = kindOf(value, place, report);
  if (kind === undefined) return undefined;
  const { map, moved } = presentSpelling(kind, value);
  const at = (path: Path, target?: Target) => place(moved && isGroupPath(path) ? NESTED_GROUP : path, target);
  const { name, namespace } = nameOf(map);
  const subject: Subject = { kind, name };

  if (moved && isMap(value.spec) && value.spec.gatewayGroup !== undefined) {
    const path = ["spec", "peering", "gatewayGroup"];
    const hint = "remove the one inside peering";
    const message = "the group is written both in spec and in spec.peering";
    report.add({ code: "FG0109", at: place(path, "key"), subject, path, message, hint });
  }
  const checked = check(KINDS[kind].object, map);
  if (!checked.ok) {
    for (const { path, atKey, ...finding } of checked.found) {
      const code = finding.code === "FG0206" && path[0] === "apiVersion" ? "FG0107" : finding.code;
      report.add({ ...finding, code, at: at(path, atKey ? "key" : "value"), subject, path });
    }
    return name === undefined ? undefined : { kind, name, namespace, at };
  }
  const { apiVersion, metadata, spec } = checked.data;
  const { labels, annotations } = metadata;
  const origin = { file: document.source.file, document: document.index, path: base };
  const object = {
    apiVersion,
    kind,
    metadata: { name: metadata.name, namespace: metadata.namespace, labels, annotations },
    spec,
    origin,
    // The schema was looked up by this kind, so spec is the kind's.
  } as ManifestOf<KindName>;
  return { kind, namespace: metadata.namespace, name: metadata.name, object, at };
}

function kindOf(value: PlainMap, place: (path: Path, target?: Target) => Place, report: Report): KindName | undefined {
  const { kind } = value;
  const path = ["kind"];
  if (typeof kind !== "string") {
    const code = kind === undefined ? "FG0202" : "FG0203";
    const message = kind === undefined ? "is required (text)" : `must be text, not ${shown(kind)}`;
    report.add({
      code,
      at: place(kind === undefined ? [] : path),
      path,
      message,
      hint: `one of ${Object.keys(KINDS).join(", ")}`,
    });
    return undefined;
  }
  const known = (Object.hasOwn(OLDER_KIND_NAMES, kind) ? OLDER_KIND_NAMES[kind] : undefined) ?? kind;
  if (isKind(known)) return known;
  const hint = didYouMean(kind, Object.keys(KINDS));
  const { name } = nameOf(value);
  report.add({
    code: "FG0106",
    at: place(path),
    subject: { kind, name },
    path,
    value: kind,
    message: `unknown kind ${shown(kind)}`,
    hint,
  });
  return undefined;
}

const NESTED_GROUP: Path = ["spec", "peering", "gatewayGroup"];

function isGroupPath(path: Path): boolean {
  return path.length === 2 && path[0] === "spec" && path[1] === "gatewayGroup";
}

/** `kind: Peering` and `spec.peering.gatewayGroup` in today's spelling. A VPC cannot be called gatewayGroup: names are lower-case. */
function presentSpelling(kind: KindName, value: PlainMap): { map: PlainMap; moved: boolean } {
  const map = value.kind === kind ? value : { ...value, kind };
  const spec = map.spec;
  if (kind !== "GatewayPeering" || !isMap(spec) || !isMap(spec.peering)) return { map, moved: false };
  if (!Object.hasOwn(spec.peering, "gatewayGroup")) return { map, moved: false };
  const { gatewayGroup, ...peering } = spec.peering;
  return { map: { ...map, spec: { ...spec, gatewayGroup, peering } }, moved: true };
}

/** Name and namespace as far as they are readable, whatever else is wrong with the object. */
function nameOf(value: PlainMap): { name: string | undefined; namespace: string } {
  const metadata = isMap(value.metadata) ? value.metadata : {};
  const { name, namespace } = metadata;
  return {
    name: typeof name === "string" ? name : undefined,
    namespace: typeof namespace === "string" ? namespace : "default",
  };
}

function isMap(value: unknown): value is PlainMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
