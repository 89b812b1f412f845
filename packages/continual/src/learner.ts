import type { Tensor } from "@milliner/core";
import type { EventSink } from "./events.ts";
import type { Task } from "./task.ts";

/** Typed arrays that a checkpoint holds, bit for bit. */
export type StoredArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

/** Takes everything that a learner needs to go on: named arrays, and named JSON values (plain objects, lists, texts, finite numbers). */
export interface CheckpointWriter {
  array(name: string, shape: readonly number[], data: StoredArray): void;
  json(name: string, value: unknown): void;
}

/** Gives back what was written. `array` and `json` throw CheckpointError for a name that is not there. */
export interface CheckpointReader {
  has(name: string): boolean;
  array(name: string): { readonly shape: readonly number[]; readonly data: StoredArray };
  json(name: string): unknown;
}

/** What a run gives to a learner. */
export interface RunContext {
  /** Every random number of the run derives from it, through named streams. */
  readonly seed: number;
  readonly events: EventSink;
  /** Aborted by Ctrl-C: `pause` throws then. */
  readonly signal: AbortSignal;
  /**
   * Called inside long loops, as often as every step: gives the event loop a turn when some 50 ms have passed since the
   * last one. Throws the signal's reason once it is aborted.
   */
  pause(): Promise<void>;
  /**
   * Called where the learner's `save` would give a complete picture, at the end of every epoch: the runner may call `save`
   * now. A learner that is loaded from it and told to `learn` the same task goes on from there, with the same bits.
   */
  checkpoint(): Promise<void>;
}

/** What a learner says about a task that it has learned. */
export interface TaskRecord {
  readonly epochs: number;
  /** Figures worth keeping, such as accuracy before and after hardening. */
  readonly notes: Readonly<Record<string, number>>;
}

/** A method of continual learning. It never prints and never touches the file system. */
export interface Learner {
  readonly name: string;
  /**
   * What it was made with that decides its bits and is not in its checkpoint otherwise: every setting with its value, as plain
   * JSON. A run goes on with a learner that has the same only. Of a method that leaves it out nobody can tell.
   */
  readonly settings?: Readonly<Record<string, unknown>>;
  /**
   * Learns the next task, or goes on with the one that a checkpoint was written in.
   * @throws ConfigError (`TASK_LEARNED`) when the task has been learned already; (`TASK_UNFINISHED`) after an abort or an
   *   error within an epoch, until a checkpoint is loaded
   */
  learn(task: Task, run: RunContext): Promise<TaskRecord>;
  /**
   * Logits [n, classes of that task] of images [n, height, width, channels], as an ordinary user would compute them: on the
   * learner's backend, wherever the images are.
   * @throws ConfigError (`TASK_UNKNOWN`) for a task that has not been learned
   */
  logits(task: number, images: Tensor): Tensor;
  /**
   * Logits of a task that has not been learned, with what would be its own (its head, its gates) at initialisation. Forward
   * transfer is measured with it. A method for which this means nothing leaves it out; its FWT is null then.
   */
  untrainedLogits?(task: Task, images: Tensor): Tensor;
  /**
   * SHA-256 over all elements that the tasks 0..`upTo` have locked, so that learning a task after `upTo` may not change it;
   * null for methods that lock nothing. Later tasks may lock more: those elements do not belong to it.
   */
  lockedHash(upTo: number): string | null;
  /**
   * Writes everything that learning and `logits` depend on. Changes nothing.
   * @throws ConfigError (`TASK_UNFINISHED`) within an epoch, as after an abort: there is no going on from there
   */
  save(into: CheckpointWriter): Promise<void>;
  /**
   * Becomes what the checkpoint says, whatever it was before.
   * @throws CheckpointError when it does not fit; nothing has changed then: logits, what `save` writes, and how learning goes on
   */
  load(from: CheckpointReader): Promise<void>;
  dispose(): void;
}
