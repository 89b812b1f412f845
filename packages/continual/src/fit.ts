import { ConfigError, NumericError, Stream, Tensor, tidy, type Backend } from "@milliner/core";
import type { CheckpointReader, CheckpointWriter, RunContext } from "./learner.ts";
import type { Split, Task } from "./task.ts";

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
  /** One training step; returns the loss before it. */
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
}

/** The state before the first epoch. */
export function startFit(task: Task, schedule: Schedule): FitState {
  const { lr, lrPatience } = schedule;
  return { task: task.id, epoch: 0, step: 0, lr, patience: lrPatience, bestLoss: Infinity, best: null };
}

/** Writes the state and the tensors that it speaks of under `fit/`. */
export function saveFit(state: FitState | null, into: CheckpointWriter): void {
  if (state === null) {
    into.json("fit", null);
    return;
  }
  const { best, bestLoss, ...rest } = state;
  // JSON knows no Infinity.
  into.json("fit", {
    ...rest,
    bestLoss: Number.isFinite(bestLoss) ? bestLoss : null,
    best: best === null ? null : [...best.keys()],
  });
  for (const [name, values] of best ?? []) into.array(`fit/best/${name}`, [values.length], values);
}

/** Reads what `saveFit` wrote. */
export function loadFit(from: CheckpointReader): FitState | null {
  const saved = from.json("fit") as
    | (Omit<FitState, "best" | "bestLoss"> & { bestLoss: number | null; best: string[] | null })
    | null;
  if (saved === null) return null;
  const best =
    saved.best === null
      ? null
      : new Map(saved.best.map((name) => [name, Float32Array.from(from.array(`fit/best/${name}`).data)]));
  return { ...saved, bestLoss: saved.bestLoss ?? Infinity, best };
}

function checkSchedule(schedule: Schedule): void {
  const { epochs, batchSize, lr, lrFactor } = schedule;
  for (const [name, value] of [
    ["epochs", epochs],
    ["batchSize", batchSize],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ConfigError("BAD_VALUE", `${name} must be a whole number from 1 up, not ${value}`);
    }
  }
  if (!(lr > 0 && lrFactor > 1))
    throw new ConfigError("BAD_VALUE", `lr must be above 0 and lrFactor above 1, not ${lr} and ${lrFactor}`);
}

function readBatch(
  split: Split,
  indices: Uint32Array,
  backend: Backend,
): { images: Tensor; labels: Int32Array } {
  const images = new Tensor([indices.length, ...split.shape], { backend });
  split.read(indices, images.data);
  return { images, labels: Int32Array.from(indices, (index) => split.labels[index]!) };
}

/** Calls `visit` with the split in order, `batchSize` images at a time, inside a `tidy`. */
export function forEachBatch(
  split: Split,
  batchSize: number,
  backend: Backend,
  visit: (images: Tensor, labels: Int32Array, first: number) => void,
): void {
  for (let first = 0; first < split.size; first += batchSize) {
    const count = Math.min(batchSize, split.size - first);
    tidy(() => {
      const { images, labels } = readBatch(
        split,
        Uint32Array.from({ length: count }, (_, i) => first + i),
        backend,
      );
      visit(images, labels, first);
    });
  }
}

/**
 * Trains until the schedule ends, then puts the best state back. The order of the samples is a fresh permutation per epoch
 * from the stream `shuffle/TASK`; the last batch may be smaller and is used.
 *
 * @param state - from `startFit`, or from a checkpoint that was written at the end of an epoch; changed as it goes
 * @returns the number of epochs
 * @throws NumericError when the loss becomes NaN or infinite
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
  const { train } = task;
  const batches = Math.ceil(train.size / schedule.batchSize);
  const shuffle = new Stream(run.seed, `shuffle/${task.id}`);
  while (state.epoch < schedule.epochs && state.lr >= schedule.lrMin) {
    const order = shuffle.permutation(train.size, state.epoch);
    let total = 0;
    for (let batch = 0; batch < batches; batch++) {
      const sample = batch * schedule.batchSize;
      const indices = order.subarray(sample, sample + schedule.batchSize);
      const loss = tidy(() =>
        trainable.step({
          ...readBatch(train, indices, backend),
          batch,
          batches,
          sample,
          samples: train.size,
          step: state.step,
          lr: state.lr,
        }),
      );
      if (!Number.isFinite(loss)) {
        throw new NumericError(
          "NON_FINITE_LOSS",
          `the loss became ${loss} in task ${task.id} ("${task.name}"), epoch ${state.epoch + 1}, batch ${batch + 1}; try a smaller lr`,
        );
      }
      total += loss;
      state.step += 1;
      if (batch % 16 === 0) {
        run.events({
          type: "progress",
          task: task.id,
          epoch: state.epoch,
          epochs: schedule.epochs,
          fraction: batch / batches,
        });
      }
      await run.pause();
    }
    const { loss, accuracy } = tidy(() => trainable.validate());
    run.events({
      type: "epoch-ended",
      task: task.id,
      epoch: state.epoch,
      epochs: schedule.epochs,
      lr: state.lr,
      trainLoss: total / batches,
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
    await run.checkpoint();
  }
  for (const [name, t] of trainable.state()) t.data.set(state.best?.get(name) ?? t.data);
  return state.epoch;
}
