// What the rest of the program uses of this folder.

export { DirectoryStore, type DirectoryStoreOptions } from "./directory.ts";
export { listingOf, objectsIn, withoutObjects } from "./listing.ts";
export {
  type Applied,
  type ApplyOptions,
  type Change,
  keyText,
  type Listing,
  type ObjectKey,
  type Outcome,
  type Store,
  type StoredObject,
  StoreError,
  type StoreErrorCode,
} from "./store.ts";
