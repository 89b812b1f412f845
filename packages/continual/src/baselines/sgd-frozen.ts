import type { Tensor } from "@milliner/core";
import type { CheckpointReader, CheckpointWriter, Learner, RunContext, TaskRecord } from "../learner.ts";
import { MultiHeadTraining, type MultiHeadTrainingOptions } from "../multi-head-training.ts";
import { hashParameters } from "../parameters-hash.ts";
import type { Task } from "../task.ts";

/**
 * SGD-F: the first task trains the body and its head; from then on only heads are trained. Nothing is forgotten, and the
 * body knows one task only, so the order of tasks matters.
 *
 * Source: Serrà et al. 2018, section 3 ("SGD-F").
 */
export class SgdFrozenLearner implements Learner {
  readonly name = "sgd-frozen";
  readonly #training: MultiHeadTraining;

  constructor(options: MultiHeadTrainingOptions) {
    this.#training = new MultiHeadTraining(options, "SgdFrozenLearner");
  }

  get settings(): Readonly<Record<string, unknown>> {
    return this.#training.settings;
  }

  learn(task: Task, run: RunContext): Promise<TaskRecord> {
    const first = this.#training.heads.tasks[0] ?? task.id;
    return this.#training.learn(task, run, task.id === first ? "body-and-head" : "head");
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
