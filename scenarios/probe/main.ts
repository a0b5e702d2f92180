// The program that runs on every host of a lab while a scenario runs: it opens echo ports and sends probes and streams as
// it is told by requests, one JSON object a line on standard input, and answers each on standard output. Ends with its input.
import { createInterface } from "node:readline";
import { type Echo, openEcho } from "./echo.ts";
import { type ProbeAnswer, type ProbeOptions, probeOnce } from "./once.ts";
import { Stream, type StreamOptions, type StreamReport } from "./stream.ts";

export type Request =
  /** Opens the echo port if it is not open; answers how many datagrams or connections have arrived there. */
  | { readonly op: "listen"; readonly proto: "udp" | "tcp"; readonly port: number }
  | ({ readonly op: "probe" } & ProbeOptions)
  | ({ readonly op: "start"; readonly name: string; readonly proto: "udp" | "tcp" } & StreamOptions)
  | { readonly op: "report"; readonly name: string; readonly take: boolean };

export interface Answers {
  readonly listen: { readonly arrived: number };
  readonly probe: ProbeAnswer;
  readonly start: Record<string, never>;
  readonly report: StreamReport;
}

/** One line of output: the answer to the request with this number. */
export interface AnswerLine {
  readonly id: number;
  readonly answer?: Answers[keyof Answers];
  readonly error?: string;
}

const echoes = new Map<string, Echo>();
const streams = new Map<string, Stream>();

async function handle(request: Request): Promise<Answers[keyof Answers]> {
  switch (request.op) {
    case "listen": {
      const key = `${request.proto}/${request.port}`;
      const echo = echoes.get(key) ?? (await openEcho(request.proto, request.port));
      echoes.set(key, echo);
      return { arrived: echo.arrived() };
    }
    case "probe":
      return probeOnce(request);
    case "start":
      streams.get(request.name)?.stop();
      streams.set(request.name, new Stream(request.proto, request));
      return {};
    case "report": {
      const stream = streams.get(request.name);
      if (stream === undefined) throw new Error(`no stream ${request.name}`);
      return stream.report(request.take);
    }
  }
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { id, request } = JSON.parse(line) as { id: number; request: Request };
  handle(request).then(
    (answer) => say({ id, answer }),
    (error: unknown) => say({ id, error: error instanceof Error ? error.message : String(error) }),
  );
});
lines.on("close", () => process.exit(0));

function say(line: AnswerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
