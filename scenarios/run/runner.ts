// Runs a scenario from its first step to its last, or to the first that does not hold, and takes the lab down in any case.
import { Lab } from "../lab/lab.ts";
import type { Loss } from "../probe/loss.ts";
import { type Diagnosis, diagnose } from "./diagnose.ts";
import { type LossRow, lossTable } from "./loss-table.ts";
import type { Scenario, Step, StepKind } from "./scenario.ts";
import { type Measured, Steps } from "./steps.ts";

export interface StepResult {
  readonly kind: StepKind;
  /** The step in one line. */
  readonly text: string;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly measured?: Measured;
  readonly error?: string;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly lab: string;
  readonly ok: boolean;
  readonly upMs: number;
  readonly durationMs: number;
  readonly steps: readonly StepResult[];
  /** Loss windows by label. */
  readonly lossWindows: readonly LossRow[];
  /** Directory with what every component believed when a step failed. */
  readonly diagnosis?: string;
}

export interface RunOptions {
  /** Lab name; default: the topology's. */
  readonly name?: string;
  /** Leave the lab up. */
  readonly keep?: boolean;
  readonly signal: AbortSignal;
  readonly onUp?: (upMs: number) => void;
  readonly onStep?: (result: StepResult) => void;
  readonly onDiagnosis?: (diagnosis: Diagnosis) => void;
}

/** A step that does not hold is in the result; what is thrown kept the lab from coming up or being used, or is the abort. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<ScenarioResult> {
  const startMs = performance.now();
  const lab = await Lab.up({
    topologyFile: scenario.topologyFile,
    ...(options.name === undefined ? {} : { name: options.name }),
    manifests: scenario.manifests,
    owned: true,
    signal: options.signal,
  });
  const steps = new Steps(lab, scenario, options.signal);
  const results: StepResult[] = [];
  let diagnosis: Diagnosis | undefined;
  try {
    const upMs = performance.now() - startMs;
    options.onUp?.(upMs);
    steps.startHosts();
    for (const step of flatten(scenario.steps)) {
      options.signal.throwIfAborted();
      const result = await runStep(steps, step);
      options.signal.throwIfAborted();
      results.push(result);
      options.onStep?.(result);
      if (!result.ok) {
        diagnosis = await diagnose(lab);
        options.onDiagnosis?.(diagnosis);
        break;
      }
    }
    return {
      scenario: scenario.name,
      lab: lab.name,
      ok: diagnosis === undefined,
      upMs: Math.round(upMs),
      durationMs: Math.round(performance.now() - startMs),
      steps: results,
      lossWindows: lossTable(results.flatMap(labelledLoss)),
      ...(diagnosis === undefined ? {} : { diagnosis: diagnosis.directory }),
    };
  } finally {
    await steps.close();
    if (options.keep === true) lab.release();
    else await lab.down();
  }
}

type SimpleStep = Exclude<Step, { kind: "repeat" }>;

function flatten(steps: readonly Step[]): SimpleStep[] {
  return steps.flatMap((step) =>
    step.kind === "repeat" ? Array.from({ length: step.times }, () => flatten(step.steps)).flat() : [step],
  );
}

async function runStep(steps: Steps, { kind, step }: SimpleStep): Promise<StepResult> {
  const startMs = performance.now();
  const result = (rest: { ok: boolean; measured?: Measured; error?: string }): StepResult => ({
    kind,
    text: describeStep(kind, step),
    durationMs: Math.round(performance.now() - startMs),
    ...rest,
  });
  try {
    // The table of actions is typed by kind; a union of steps cannot show that the two belong together.
    const action = steps.actions[kind] as (step: unknown) => Promise<Measured>;
    const label = "label" in step && step.label !== undefined ? { label: step.label } : {};
    return result({ ok: true, measured: { ...label, ...(await action(step)) } });
  } catch (error) {
    return result({ ok: false, error: error instanceof Error ? error.message : String(error) });
  }
}

/** A step in one line, such as "probe host-1 → host-2 udp/7000 allowed". */
export function describeStep(kind: StepKind, step: SimpleStep["step"]): string {
  if ("note" in step) return step.note;
  const { from, to, proto, port, within, settle, manifests, files, command, ...rest } = step as Record<string, unknown>;
  const words: unknown[] = [kind];
  if (files !== undefined) words.push((files as string[]).join(", "));
  if (manifests !== undefined) words.push("inline manifests");
  if (from !== undefined) words.push(`${from} → ${to}`);
  if (proto !== undefined) words.push(proto === "icmp" ? "icmp" : `${proto}/${port}`);
  for (const [key, value] of Object.entries(rest)) {
    if (value === undefined || (key === "size" && value === 56)) continue;
    words.push(["expect", "how", "name", "kind", "node", "traffic", "label"].includes(key) ? value : `${key} ${value}`);
  }
  if (command !== undefined) words.push((command as string[]).join(" "));
  return words.join(" ");
}

function labelledLoss({ measured, ok }: StepResult): { label: string; loss: Loss }[] {
  if (!ok || typeof measured?.label !== "string") return [];
  return [{ label: measured.label, loss: measured as unknown as Loss }];
}
