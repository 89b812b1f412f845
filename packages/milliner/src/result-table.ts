import { shortened } from "@milliner/core";
import { promisesBits, type LearnerResult, type RunResult } from "@milliner/continual";
import { counted } from "./counted.ts";
import { deviceText } from "./device.ts";
import { oneLine } from "./output.ts";
import type { SeedRuns } from "./seed-runs.ts";
import { duration, percent, textTable } from "./table.ts";
import type { Trained } from "./train.ts";

/** What came of a run, for people: every accuracy beside those of its controls. */
export function resultTable({ name, folder, settings, device, result }: Trained): string {
  const columns: readonly (readonly [string, LearnerResult])[] = [
    [result.learner, result],
    ...Object.entries(result.controls),
  ];
  const row = (title: string, cell: (column: LearnerResult) => string): readonly string[] => [
    title,
    ...columns.map(([, column]) => cell(column)),
  ];
  const table = textTable([
    ["accuracy", ...columns.map(([learner]) => learner)],
    ...result.tasks.map((task, id) =>
      row(`task ${id}: ${shortened(task.name)}`, ({ matrix }) => percent(matrix.at(-1)?.[id])),
    ),
    row("mean", ({ acc }) => percent(acc)),
    row("forgetting", ({ forgetting }) => percent(forgetting)),
    row("forward transfer", ({ fwt }) => percent(fwt)),
    row("old logits bit-exact", bitExact),
    row("time", ({ seconds }) => duration(seconds)),
  ]);
  return [
    oneLine(
      `${name}, seed ${settings.seed}, ${counted(result.tasks.length, "task")} on ${deviceText(device)}`,
    ),
    "\n",
    table,
    `\n${exactness(result)}\n`,
    ...result.warnings.map((warning) => oneLine(`warning: ${warning}`)),
    oneLine(`run folder: ${folder}`),
  ].join("");
}

/** Of one task there is nothing older: only that it changed can be said. */
function bitExact({ tasks, bitExactOldLogits }: LearnerResult): string {
  if (!bitExactOldLogits) return "no";
  return tasks.length === 1 ? "-" : "yes";
}

function exactness(result: RunResult): string {
  const where = {
    memory: "in memory",
    checkpoint: "on a reloaded checkpoint",
    "fresh-process": "in a fresh process from the checkpoint",
  }[result.bitExactCheckedIn];
  const changed = promisesBits(result)
    ? "TEST LOGITS OF EARLIER TASKS CHANGED"
    : "test logits of earlier tasks changed, as they may without locks";
  const hash = result.lockedHash === null ? "" : `\nlocked elements: sha256 ${result.lockedHash}`;
  if (bitExact(result) === "-") return `one task: nothing to compare yet${hash}`;
  const logits = result.bitExactOldLogits ? "every task kept its test logits, bit for bit" : changed;
  return `${logits} (checked ${where})${hash}`;
}

const figures = ["acc", "bwt", "fwt", "forgetting", "seconds"] as const;

/** Mean or deviation of each figure over seeds; null where a seed has none, or there is no seed, or one alone for a deviation. */
export type Summary = Readonly<Record<(typeof figures)[number], number | null>>;

/** Mean and sample standard deviation over seeds (divided by n - 1) of each figure. */
export function summariseSeeds(results: readonly LearnerResult[]): {
  readonly mean: Summary;
  readonly std: Summary;
} {
  const per = (statistic: (values: readonly number[]) => number | null): Summary =>
    Object.fromEntries(
      figures.map((figure) => {
        const values = results.flatMap((result) => result[figure] ?? []);
        return [figure, values.length === results.length && values.length > 0 ? statistic(values) : null];
      }),
    ) as Summary;
  return { mean: per(mean), std: per(deviation) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const center = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** Several seeds of one experiment, for people; nothing where none is done. */
export function seedsTable({ done, failed }: SeedRuns): string {
  const [first] = done;
  if (first === undefined) return "";
  const names = Object.keys(first.result.controls);
  const row = ({ settings, result }: Trained): readonly string[] => [
    `seed ${settings.seed}`,
    percent(result.acc),
    percent(result.forgetting),
    bitExact(result),
    ...names.map((name) => percent(result.controls[name]?.acc)),
    duration(result.seconds),
  ];
  const rows = [
    ...done.map((run) => ({ seed: run.settings.seed, cells: row(run) })),
    ...failed.map(({ seed }) => ({ seed, cells: [`seed ${seed}`, "failed"] })),
  ].toSorted((a, b) => a.seed - b.seed);
  const own = summariseSeeds(done.map(({ result }) => result));
  const controls = names.map((name) => summariseSeeds(done.map(({ result }) => result.controls[name]!)));
  const line = (title: string, which: "mean" | "std"): readonly string[] => {
    const { acc, forgetting, seconds } = own[which];
    const ofControls = controls.map((control) => percent(control[which].acc));
    const time = seconds === null ? "-" : duration(seconds);
    return [title, percent(acc), percent(forgetting), "", ...ofControls, time];
  };
  const share = failed.length === 0 ? "" : `${done.length} of `;
  const seeds = `${share}${counted(done.length + failed.length, "seed")}`;
  return [
    oneLine(
      `${first.name}, ${seeds}, ${counted(first.result.tasks.length, "task")}: mean accuracy at the end`,
    ),
    "\n",
    textTable([
      ["", first.result.learner, "forgetting", "bit-exact", ...names, "time"],
      ...rows.map(({ cells }) => cells),
      line("mean", "mean"),
      line("deviation", "std"),
    ]),
  ].join("");
}
