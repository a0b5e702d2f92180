// Loading manifests for a command: reads, validates, shows the findings on standard error.

import { type Fabric, formatDiagnostic, type LoadResult, loadFabric, readSources } from "../../fabric-api/index.ts";
import { InvalidManifestsError } from "../errors.ts";

/** The `-f` option: files, directories, or `-` for standard input. */
export const fileOption = {
  alias: "f",
  array: true,
  string: true,
  demandOption: true,
  describe: "manifest files or directories; - reads standard input",
} as const;

/** Loads, and prints every finding with its source line. */
export async function loadAndReport(paths: readonly string[]): Promise<LoadResult> {
  const sources = await readSources([...paths], process.stdin);
  const result = loadFabric(sources);
  for (const finding of [...result.errors, ...result.warnings]) {
    process.stderr.write(`${formatDiagnostic(finding, sources)}\n`);
  }
  return result;
}

/** Loads a valid fabric. @throws InvalidManifestsError after printing what is wrong */
export async function requireFabric(paths: readonly string[]): Promise<Fabric> {
  const { fabric, errors } = await loadAndReport(paths);
  if (!fabric) throw new InvalidManifestsError(errors.length);
  return fabric;
}
