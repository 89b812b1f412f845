import type { Tensor } from "@milliner/core";
import type { CheckpointReader, CheckpointWriter, Learner, RunContext, TaskRecord } from "../learner.ts";
import { MultiHeadTraining, type MultiHeadTrainingOptions } from "../multi-head-training.ts";
import type { Task } from "../task.ts";

/**
 * SGD, or finetuning: each task is trained on the shared body as the one before left it, with a head of its own. Nothing
 * protects the earlier tasks. The reference for how much there is to forget.
 *
 * Source: Serrà et al. 2018, section 3 ("SGD").
 */
export class SgdLearner implements Learner {
  readonly name = "sgd";
  readonly #training: MultiHeadTraining;

  constructor(options: MultiHeadTrainingOptions) {
    this.#training = new MultiHeadTraining(options, "SgdLearner");
  }

  get settings(): Readonly<Record<string, unknown>> {
    return this.#training.settings;
  }

  learn(task: Task, run: RunContext): Promise<TaskRecord> {
    return this.#training.learn(task, run, "body-and-head");
  }

  logits(task: number, images: Tensor): Tensor {
    return this.#training.logits(task, images);
  }

  untrainedLogits(task: Task, images: Tensor): Tensor {
    return this.#training.untrainedLogits(task, images);
  }

  /** Nothing is locked. */
  lockedHash(): null {
    return null;
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
