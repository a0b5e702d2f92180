// The benchmarks: `node dist/scenarios/bench/main.js [SUITE…] [--json FILE]`. Prints a table; README.md says how to read it.
// Exit status: 0 everything was measured (a missed goal is in the table), 1 something could not be measured, 2 usage.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Row } from "./row.ts";
import { converge } from "./suites/converge.ts";
import { failover } from "./suites/failover.ts";
import { manifests } from "./suites/manifests.ts";
import { packet } from "./suites/packet.ts";
import { path } from "./suites/path.ts";
import type { Suite } from "./suites/suite.ts";
import { table } from "./table.ts";

const SUITES: readonly Suite[] = [packet, path, manifests, converge, failover];

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const request = parse(argv);
  if (typeof request === "string") {
    console.error(request);
    return 2;
  }
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.on(name, () => interrupt.abort(new Error(`ended by ${name}`)));
  const rows: Row[] = [];
  let failed = false;
  for (const suite of request.suites) {
    if (interrupt.signal.aborted) break;
    try {
      rows.push(...(await suite.run({ signal: interrupt.signal, progress: (text) => console.error(text) })));
    } catch (error) {
      failed = true;
      console.error(`bench: ${suite.name} could not be measured: ${explain(error)}`);
    }
  }
  if (rows.length > 0) console.log(table(rows));
  if (request.json !== undefined) writeFileSync(request.json, `${JSON.stringify(rows, null, 2)}\n`);
  return failed ? 1 : 0;
}

function parse(argv: readonly string[]): { suites: readonly Suite[]; json: string | undefined } | string {
  const names = SUITES.map((suite) => suite.name).join(" ");
  const usage = `usage: npm run bench -- [SUITE…] [--json FILE]   (suites: ${names})`;
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { json: { type: "string" } },
      allowPositionals: true,
    });
    const unknown = positionals.find((name) => !SUITES.some((suite) => suite.name === name));
    if (unknown !== undefined) return `bench: no suite "${unknown}"; ${usage}`;
    const suites = positionals.length === 0 ? SUITES : SUITES.filter((suite) => positionals.includes(suite.name));
    return { suites, json: values.json };
  } catch (error) {
    return `bench: ${(error as Error).message}; ${usage}`;
  }
}

/** The message with those of its causes, in one line. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${explain(error.cause)}`;
}
