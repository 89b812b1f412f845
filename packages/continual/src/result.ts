import type { Precision } from "@milliner/core";
import {
  averageAccuracy,
  backwardTransfer,
  forgetting,
  forwardTransfer,
  type AccuracyMatrix,
} from "./metrics.ts";
import type { RunRecord } from "./run-record.ts";

/** What came of one learner. Accuracies and shares are 0..1. */
export interface LearnerResult {
  /** Mean accuracy over the tasks at the end. */
  readonly acc: number;
  /** Backward transfer; null for a single task. */
  readonly bwt: number | null;
  /** Forward transfer; null for a single task, and for methods that cannot be asked about a task before learning it. */
  readonly fwt: number | null;
  readonly forgetting: number | null;
  /** `matrix[t][j]`: accuracy on task j after learning task t; null where it was not measured. */
  readonly matrix: AccuracyMatrix;
  /** Accuracy on each task before anything was learned; null where it was not measured. */
  readonly initial: readonly (number | null)[];
  /** Mean forgetting ratio after each task, where a control trained jointly; else null. */
  readonly forgettingRatio: readonly (number | null)[] | null;
  /** Whether the test logits of every task stayed, bit for bit, what they were when its training ended. */
  readonly bitExactOldLogits: boolean;
  /** SHA-256 over all locked elements at the end; null for methods that lock nothing. */
  readonly lockedHash: string | null;
  /** Whether the elements locked at the end of each task never changed afterwards; null for methods that lock nothing. */
  readonly lockedUnchanged: boolean | null;
  readonly tasks: readonly TaskResult[];
  /** From its start to its end, training and evaluation, without interruptions. */
  readonly seconds: number;
  readonly warnings: readonly string[];
}

/** What came of one task. */
export interface TaskResult {
  readonly name: string;
  readonly epochs: number;
  /** Training alone. */
  readonly seconds: number;
  /** Figures that the method noted. */
  readonly notes: Readonly<Record<string, number>>;
}

/** What came of a run: the figures of the method, and those of its controls by name. The content of `result.json`. */
export interface RunResult extends LearnerResult {
  readonly format: "milliner-result";
  readonly version: 1;
  readonly scenario: string;
  readonly learner: string;
  readonly seed: number;
  /** What fully connected products were computed in. Logits are what they were in this precision only. */
  readonly precision: Precision;
  /**
   * What the old logits were compared on: the learner as it stood in memory, another object that had loaded the checkpoint,
   * or at the end a fresh process that had.
   */
  readonly bitExactCheckedIn: "memory" | "checkpoint" | "fresh-process";
  /** Whether a check in a fresh process is still to come: the run ended before it had. Resumed, the run makes it and is done. */
  readonly isCheckPending: boolean;
  readonly controls: Readonly<Record<string, LearnerResult>>;
}

/** The figures of a learner that has learned all tasks. */
export function summarise(
  record: RunRecord,
  forgettingRatio: readonly (number | null)[] | null = null,
): LearnerResult {
  const { matrix, initial, learned } = record;
  return {
    acc: averageAccuracy(matrix),
    bwt: backwardTransfer(matrix),
    fwt: forwardTransfer(matrix, initial),
    forgetting: forgetting(matrix),
    matrix,
    initial,
    forgettingRatio,
    bitExactOldLogits: record.bitExactOldLogits,
    lockedHash: learned.at(-1)?.lockedHash ?? null,
    lockedUnchanged: record.lockedUnchanged,
    tasks: learned.map(({ name, epochs, seconds, notes }) => ({ name, epochs, seconds, notes })),
    seconds: record.events.seconds - record.began,
    warnings: record.warnings,
  };
}
