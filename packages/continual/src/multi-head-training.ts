import {
  checkKeys,
  ConfigError,
  forward,
  onBackend,
  tidy,
  type OptionKeys,
  type Tensor,
} from "@milliner/core";
import {
  checkSchedule,
  fit,
  loadFit,
  publishedSchedule,
  saveFit,
  startFit,
  type FitState,
  type Schedule,
} from "./fit.ts";
import type { CheckpointReader, CheckpointWriter, RunContext, TaskRecord } from "./learner.ts";
import { MultiHead, multiHeadKeys, type MultiHeadOptions } from "./multi-head.ts";
import { StoredJson } from "./stored-json.ts";
import { supervised } from "./supervised.ts";
import { taskInWords, type Task } from "./task.ts";

/** What a method with a shared body is made of. */
export interface MultiHeadTrainingOptions extends MultiHeadOptions {
  /** Default: `publishedSchedule`. */
  readonly schedule?: Schedule;
}

/** All keys of `MultiHeadTrainingOptions`. */
export const multiHeadTrainingKeys: OptionKeys<MultiHeadTrainingOptions> = {
  ...multiHeadKeys,
  schedule: true,
};

/** Every setting with its value, see `Learner.settings`. */
export function trainingSettings({
  seed,
  schedule = publishedSchedule,
  initialiser = "uniform-fan-in",
}: MultiHeadTrainingOptions): Readonly<Record<string, unknown>> {
  return { seed, initialiser, schedule };
}

/**
 * Plain training of a body with a head per task, and the state that goes with it: what methods without gates or penalties
 * consist of. They decide which part a task trains.
 */
export class MultiHeadTraining {
  readonly heads: MultiHead;
  readonly #options: MultiHeadTrainingOptions;
  #fit: FitState | null = null;
  /** Steps of the tasks before: dropout is counted over all of them. */
  #steps = 0;

  /** @param owner - what a message about its options calls their taker */
  constructor(options: MultiHeadTrainingOptions, owner = "MultiHeadTraining") {
    checkKeys(owner, options, multiHeadTrainingKeys);
    const { schedule = publishedSchedule, ...heads } = options;
    checkSchedule(schedule);
    this.#options = options;
    this.heads = new MultiHead(heads);
  }

  /**
   * Learns a task with its own head and the body, or with the head alone: the body then runs without a tape and is never
   * written. Goes on where a checkpoint was written.
   * @throws ConfigError (`TASK_LEARNED`)
   */
  async learn(task: Task, run: RunContext, part: "body-and-head" | "head"): Promise<TaskRecord> {
    const { schedule = publishedSchedule, backend } = this.#options;
    if (this.#fit?.task !== task.id) {
      if (this.heads.tasks.includes(task.id)) {
        throw new ConfigError("TASK_LEARNED", `${taskInWords(task)} has been learned already`);
      }
      this.#fit = startFit(task, schedule, this.#fit);
      this.heads.addTask(task.id, task.classes.length);
    }
    const { heads } = this;
    const trainable = supervised({
      ...(part === "head"
        ? { network: heads.head(task.id), trained: heads.headParameters(task.id), frozen: heads.body }
        : { network: heads.network(task.id), trained: heads.parametersOf(task.id) }),
      parameters: heads.parameters,
      validation: task.validation,
      backend,
      seed: run.seed,
      stepsBefore: this.#steps,
    });
    const epochs = await fit(task, schedule, trainable, this.#fit, run, backend);
    this.#steps += this.#fit.step;
    this.#fit = null;
    return { epochs, notes: {} };
  }

  logits(task: number, images: Tensor): Tensor {
    const { backend } = this.#options;
    return tidy(() => forward(this.heads.network(task), this.heads.parameters, onBackend(images, backend)));
  }

  untrainedLogits(task: Task, images: Tensor): Tensor {
    const untrained = this.heads.untrained(task.id, task.classes.length);
    try {
      const { backend } = this.#options;
      return tidy(() => forward(untrained.network, untrained.parameters, onBackend(images, backend)));
    } finally {
      untrained.dispose();
    }
  }

  /** What a learner that is nothing but this says of itself. */
  get settings(): Readonly<Record<string, unknown>> {
    return trainingSettings(this.#options);
  }

  save(into: CheckpointWriter): void {
    this.heads.save(into);
    saveFit(this.#fit, into);
    into.json("training", { steps: this.#steps });
  }

  load(from: CheckpointReader): void {
    const heads = this.heads.read(from);
    const fitState = loadFit(from, heads);
    const steps = new StoredJson(from.json("training"), `"training" of the checkpoint`).whole("steps");
    heads.take();
    this.#fit = fitState;
    this.#steps = steps;
  }

  dispose(): void {
    this.heads.dispose();
    this.#fit = null;
  }
}
