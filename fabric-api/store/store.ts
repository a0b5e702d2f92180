// Where manifests are kept: the interface. The CLI and everybody else who writes objects see only this; the directory of
// YAML files is the embedded implementation (directory.ts). test/fabric-api/store-compliance.ts says what each must hold to.
//
// A store keeps objects as they were written and judges none of their fields: that is the loader's work. Writers that must
// not overwrite each other pass the revision they read; the store refuses with STORE_CONFLICT if it is no longer that.

import type { Source } from "../diagnostic.ts";
import type { KindName, Origin } from "../schema/kinds.ts";
import type { PlainMap } from "../stream/plain.ts";
import type { WatchOptions } from "../watch.ts";

/** What makes an object that object. */
export interface ObjectKey {
  readonly kind: KindName;
  readonly namespace: string;
  readonly name: string;
}

export interface StoredObject extends ObjectKey {
  /** As written: no defaults, older spellings kept. */
  readonly manifest: PlainMap;
  /** Differs whenever the manifest does; equal manifests may share it. Opaque. */
  readonly revision: string;
  readonly origin: Origin;
}

/** All that a store holds at one moment. */
export interface Listing {
  /** Differs whenever any object does. Opaque. */
  readonly revision: string;
  /** Objects in the order of the sources. */
  readonly objects: readonly StoredObject[];
  /** The same as texts, for the loader and its diagnostics. */
  readonly sources: readonly Source[];
}

/** A change of one object. `revision` is what it must have before; null: it must not exist; absent: whatever it is. */
export type Change =
  | {
      readonly op: "put";
      readonly manifest: PlainMap;
      /** The manifest as YAML with its comments; kept where the store makes a new text of it. */
      readonly text?: string;
      readonly revision?: string | null;
    }
  | { readonly op: "delete"; readonly key: ObjectKey; readonly revision?: string };

export type Outcome = "created" | "configured" | "unchanged" | "deleted";

export interface Applied extends ObjectKey {
  readonly outcome: Outcome;
  /** Of the object now; absent once deleted. */
  readonly revision?: string;
}

export interface ApplyOptions {
  /** Revision of the listing that the changes were computed from: nothing at all may have changed since. */
  readonly revision?: string;
}

/** All methods reject with a StoreError. */
export interface Store {
  list(): Promise<Listing>;
  get(key: ObjectKey): Promise<StoredObject | undefined>;
  /** One change. @throws STORE_CONFLICT */
  put(manifest: PlainMap, options?: { readonly revision?: string | null }): Promise<Applied>;
  /** One change. @throws STORE_CONFLICT, STORE_NO_SUCH_OBJECT */
  delete(key: ObjectKey, options?: { readonly revision?: string }): Promise<Applied>;
  /**
   * All changes or none, in the eyes of every reader and over a crash. An object may be changed once.
   * @throws STORE_CONFLICT, STORE_NO_SUCH_OBJECT, STORE_INVALID_OBJECT
   */
  apply(changes: readonly Change[], options?: ApplyOptions): Promise<Applied[]>;
  /**
   * Hands over what is there and then each change of it, until the signal aborts. What cannot be read goes to
   * `options.onError` and is no change.
   */
  watch(onChange: (listing: Listing) => void, signal: AbortSignal, options?: WatchOptions): Promise<void>;
}

export type StoreErrorCode =
  /** A revision is not the one that was expected: read again, decide again. */
  | "STORE_CONFLICT"
  | "STORE_NO_SUCH_OBJECT"
  /** A manifest without a kind, a name, or with one object named twice in the changes. */
  | "STORE_INVALID_OBJECT"
  /** One object is written in several places. */
  | "STORE_AMBIGUOUS"
  /** A file cannot be read as YAML: nothing may be inferred from what it seems to lack. */
  | "STORE_UNREADABLE"
  /** A text that cannot be changed without losing what somebody wrote there. */
  | "STORE_NOT_EDITABLE"
  | "STORE_MISSING"
  | "STORE_LOCKED"
  | "STORE_NOT_WRITABLE"
  | "STORE_FULL"
  | "STORE_FAILED";

const UNREACHABLE: ReadonlySet<StoreErrorCode> = new Set([
  "STORE_MISSING",
  "STORE_LOCKED",
  "STORE_NOT_WRITABLE",
  "STORE_FULL",
  "STORE_FAILED",
]);

/** The message is one line that says what to do. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** Exit status of a command that ends with it: 3 the store cannot be used, 1 what is asked of it is wrong. */
  readonly exitCode: 1 | 3;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.exitCode = UNREACHABLE.has(code) ? 3 : 1;
  }
}

/** "gatewaypeering/vpc-1--vpc-2", with the namespace in front of the name where it is not `default`. */
export function keyText({ kind, namespace, name }: ObjectKey): string {
  return `${kind.toLowerCase()}/${namespace === "default" ? "" : `${namespace}/`}${name}`;
}
