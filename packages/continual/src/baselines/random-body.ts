import type { Tensor } from "@milliner/core";
import type { CheckpointReader, CheckpointWriter, Learner, RunContext, TaskRecord } from "../learner.ts";
import { MultiHeadTraining, type MultiHeadTrainingOptions } from "../multi-head-training.ts";
import { hashParameters } from "../parameters-hash.ts";
import type { Task } from "../task.ts";

/**
 * The body stays at its initialisation, heads are trained: what the features of chance are worth. A figure that is not above
 * this one shows nothing about learning.
 *
 * Source: methods.md, section 2.
 */
export class RandomBodyLearner implements Learner {
  readonly name = "random-body";
  readonly #training: MultiHeadTraining;

  constructor(options: MultiHeadTrainingOptions) {
    this.#training = new MultiHeadTraining(options, "RandomBodyLearner");
  }

  get settings(): Readonly<Record<string, unknown>> {
    return this.#training.settings;
  }

  learn(task: Task, run: RunContext): Promise<TaskRecord> {
    return this.#training.learn(task, run, "head");
  }

  logits(task: number, images: Tensor): Tensor {
    return this.#training.logits(task, images);
  }

  untrainedLogits(task: Task, images: Tensor): Tensor {
    return this.#training.untrainedLogits(task, images);
  }

  /** Everything but the heads of later tasks: body and heads are written while their own task is learned, and never again. */
  lockedHash(upTo: number): string {
    const { heads } = this.#training;
    const tasks = heads.tasks.filter((task) => task <= upTo);
    return hashParameters([
      ...heads.bodyParameters(),
      ...tasks.flatMap((task) => [...heads.headParameters(task)]),
    ]);
  }

  async save(into: CheckpointWriter): Promise<void> {
    this.#training.save(into);
  }

  async load(from: CheckpointReader): Promise<void> {
    this.#training.load(from);
  }

  dispose(): void {
    this.#training.dispose();
  }
}
