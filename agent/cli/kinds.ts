// How kinds and objects are named on the command line: Gateway, gateway, gateways, gw; KIND NAME…, KIND/NAME, all.

import { type CustomResourceDefinition, crds } from "../../fabric-api/crds.ts";
import { type KindName, keyText, type ManifestObject, type ObjectKey } from "../../fabric-api/index.ts";
import { didYouMean } from "../../fabric-api/suggest.ts";
import { UnknownObjectError, UsageError } from "../errors.ts";

/** What a command is asked about: objects of some kinds, or those of one name. */
export interface Target {
  readonly kinds: readonly KindName[];
  readonly name?: string;
  readonly namespace?: string;
}

type Names = CustomResourceDefinition["spec"]["names"];

/** The names of every kind, in the order in which lists show them. */
export function kindNames(): Names[] {
  return crds().map(({ spec }) => spec.names);
}

/** The kind that a word means. @throws UsageError */
export function kindOf(word: string): KindName {
  const lower = word.toLowerCase();
  const all = kindNames();
  const found = all.find(({ kind, plural, shortNames }) => [kind.toLowerCase(), plural, ...shortNames].includes(lower));
  if (found !== undefined) return found.kind;
  const hint = didYouMean(
    lower,
    all.flatMap(({ singular, plural, shortNames }) => [singular, plural, ...shortNames]),
  );
  throw new UsageError(
    `there is no kind ${word}; ${hint ?? `kinds: ${all.map(({ singular }) => singular).join(", ")}`}`,
  );
}

/** `KIND`, `KIND,KIND`, `all`, `KIND NAME…`, `KIND/NAME…`. @throws UsageError */
export function targetsOf(words: readonly string[]): Target[] {
  const [first, ...names] = words;
  if (first === undefined) throw new UsageError("name a kind, or KIND/NAME");
  if (words.some((word) => word.includes("/"))) {
    const isNameOf = !first.includes("/") && names.every((name) => name.split("/").length === 2);
    if (!isNameOf) return words.map(slashed);
  }
  const kinds = first === "all" ? kindNames().map(({ kind }) => kind) : first.split(",").map(kindOf);
  return names.length === 0 ? [{ kinds }] : names.map((name) => ({ kinds, ...named(name) }));
}

function slashed(word: string): Target {
  const slash = word.indexOf("/");
  if (slash <= 0 || slash === word.length - 1) throw new UsageError(`${word} is not KIND/NAME`);
  return { kinds: [kindOf(word.slice(0, slash))], ...named(word.slice(slash + 1)) };
}

/** NAME, or NAMESPACE/NAME. */
function named(text: string): { name: string; namespace?: string } {
  const [one = "", two] = text.split("/");
  return two === undefined ? { name: one } : { namespace: one, name: two };
}

/** The objects that are meant, in the order of the kinds and then as given. @throws UnknownObjectError */
export function select<T extends ObjectKey>(objects: readonly T[], targets: readonly Target[]): T[] {
  const chosen = new Set<T>();
  for (const { kinds, name, namespace } of targets) {
    const ofKind = kinds.flatMap((kind) => objects.filter((object) => object.kind === kind));
    const found = ofKind.filter(
      (object) =>
        (name === undefined || object.name === name) && (namespace === undefined || object.namespace === namespace),
    );
    if (name !== undefined && found.length === 0) {
      const what = `${kinds.join(" or ").toLowerCase()}/${namespace === undefined ? "" : `${namespace}/`}${name}`;
      throw new UnknownObjectError(what, didYouMean(name, [...new Set(ofKind.map((object) => object.name))]));
    }
    for (const object of found) chosen.add(object);
  }
  return [...chosen];
}

/** The one object of each name: a name that several namespaces hold must say which. @throws UnknownObjectError, UsageError */
export function selectOne<T extends ObjectKey>(objects: readonly T[], target: Target): T {
  const [one, ...more] = select(objects, [target]);
  if (one === undefined) throw new UnknownObjectError(target.kinds.join(" or ").toLowerCase(), undefined);
  if (more.length > 0) {
    throw new UsageError(`which one? say ${[one, ...more].map(keyText).join(" or ")}`);
  }
  return one;
}

/** Objects with their keys beside them, for `select`. */
export function keyed(objects: readonly ManifestObject[]): (ObjectKey & { readonly object: ManifestObject })[] {
  return objects.map((object) => ({
    kind: object.kind,
    namespace: object.metadata.namespace,
    name: object.metadata.name,
    object,
  }));
}
