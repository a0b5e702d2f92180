// Where the lab finds its files and keeps its state.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** The checkout: sources and dist/ alike are below it. */
export const packageRoot = findRoot(import.meta.dirname);

/** Scenario directories, named by their last component. */
export const scenariosDirectory = join(packageRoot, "scenarios");

/** One directory per running lab. */
export const stateRoot = "/run/fabgate-lab";

/** How to run a program of this project that lies at `path` (without extension) below the root: built if we are, else through tsx. */
export function nodeProgram(path: string): string[] {
  if (import.meta.filename.endsWith(".js")) return [process.execPath, join(packageRoot, "dist", `${path}.js`)];
  // import.meta.resolve is missing where tsx loads this file as CommonJS.
  const tsx = pathToFileURL(createRequire(import.meta.filename).resolve("tsx")).href;
  return [process.execPath, "--import", tsx, join(packageRoot, `${path}.ts`)];
}

function findRoot(start: string): string {
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, "package.json"))) return directory;
    if (dirname(directory) === directory) throw new Error(`no package.json above ${start}`);
  }
}
