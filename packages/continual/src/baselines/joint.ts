import {
  checkKeys,
  ConfigError,
  forward,
  onBackend,
  tensor,
  tidy,
  type Tape,
  type Tensor,
} from "@milliner/core";
import { add } from "@milliner/core/operations";
import { checkTask } from "../check-task.ts";
import { checkSchedule, fit, loadFit, publishedSchedule, saveFit, startFit, type FitState } from "../fit.ts";
import type { CheckpointReader, CheckpointWriter, Learner, RunContext, TaskRecord } from "../learner.ts";
import {
  multiHeadTrainingKeys,
  trainingSettings,
  type MultiHeadTrainingOptions,
} from "../multi-head-training.ts";
import { MultiHead } from "../multi-head.ts";
import { joinSplits } from "../split.ts";
import { supervised } from "../supervised.ts";
import { taskInWords, type Scenario, type Split, type Task } from "../task.ts";

/** What joint training is made of. */
export interface JointOptions extends MultiHeadTrainingOptions {
  /** The tasks: it sees the data of earlier ones again, which a method of continual learning may not. */
  readonly scenario: Scenario;
}

// Far below every logit, and so that exp of the difference is exactly 0: such classes get neither probability nor gradient.
const outOfTheQuestion = -1e30;

/**
 * Joint training: for each task t a fresh net, from the same start, is trained on the union of tasks 0..t, with a head each.
 * Batches mix the tasks; the loss is the mean cross-entropy of each sample in its own task's head. What a method would reach
 * without having to remember, and the reference of the forgetting ratio. T tasks cost T (T + 1) / 2 times the training of one.
 *
 * Source: Serrà et al. 2018, section 3; joansj/hat, `src/approaches/joint.py`.
 */
export class JointLearner implements Learner {
  readonly name = "joint";
  readonly #options: JointOptions;
  #heads: MultiHead;
  #fit: FitState | null = null;

  constructor(options: JointOptions) {
    checkKeys("JointLearner", options, { ...multiHeadTrainingKeys, scenario: true });
    checkSchedule(options.schedule ?? publishedSchedule);
    this.#options = options;
    this.#heads = this.#fresh();
  }

  #fresh(): MultiHead {
    const { scenario: _, schedule: __, ...heads } = this.#options;
    return new MultiHead(heads);
  }

  get settings(): Readonly<Record<string, unknown>> {
    return trainingSettings(this.#options);
  }

  async learn(task: Task, run: RunContext): Promise<TaskRecord> {
    const { scenario, schedule = publishedSchedule, backend } = this.#options;
    const tasks = [...scenario.tasks.slice(0, task.id), task];
    if (scenario.tasks[task.id]?.name !== task.name) {
      throw new ConfigError("TASK_UNKNOWN", `${taskInWords(task)} is not in scenario ${scenario.name}`);
    }
    for (const each of tasks) checkTask(each, ["train", "validation"]);
    if (this.#fit?.task !== task.id) {
      if (this.#heads.tasks.includes(task.id)) {
        throw new ConfigError("TASK_LEARNED", `${taskInWords(task)} has been learned already`);
      }
      this.#fit = startFit(task, schedule, this.#fit);
      this.#heads.dispose();
      this.#heads = this.#fresh();
      for (const { id, classes } of tasks) this.#heads.addTask(id, classes.length);
    }
    const union = unionOf(tasks);
    const { parameters } = this.#heads;
    const trainable = supervised({
      network: this.#heads.allHeads(),
      parameters,
      trained: parameters,
      validation: union.validation,
      backend,
      seed: run.seed,
      stepsBefore: 0,
      mask: (logits, labels, tape) => inOwnHead(logits, labels, tasks, tape),
    });
    const epochs = await fit(union, schedule, trainable, this.#fit, run, backend);
    this.#fit = null;
    return { epochs, notes: {} };
  }

  logits(task: number, images: Tensor): Tensor {
    const { backend } = this.#options;
    return tidy(() => forward(this.#heads.network(task), this.#heads.parameters, onBackend(images, backend)));
  }

  /** Nothing is locked: each task begins anew. */
  lockedHash(): null {
    return null;
  }

  async save(into: CheckpointWriter): Promise<void> {
    this.#heads.save(into);
    saveFit(this.#fit, into);
  }

  async load(from: CheckpointReader): Promise<void> {
    const heads = this.#heads.read(from);
    const fitState = loadFit(from, heads);
    heads.take();
    this.#fit = fitState;
  }

  dispose(): void {
    this.#heads.dispose();
    this.#fit = null;
  }
}

function labelOffsets(tasks: readonly Task[]): readonly number[] {
  let next = 0;
  return tasks.map(({ classes }) => {
    const offset = next;
    next += classes.length;
    return offset;
  });
}

/** The last task with the images of all: labels count through the classes of all heads, side by side. */
function unionOf(tasks: readonly Task[]): Task {
  const offsets = labelOffsets(tasks);
  const join = (part: (task: Task) => Split): Split => joinSplits(tasks.map(part), offsets);
  const { id, name, test } = tasks.at(-1)!;
  return {
    id,
    name,
    classes: tasks.flatMap(({ classes }) => classes),
    transform: "none", // each image has gone through its own task's
    train: join(({ train }) => train),
    validation: join(({ validation }) => validation),
    test, // nobody asks for it
  };
}

/** The logits of all heads [n, classes of all], with those outside of the head that a sample's label belongs to ruled out. */
function inOwnHead(logits: Tensor, labels: Int32Array, tasks: readonly Task[], tape?: Tape): Tensor {
  const [n, width] = logits.shape as [number, number];
  const offsets = labelOffsets(tasks);
  const mask = new Float32Array(n * width).fill(outOfTheQuestion);
  labels.forEach((label, row) => {
    const head = offsets.findLastIndex((offset) => offset <= label);
    mask.fill(0, row * width + offsets[head]!, row * width + offsets[head]! + tasks[head]!.classes.length);
  });
  return add(logits, tensor(mask, logits.shape, { backend: logits.backend }), tape);
}
