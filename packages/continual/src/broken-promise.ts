import { MillinerError } from "@milliner/core";
import type { RunEventBody } from "./events.ts";
import type { LearnerResult, RunResult } from "./result.ts";

/**
 * A learner that promises bits, because it locks elements (`lockedHash` is not null), has changed them. The run went to its end
 * all the same, and all that it writes has been written.
 */
export class BrokenPromiseError extends MillinerError {
  /** What came of the run, as `run` would have returned it. */
  readonly result: RunResult;

  constructor(code: "PROMISE_BROKEN", message: string, result: RunResult) {
    super(code, message);
    this.result = result;
  }
}

/**
 * Whether a learner promises bits: it does exactly when it locks elements, of any task. (`lockedUnchanged` is null where the locks of
 * no earlier task were there to be compared.)
 */
export function promisesBits(
  result: Pick<LearnerResult, "lockedHash"> & Partial<Pick<LearnerResult, "lockedUnchanged">>,
): boolean {
  return result.lockedHash !== null || (result.lockedUnchanged ?? null) !== null;
}

/** The event of a promise that did not hold, and the warning that goes with it. */
export function brokenPromiseEvents(
  learner: string,
  afterTask: number,
  tasks: readonly number[],
  lockedUnchanged: boolean,
): readonly (RunEventBody & { readonly type: "promise-broken" | "warning" })[] {
  const changed = [
    ...(tasks.length === 0
      ? []
      : [`test logits of task${tasks.length === 1 ? "" : "s"} ${tasks.join(", ")} have changed`]),
    ...(lockedUnchanged ? [] : ["locked elements have changed"]),
  ];
  if (changed.length === 0) return [];
  return [
    { type: "promise-broken", afterTask, tasks, lockedUnchanged },
    {
      type: "warning",
      message: `"${learner}" broke its promise: after task ${afterTask} ${changed.join(", and ")}`,
    },
  ];
}

/**
 * Who broke a promise in a run, the method first, and what has changed: a sentence each. A learner that locks nothing promises
 * nothing, so that none of it is said of it.
 */
export function brokenPromises(run: RunResult): readonly string[] {
  const learners: readonly (readonly [string, LearnerResult])[] = [
    [run.learner, run],
    ...Object.entries(run.controls),
  ];
  return learners.flatMap(([learner, result]) => {
    if (!promisesBits(result)) return [];
    const { bitExactOldLogits, lockedUnchanged } = result;
    const changed = [
      ...(bitExactOldLogits ? [] : ["test logits of earlier tasks"]),
      ...(lockedUnchanged === false ? ["locked elements"] : []),
    ];
    return changed.length === 0 ? [] : [`"${learner}" changed ${changed.join(" and ")}`];
  });
}

/**
 * Gives a result back, or throws for the promises that were broken in its run.
 * @throws BrokenPromiseError (`PROMISE_BROKEN`)
 */
export function withPromisesKept(result: RunResult, onBrokenPromise: "throw" | "warn"): RunResult {
  const broken = brokenPromises(result);
  if (broken.length === 0 || onBrokenPromise === "warn") return result;
  throw new BrokenPromiseError(
    "PROMISE_BROKEN",
    `${broken.join("; ")}: a promise was broken, so do not rely on what it learned; the warnings of the result name the tasks`,
    result,
  );
}
