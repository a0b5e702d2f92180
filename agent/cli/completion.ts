// Shell completion: `fabgate completion bash|zsh` prints the script, which asks `fabgate --get-yargs-completions` for the
// words. Commands and options come from their declarations; this adds kinds and names of stored objects.

import type { Argv } from "yargs";
import { keyText } from "../../fabric-api/index.ts";
import { UsageError } from "../errors.ts";
import { kindNames, kindOf } from "./kinds.ts";
import { manifestsOption, openStore } from "./stored.ts";

const COMMAND = "completion";
const SHELLS = ["bash", "zsh"];
/** Commands whose words are kinds and names. */
const OF_OBJECTS = new Set(["get", "describe", "delete"]);

/** To be called before the parser is made, which reads there which shell its script is for. @throws UsageError */
export function chooseShell(words: readonly string[]): void {
  const [command, shell] = words;
  if (command !== COMMAND) return;
  if (shell === undefined || !SHELLS.includes(shell))
    throw new UsageError(`say for which shell: ${SHELLS.join(" or ")}`);
  process.env.SHELL = shell;
}

/** Adds the command, and the completion of words. */
export function withCompletion<T>(parser: Argv<T>): Argv<T> {
  return parser.completion(COMMAND, `print the completion script of a shell: ${SHELLS.join(" or ")}`, complete);
}

type Done = (completions: string[]) => void;

function complete(
  current: string,
  argv: Readonly<Record<string, unknown>>,
  otherwise: (onCompleted?: (error: Error | null, completions: string[] | undefined) => void) => void,
  done: Done,
): void {
  const words = Array.isArray(argv._) ? argv._.map(String) : [];
  const command = words.find((word) => OF_OBJECTS.has(word));
  if (words.includes(COMMAND)) done(SHELLS);
  else if (command === undefined || current.startsWith("-")) otherwise();
  else {
    const manifests = typeof argv.manifests === "string" ? argv.manifests : manifestsOption.default;
    const before = words.slice(words.indexOf(command) + 1).filter((word) => word !== current);
    void wordsFor(before, current, manifests).then(done, () => done([]));
  }
}

/** Kinds first; after a kind its names; after KIND/ the same with the kind in front. Exported for its test. */
export async function wordsFor(before: readonly string[], current: string, manifests: string): Promise<string[]> {
  const slash = current.indexOf("/");
  if (before.length === 0 && slash < 0) {
    const kinds = kindNames().flatMap(({ singular, plural, shortNames }) => [singular, plural, ...shortNames]);
    return [...kinds, "all"].filter((kind) => kind.startsWith(current));
  }
  const isSlashed = slash >= 0;
  const kindWord = isSlashed ? current.slice(0, slash) : (before[0] ?? "");
  const kind = kindOf(kindWord);
  const { objects } = await openStore(manifests).list();
  const names = objects
    .filter((object) => object.kind === kind)
    .map((object) => keyText(object).split("/").slice(1).join("/"));
  return names.map((name) => (isSlashed ? `${kindWord}/${name}` : name)).filter((word) => word.startsWith(current));
}
