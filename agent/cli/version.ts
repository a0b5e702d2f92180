// The version of package.json, found upwards from here: the sources and dist/ lie at different depths below it.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const version = readVersion();

function readVersion(): string {
  let directory = import.meta.dirname;
  while (!existsSync(join(directory, "package.json"))) directory = dirname(directory);
  return (JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as { version: string }).version;
}
