// Shell completion: `fabgate completion bash|zsh` prints the script, which asks `fabgate --get-yargs-completions` for the
// words. Commands and options come from their declarations; this adds kinds and names of stored objects.

import type { Argv } from "yargs";
import { keyText } from "../../fabric-api/index.ts";
import { UsageError } from "../errors.ts";
import { kindNames, kindOf } from "./kinds.ts";
import { manifestsOption, openStore } from "./stored.ts";

const COMMAND = "completion";
const SHELLS = ["bash", "zsh"];
/** What the script calls this program with, before the words that are typed. */
const ASK = "--get-yargs-completions";
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

/** The command that prints the script. */
export function withCompletion<T>(parser: Argv<T>): Argv<T> {
  return parser.completion(COMMAND, `print the completion script of a shell: ${SHELLS.join(" or ")}`);
}

/**
 * Completions of what is typed after a command that takes objects; undefined if the parser's own completion is to answer.
 * `words` are the arguments of this program: the flag, the program's name, what is typed. It is asked before the parser, whose
 * own hook for this does not wait for answers that need files.
 */
export async function completionsOf(words: readonly string[]): Promise<string[] | undefined> {
  const [flag, , command, ...typed] = words;
  if (flag === ASK && command === COMMAND) return SHELLS.filter((shell) => shell.startsWith(typed.at(-1) ?? ""));
  if (flag !== ASK || command === undefined || !OF_OBJECTS.has(command) || typed.length === 0) return undefined;
  const current = typed.at(-1) ?? "";
  const option = typed.lastIndexOf("--manifests");
  const manifests = (option >= 0 ? typed[option + 1] : undefined) ?? manifestsOption.default;
  if (current.startsWith("-")) return undefined;
  const before = typed
    .slice(0, -1)
    .filter((word, index) => !word.startsWith("-") && (option < 0 || index !== option + 1));
  return wordsFor(before, current, manifests).catch(() => []);
}

/** Kinds first; after a kind its names; after KIND/ the same with the kind in front. */
async function wordsFor(before: readonly string[], current: string, manifests: string): Promise<string[]> {
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
