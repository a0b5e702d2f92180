// What the rest of the program uses of this folder.

export { CODES, type Code, type Severity } from "./codes.ts";
export { type CustomResourceDefinition, crds, type OpenApiSchema } from "./crds.ts";
export { type Diagnostic, formatDiagnostic, formatPath, type Path, type Source } from "./diagnostic.ts";
export type * from "./fabric.ts";
export { FabricLoader, type LoadResult, loadFabric } from "./load.ts";
export { compareBytes } from "./order.ts";
export { plainObject, printObject, printYaml } from "./print.ts";
export { keyOfObject, type Reference, referencesOf } from "./references.ts";
export type { KindName, ManifestObject, ManifestOf, Metadata, Origin, SpecOf } from "./schema/kinds.ts";
export { readSources, SourceError, type SourceErrorCode, STDIN } from "./sources.ts";
export * from "./store/index.ts";
export { DEFAULT_TIMEOUTS } from "./timeouts.ts";
export { type WatchOptions, watchDirectory } from "./watch.ts";
