import { checkKeys, ConfigError, type Backend, type CheckpointError, type OptionKeys } from "@milliner/core";
import { errorCode, flushFolder, unsyncedWarning } from "@milliner/data";
import { brokenPromiseEvents, withPromisesKept, promisesBits } from "./broken-promise.ts";
import { jsonCopy } from "./checkpoint-json.ts";
import { checkTask } from "./check-task.ts";
import { EventLog, firstPosition, type EventPosition } from "./event-log.ts";
import type { RunEvent, RunEventBody } from "./events.ts";
import { LearnerRun } from "./learner-run.ts";
import type { Learner } from "./learner.ts";
import { meanForgettingRatios, randomAccuracy } from "./metrics.ts";
import { summarise, type LearnerResult, type RunResult } from "./result.ts";
import { RunFolder } from "./run-folder.ts";
import { identifyTasks } from "./run-identity.ts";
import type { RunRecord } from "./run-record.ts";
import { taskInWords, type Scenario } from "./task.ts";
import type { Verification } from "./verify-run.ts";
import { checkWhole } from "./whole-number.ts";

/** How a scenario is run. */
export interface RunOptions {
  /** Every random number of training derives from it. */
  readonly seed: number;
  /** Where test images are put; the learners' own. */
  readonly backend: Backend;
  /** Methods to compare with, run after the learner on the same tasks from the same seed. Names differ from each other. */
  readonly controls?: readonly Learner[];
  /** The run's folder: checkpoints, `events.jsonl`, `result.json`. Without one nothing is kept, and nothing can be resumed. */
  readonly folder?: string;
  /** Go on with what the folder holds; begins anew where it holds nothing. Default false: a folder with a run is refused. */
  readonly resume?: boolean;
  /**
   * What the caller made of the scenario and the learners, as plain JSON, noted in every checkpoint beside the learners' own
   * (`Learner.settings`) and hashes of the tasks. A run goes on with the same only; the error names the key that differs.
   */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Called when this run owns the folder, before anything of it is written: the place for files that describe it. */
  readonly onOpen?: () => Promise<void>;
  /**
   * Makes another learner like `learner`. With it tasks are evaluated on a new object that has loaded the checkpoint, so that
   * what is measured is what a user will load, and state that was forgotten in `save` shows.
   */
  readonly makeLearner?: () => Learner;
  /**
   * What a broken promise does at the end: `throw` a BrokenPromiseError when all has been written (default), or only `warn`. The
   * event and the warning come in any case; of a learner that locks nothing (`lockedHash` is null) nothing is promised.
   */
  readonly onBrokenPromise?: "throw" | "warn";
  /**
   * Calls `verifyRun` in a fresh process; called at the end, when the result has been written. Needs `folder`. Where it throws
   * CheckpointError (`NO_FRESH_PROCESS`) the run is done all the same, with a warning: what was checked here counts. With any other
   * error `run` fails; what was written says that the check is still to come, and resuming makes it.
   */
  readonly verifier?: (folder: string) => Promise<Verification>;
  /** Sees every event as it happens. Must not throw and must not take long. */
  readonly events?: (event: RunEvent) => void;
  /** Abort it to stop; the run can be resumed then. */
  readonly signal?: AbortSignal;
  /**
   * Which tasks are tried before they are learned: none, the next one (what FWT needs; default), or all, for a full matrix.
   */
  readonly unlearned?: "none" | "next" | "all";
  /** Least seconds between two checkpoints within a task. Default 5; no bit of the result depends on it. */
  readonly checkpointSeconds?: number;
  /** Name of the control that is trained jointly: forgetting ratios refer to it. Default `joint`. */
  readonly joint?: string;
  /** Seconds on a monotonic clock. Default: the system's. */
  readonly clock?: () => number;
}

const runKeys: OptionKeys<RunOptions> = {
  seed: true,
  backend: true,
  controls: true,
  folder: true,
  resume: "switch",
  settings: true,
  onOpen: true,
  makeLearner: true,
  onBrokenPromise: true,
  verifier: true,
  events: true,
  signal: true,
  unlearned: true,
  checkpointSeconds: true,
  joint: true,
  clock: true,
};

/**
 * Lets a learner, then each control, learn the tasks of a scenario in order, and evaluates after every task: the accuracy
 * matrix, and whether the test logits of every earlier task are still, bit for bit, what they were when its training ended.
 *
 * With a folder, a run that was killed at any moment goes on with `resume` and ends with the same bits as one that was not.
 *
 * @returns the result, which is also written as `result.json`. Learners are left as they are at the end; the caller disposes
 *   them.
 * @throws ConfigError (`RUN_LOCKED`, `RUN_EXISTS`, `OTHER_FILES`, `BAD_NAME`, `EMPTY_SCENARIO`, `EMPTY_SPLIT`, `BAD_SPLIT`, `BAD_LABEL`) before
 *   anything has changed; (`BAD_SPLIT`) at the first batch of a split whose `read` does not write it
 * @throws CheckpointError when the folder cannot be written or a checkpoint not be read; NumericError when a loss is not
 *   finite; the signal's reason when it was aborted. Earlier checkpoints stay.
 * @throws BrokenPromiseError (`PROMISE_BROKEN`) at the end, when a learner has changed bits that it promised to keep; its `result`
 *   is the result
 */
export async function run(scenario: Scenario, learner: Learner, options: RunOptions): Promise<RunResult> {
  checkRunOptions(options);
  const learners = [learner, ...(options.controls ?? [])];
  checkNames(learners);
  checkScenario(scenario);
  return withPromisesKept(await runIn(scenario, learners, options), options.onBrokenPromise ?? "throw");
}

function checkRunOptions(options: RunOptions): void {
  checkKeys("run", options, runKeys);
  const { seed, onBrokenPromise = "throw", unlearned = "next", checkpointSeconds = 0 } = options;
  checkWhole("seed", seed, 0);
  const words = [
    ["onBrokenPromise", onBrokenPromise, ["throw", "warn"]],
    ["unlearned", unlearned, ["none", "next", "all"]],
  ] as const;
  for (const [name, value, known] of words) {
    if (!(known as readonly string[]).includes(value))
      throw new ConfigError("BAD_VALUE", `${name} must be one of ${known.join(", ")}, not "${value}"`);
  }
  if (!(checkpointSeconds >= 0)) {
    throw new ConfigError(
      "BAD_VALUE",
      `checkpointSeconds must be a number from 0 up, not ${checkpointSeconds}`,
    );
  }
}

async function runIn(
  scenario: Scenario,
  learners: readonly Learner[],
  options: RunOptions,
): Promise<RunResult> {
  if (options.folder === undefined) return await runAll(scenario, learners, options, null);
  const folder = await RunFolder.open(options.folder, options.resume ?? false);
  try {
    await options.onOpen?.();
    return await runAll(scenario, learners, options, folder);
  } finally {
    await folder.close();
  }
}

// Names become those of folders and of fields in the result.
function checkNames(learners: readonly Learner[]): void {
  const seen = new Set<string>();
  for (const { name } of learners) {
    if (!/^[a-z][a-z0-9-]*$/.test(name)) {
      throw new ConfigError("BAD_NAME", `a learner's name has small letters, digits and "-", not "${name}"`);
    }
    if (seen.has(name))
      throw new ConfigError("BAD_NAME", `two learners of the run are called "${name}"; leave one out`);
    seen.add(name);
  }
}

function checkScenario({ name, tasks }: Scenario): void {
  if (tasks.length === 0) throw new ConfigError("EMPTY_SCENARIO", `scenario ${name} has no tasks`);
  const wrong = tasks.findIndex(({ id }, position) => id !== position);
  if (wrong >= 0) {
    throw new ConfigError(
      "BAD_SCENARIO",
      `task ${tasks[wrong]!.id} of scenario ${name} stands at position ${wrong}`,
    );
  }
  const twice = tasks.find((task) => tasks.findIndex((other) => other.name === task.name) !== task.id);
  if (twice !== undefined) {
    const first = tasks.findIndex((other) => other.name === twice.name);
    throw new ConfigError(
      "BAD_SCENARIO",
      `${taskInWords(twice)} of scenario ${name} is called as task ${first} is; give each a name of its own`,
    );
  }
  for (const task of tasks) checkTask(task, ["train", "validation", "test"]);
}

async function runAll(
  scenario: Scenario,
  learners: readonly Learner[],
  options: RunOptions,
  folder: RunFolder | null,
): Promise<RunResult> {
  const clock = options.clock ?? (() => performance.now() / 1000);
  const signal = options.signal ?? new AbortController().signal;
  const unlearned = options.unlearned ?? "next";
  const { name: backend, precision } = options.backend;
  const identity = folder && {
    settings: jsonCopy(options.settings ?? null, "settings"),
    backend,
    precision,
    unlearned,
    tasks: await identifyTasks(scenario, signal),
  };
  const runs = learners.map((learner, i) => {
    const isMethod = i === 0;
    return new LearnerRun({
      scenario,
      learner,
      makeLearner: isMethod ? (options.makeLearner ?? null) : null,
      checkpoints: folder?.checkpoints(isMethod ? null : learner.name) ?? null,
      keep: isMethod ? "all" : "newest",
      seed: options.seed,
      backend: options.backend,
      signal,
      unlearned,
      checkpointSeconds: options.checkpointSeconds ?? 5,
      clock,
      identity,
    });
  });

  // Learners run one after the other, so the events stand where the last of them that has a checkpoint left them.
  let position: EventPosition = firstPosition;
  for (const [i, { name }] of learners.entries()) {
    await folder?.checkpoints(i === 0 ? null : name).prepare();
    position = (await runs[i]!.load()) ?? position;
  }
  const log = new EventLog({
    path: folder?.events ?? null,
    position,
    clock,
    listener: options.events ?? (() => undefined),
  });
  try {
    const warnings: RunEventBody[] = folder === null ? [] : await diskWarnings(folder, log);
    for (const event of warnings) log.emit(learners[0]!.name, event);
    const records: RunRecord[] = [];
    for (const each of runs) records.push(await each.finish(log));
    const found = withWarnings(assemble(scenario, records, options), warnings);
    if (folder === null) return found;
    const { verifier } = options;
    if (verifier === undefined) {
      await folder.writeResult(found);
      return found;
    }
    // First, so that nothing that befalls the check takes the result of hours with it.
    await folder.writeResult({ ...withWarnings(found, [checkPending]), isCheckPending: true });
    const result = await verified(found, verifier, folder, log);
    await folder.writeResult(result);
    return result;
  } finally {
    log.close();
  }
}

/** Asked once, where the run begins: what is written later goes to the same disk. */
async function diskWarnings({ path }: RunFolder, log: EventLog): Promise<RunEventBody[]> {
  const refused = log.flush() ?? (await flushFolder(path));
  return refused === null ? [] : [{ type: "warning", message: unsyncedWarning(path, refused) }];
}

function assemble(scenario: Scenario, records: readonly RunRecord[], options: RunOptions): RunResult {
  const joint = records.slice(1).find(({ learner }) => learner === (options.joint ?? "joint"));
  const random = scenario.tasks.map(({ train, test, classes }) =>
    randomAccuracy(train, test, classes.length),
  );
  const [method, ...controls] = records.map((record): LearnerResult =>
    summarise(record, joint === undefined ? null : meanForgettingRatios(record.matrix, random, joint.matrix)),
  );
  return {
    format: "milliner-result",
    version: 1,
    scenario: scenario.name,
    learner: records[0]!.learner,
    seed: options.seed,
    precision: options.backend.precision,
    ...method!,
    bitExactCheckedIn: options.makeLearner === undefined ? "memory" : "checkpoint",
    isCheckPending: false,
    controls: Object.fromEntries(controls.map((control, i) => [records[i + 1]!.learner, control])),
  };
}

const checkPending: RunEventBody = {
  type: "warning",
  message:
    "the run ended before its check in a fresh process had: what was checked here counts; resume the run, and it is checked",
};

/** The result with what a fresh process finds of it, or with the warning that there was none. */
async function verified(
  found: RunResult,
  verifier: (folder: string) => Promise<Verification>,
  { path }: RunFolder,
  log: EventLog,
): Promise<RunResult> {
  let verification: Verification | undefined;
  let events: readonly RunEventBody[];
  try {
    verification = await verifier(path);
    events = verificationEvents(found, verification);
  } catch (error) {
    if (errorCode(error) !== "NO_FRESH_PROCESS") throw error;
    events = [{ type: "warning", message: (error as CheckpointError).message }];
  }
  for (const event of events) log.emit(found.learner, event);
  const result = withWarnings(found, events);
  return verification === undefined ? result : withVerification(result, verification);
}

/** What a fresh process found broken that had not been seen here. */
function verificationEvents(result: RunResult, verification: Verification): readonly RunEventBody[] {
  if (!promisesBits(result)) return [];
  const { learner, tasks, bitExactOldLogits, lockedUnchanged } = result;
  const changed = verification.tasks.filter(({ expected, found }) => expected !== found);
  return brokenPromiseEvents(
    learner,
    tasks.length - 1,
    bitExactOldLogits ? changed.map(({ task }) => task) : [],
    lockedUnchanged === false || verification.lockedUnchanged !== false,
  );
}

function withWarnings(result: RunResult, events: readonly RunEventBody[]): RunResult {
  const said = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  return { ...result, warnings: [...result.warnings, ...said] };
}

function withVerification(result: RunResult, verification: Verification): RunResult {
  return {
    ...result,
    bitExactOldLogits: result.bitExactOldLogits && verification.bitExactOldLogits,
    lockedUnchanged:
      result.lockedUnchanged === null || verification.lockedUnchanged === null
        ? result.lockedUnchanged
        : result.lockedUnchanged && verification.lockedUnchanged,
    bitExactCheckedIn: "fresh-process",
  };
}
