// `fabgate bfd` without the command line: a child process of the tests. Arguments: socket, state file.

import { runBfd } from "../../bgp/bfd/daemon.ts";

const [socketPath = "", stateFile = ""] = process.argv.slice(2);
const controller = new AbortController();
process.once("SIGTERM", () => controller.abort());
const line = (fields: object, message: string): void => console.error(message, JSON.stringify(fields));
await runBfd({
  socketPath,
  stateFile,
  signal: controller.signal,
  log: { debug: line, info: line, warn: line, error: line },
});
