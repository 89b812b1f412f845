import {
  checkKeys,
  checkNumber,
  CheckpointError,
  ConfigError,
  elements,
  NumericError,
  smallestNormal,
  Stream,
  tidy,
  type Backend,
  type Shape,
  type Tensor,
} from "@milliner/core";
import { readBatch } from "./batches.ts";
import { checkTask } from "./check-task.ts";
import type { CheckpointReader, CheckpointWriter, RunContext } from "./learner.ts";
import { located } from "./located.ts";
import { storedFloats } from "./stored-floats.ts";
import { brief, StoredJson } from "./stored-json.ts";
import { taskInWords, type Task } from "./task.ts";
import { checkWhole } from "./whole-number.ts";

/**
 * The published schedule: SGD with a patience. After `lrPatience` epochs without a better validation loss the learning rate
 * is divided by `lrFactor`; below `lrMin` the task ends. The best state is restored at the end.
 */
export interface Schedule {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly lrFactor: number;
  readonly lrPatience: number;
  readonly lrMin: number;
}

/** Serrà et al. 2018, section 3: batch 64, lr 0.05, divided by 3 after 5 epochs, stop below 1e-4 or at 200 epochs. */
export const publishedSchedule: Schedule = {
  epochs: 200,
  batchSize: 64,
  lr: 0.05,
  lrFactor: 3,
  lrPatience: 5,
  lrMin: 1e-4,
};

/** One batch of a task's training set. */
export interface Batch {
  /** [n, height, width, channels]; freed after the step */
  readonly images: Tensor;
  readonly labels: Int32Array;
  /** Position of the batch within its epoch, 0 up, and how many there are. */
  readonly batch: number;
  readonly batches: number;
  /** Position of its first sample within the epoch, and how many there are. */
  readonly sample: number;
  readonly samples: number;
  /** Steps of this task before this one: counts dropout. */
  readonly step: number;
  readonly lr: number;
}

/** What a method gives to `fit`. Both functions run inside a `tidy`. */
export interface Trainable {
  /** One training step; returns the loss before it, the mean over the images of its batch. */
  step(batch: Batch): number;
  /** Loss and accuracy on the validation set, as the schedule judges them. */
  validate(): { readonly loss: number; readonly accuracy: number };
  /** The tensors that make up the state which the schedule keeps and restores, in a fixed order. */
  state(): ReadonlyMap<string, Tensor>;
}

/** Where a task's training stands. A learner keeps it while it learns, saves it, and gives it back to `fit`. */
export interface FitState {
  readonly task: number;
  epoch: number;
  step: number;
  lr: number;
  patience: number;
  bestLoss: number;
  best: Map<string, Float32Array> | null;
  /** Between two ends of an epoch: what was trained of it cannot be trained again with the same bits. */
  isWithinEpoch: boolean;
}

/**
 * The state before the first epoch.
 * @param unfinished - the state of a task that was begun and not ended, if there is one
 * @throws ConfigError (`TASK_UNFINISHED`) when there is one; (`EMPTY_SPLIT`, `BAD_SPLIT`, `BAD_LABEL`) when the task cannot be
 *   learned from its splits
 */
export function startFit(task: Task, schedule: Schedule, unfinished: FitState | null = null): FitState {
  if (unfinished !== null) {
    throw new ConfigError(
      "TASK_UNFINISHED",
      `task ${unfinished.task} was begun and not ended; finish it, or load a checkpoint, before task ${task.id}`,
    );
  }
  checkTask(task, ["train", "validation"]);
  const { lr, lrPatience } = schedule;
  return {
    task: task.id,
    epoch: 0,
    step: 0,
    lr,
    patience: lrPatience,
    bestLoss: Infinity,
    best: null,
    isWithinEpoch: false,
  };
}

/**
 * Writes the state and the tensors that it speaks of under `fit/`.
 * @throws ConfigError (`TASK_UNFINISHED`) within an epoch: what was loaded from it would end in other bits
 */
export function saveFit(state: FitState | null, into: CheckpointWriter): void {
  if (state === null) {
    into.json("fit", null);
    return;
  }
  const { best, bestLoss, isWithinEpoch, ...rest } = state;
  if (isWithinEpoch) {
    throw new ConfigError(
      "TASK_UNFINISHED",
      `task ${state.task} is within epoch ${state.epoch + 1}, and what is saved of an epoch cannot be gone on with; save at the ` +
        `end of an epoch, or load the checkpoint that was written there`,
    );
  }
  // JSON knows no Infinity.
  into.json("fit", {
    ...rest,
    bestLoss: Number.isFinite(bestLoss) ? bestLoss : null,
    best: best === null ? null : [...best.keys()],
  });
  for (const [name, values] of best ?? []) into.array(`fit/best/${name}`, [values.length], values);
}

/** What a saved state has to fit: the tasks that have been begun, and shapes of all that is trained, by name. */
export interface TrainedParameters {
  readonly tasks: readonly number[];
  readonly shapes: ReadonlyMap<string, Shape>;
}

/**
 * Reads what `saveFit` wrote.
 * @throws CheckpointError when it is not that, contradicts itself, or does not fit `trained`
 */
export function loadFit(from: CheckpointReader, trained: TrainedParameters): FitState | null {
  const value = from.json("fit");
  if (value === null) return null;
  const saved = new StoredJson(value, `"fit" of the checkpoint`);
  const names = saved.nullable("best", () => saved.list("best", (entry) => entry.string("value")));
  const state: FitState = {
    task: saved.whole("task"),
    epoch: saved.whole("epoch"),
    step: saved.whole("step"),
    lr: saved.number("lr"),
    patience: saved.whole("patience"),
    bestLoss: saved.nullable("bestLoss", (key) => saved.number(key)) ?? Infinity,
    best: names === null ? null : new Map(names.map((name) => [name, bestValues(name, from, trained)])),
    isWithinEpoch: false,
  };
  // The first epoch always leaves a best state: its loss is finite, and so below the Infinity that it begins with.
  const ended = state.epoch > 0;
  if (
    !(state.lr >= 0 && state.lr < Infinity) ||
    state.patience < 1 ||
    Number.isFinite(state.bestLoss) !== ended ||
    (names !== null) !== ended
  ) {
    throw new CheckpointError(
      "BAD_VALUE",
      `"fit" of the checkpoint contradicts itself: ${state.epoch} epochs, lr ${state.lr}, patience ${state.patience}, ` +
        `best loss ${state.bestLoss}, ${names === null ? "no" : names.length} best values`,
    );
  }
  if (!trained.tasks.includes(state.task)) {
    throw new CheckpointError(
      "BAD_VALUE",
      `the checkpoint was written within task ${state.task}, of which it has nothing else`,
    );
  }
  return state;
}

function bestValues(name: string, from: CheckpointReader, { shapes }: TrainedParameters): Float32Array {
  const shape = shapes.get(name);
  if (shape === undefined) {
    throw new CheckpointError(
      "DOES_NOT_FIT",
      `the checkpoint has best values of ${brief(name)}, and nothing that is trained is called so; was it written for another body?`,
    );
  }
  return storedFloats(from, `fit/best/${name}`, [elements(shape)]);
}

function checkBest({ best }: FitState, trainable: Trainable): void {
  if (best === null) return;
  const state = trainable.state();
  const wrong =
    [...best.keys()].find((name) => !state.has(name)) ??
    [...state].find(([name, { data }]) => best.get(name)?.length !== data.length)?.[0];
  if (wrong === undefined) return;
  throw new CheckpointError(
    "DOES_NOT_FIT",
    `the best state of the checkpoint has ${best.get(wrong)?.length ?? "no"} values of "${wrong}", but what is trained has ` +
      `${state.get(wrong)?.data.length ?? "none"}; was it written for another width or body?`,
  );
}

/**
 * Refuses a schedule that makes no sense. Learners call it when they are made, so that nothing has been written by then.
 * @throws ConfigError (`BAD_VALUE`, `UNKNOWN_KEY`) that names the setting
 */
export function checkSchedule(schedule: Schedule): void {
  checkKeys("a schedule", schedule, {
    epochs: true,
    batchSize: true,
    lr: true,
    lrFactor: true,
    lrPatience: true,
    lrMin: true,
  });
  for (const name of ["epochs", "batchSize", "lrPatience"] as const) checkWhole(name, schedule[name], 1);
  const { lr, lrFactor, lrMin } = schedule;
  checkNumber("lr", lr, { above: 0 });
  checkNumber("lrFactor", lrFactor, { above: 1 });
  checkNumber("lrMin", lrMin, { from: 0 });
  if (lr < lrMin) {
    throw new ConfigError(
      "BAD_VALUE",
      `lr is ${lr} and lrMin ${lrMin}, below which a task ends: nothing would be learned; make lr larger or lrMin smaller`,
    );
  }
}

/**
 * Trains until the schedule ends, then puts the best state back. The order of the samples is a fresh permutation per epoch
 * from the stream `shuffle/TASK`; the last batch may be smaller and is used.
 *
 * @param state - from `startFit`, or from a checkpoint that was written at the end of an epoch; changed as it goes
 * @returns the number of epochs
 * @throws NumericError (`NON_FINITE_LOSS`, `NON_FINITE_GRADIENT`, `NON_FINITE_DATA`, `NON_FINITE_LOGITS`) that names task, epoch
 *   and batch; that step has not been applied
 * @throws ConfigError (`TASK_UNFINISHED`) for a state within an epoch, which an abort or an error leaves; (`BAD_VALUE`,
 *   `EMPTY_SPLIT`, `BAD_SPLIT`, `BAD_LABEL`) for a schedule that makes no sense, or a task without images or with splits that cannot
 *   be what they say
 * @throws CheckpointError (`DOES_NOT_FIT`) when the best state is not one of what is trained
 */
export async function fit(
  task: Task,
  schedule: Schedule,
  trainable: Trainable,
  state: FitState,
  run: RunContext,
  backend: Backend,
): Promise<number> {
  checkSchedule(schedule);
  checkTask(task, ["train", "validation"]); // once more: where a checkpoint is gone on with, `startFit` has not seen it
  checkBest(state, trainable);
  if (state.isWithinEpoch) {
    throw new ConfigError(
      "TASK_UNFINISHED",
      `${taskInWords(task)} was stopped within epoch ${state.epoch + 1}; load a checkpoint to go on`,
    );
  }
  const { train } = task;
  const { epochs } = schedule;
  const batches = Math.ceil(train.size / schedule.batchSize);
  const shuffle = new Stream(run.seed, `shuffle/${task.id}`);
  const place = (where: string): string => `${taskInWords(task)}, epoch ${state.epoch + 1}, ${where}`;
  const finite = (loss: number, where: string): void => {
    if (Number.isFinite(loss)) return;
    throw new NumericError("NON_FINITE_LOSS", `the loss became ${loss} in ${place(where)}; try a smaller lr`);
  };
  if (state.epoch === 0) run.events({ type: "task-started", task: task.id, name: task.name, epochs });
  // Below it a rate is 0 to the kernels.
  const lrMin = Math.max(schedule.lrMin, smallestNormal);
  while (state.epoch < epochs && state.lr >= lrMin) {
    state.isWithinEpoch = true;
    const order = shuffle.permutation(train.size, state.epoch);
    let total = 0;
    for (let batch = 0; batch < batches; batch++) {
      const sample = batch * schedule.batchSize;
      const indices = order.subarray(sample, sample + schedule.batchSize);
      const where = `batch ${batch + 1} of ${batches}`;
      const loss = located(
        () => place(where),
        () =>
          tidy(() =>
            trainable.step({
              ...readBatch(train, indices, backend),
              batch,
              batches,
              sample,
              samples: train.size,
              step: state.step,
              lr: state.lr,
            }),
          ),
      );
      finite(loss, where);
      total += loss * indices.length; // a mean over its batch, and the last one may be smaller
      state.step += 1;
      if (batch % 16 === 0) {
        run.events({
          type: "progress",
          task: task.id,
          epoch: state.epoch,
          epochs,
          fraction: batch / batches,
        });
      }
      await run.pause();
    }
    const { loss, accuracy } = located(
      () => place("validation"),
      () => tidy(() => trainable.validate()),
    );
    finite(loss, "validation");
    run.events({
      type: "epoch-ended",
      task: task.id,
      epoch: state.epoch,
      epochs,
      lr: state.lr,
      trainLoss: total / train.size,
      validationLoss: loss,
      validationAccuracy: accuracy,
    });
    if (loss < state.bestLoss) {
      state.bestLoss = loss;
      state.patience = schedule.lrPatience;
      state.best = new Map([...trainable.state()].map(([name, t]) => [name, t.toArray()]));
    } else {
      state.patience -= 1;
      if (state.patience <= 0) {
        state.lr /= schedule.lrFactor;
        state.patience = schedule.lrPatience;
      }
    }
    state.epoch += 1;
    state.isWithinEpoch = false;
    await run.checkpoint();
  }
  for (const [name, t] of trainable.state()) {
    t.data.set(state.best?.get(name) ?? t.data);
    t.written();
  }
  return state.epoch;
}
