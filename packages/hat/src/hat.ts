import {
  CheckpointError,
  ConfigError,
  forward,
  Locks,
  onBackend,
  tidy,
  UnitMasks,
  type Network,
  type Tensor,
} from "@milliner/core";
import {
  fit,
  loadFit,
  MultiHead,
  saveFit,
  startFit,
  StoredJson,
  taskInWords,
  type Batch,
  type CheckpointReader,
  type CheckpointWriter,
  type Evaluation,
  type FitState,
  type Learner,
  type RunContext,
  type Task,
  type TaskRecord,
} from "@milliner/continual";
import { gatedSpaces } from "./capacity.ts";
import { usedUnits } from "./cumulative.ts";
import {
  disposeEmbeddings,
  initialEmbeddings,
  loadEmbeddings,
  namedEmbeddings,
  saveEmbeddings,
  type Embeddings,
} from "./embeddings.ts";
import { hardGates, softGates } from "./gates.ts";
import { harden } from "./hardening.ts";
import { lockedHash } from "./locked-hash.ts";
import { loadMasks, saveMasks } from "./mask-storage.ts";
import { hatSettings, type HatOptions, type HatSettings } from "./options.ts";
import { protect } from "./protection.ts";
import type { CumulativeGates, Gates } from "./regulariser.ts";
import { selectionLoss } from "./selection.ts";
import { Sleep } from "./sleep.ts";
import { fullEvents, taskEvents } from "./task-events.ts";
import { TaskPlan } from "./task-plan.ts";
import { trainingStep } from "./training-step.ts";
import { untrainedLogits } from "./untrained.ts";

/**
 * Hard Attention to the Task. Per task: embeddings of the units are trained together with the weights, through gates that
 * are annealed from soft to hard in every epoch; at the end the units with a positive embedding are the task's, for good,
 * and the elements that they read are locked. Earlier tasks keep their logits bit for bit.
 */
export class Hat implements Learner {
  readonly name = "hat";
  readonly masks: UnitMasks;
  readonly #settings: HatSettings;
  readonly #heads: MultiHead;
  #locks = new Locks();
  #used: CumulativeGates = new Map();
  #embeddings: Embeddings | null = null;
  #fit: FitState | null = null;
  #steps = 0;
  readonly #sleep = new Sleep();
  readonly #plan = new TaskPlan();

  /** @throws ConfigError when a setting makes no sense */
  constructor(options: HatOptions) {
    this.#settings = hatSettings(options);
    const { body, backend, seed } = options;
    this.#heads = new MultiHead({ body, backend, seed });
    this.masks = new UnitMasks(gatedSpaces(options.body));
    this.#protectLearned();
  }

  /** Up to date. Who writes them calls `written`. */
  get parameters(): ReadonlyMap<string, Tensor> {
    this.#sleep.wake();
    return this.#heads.parameters;
  }

  /** Elements of the body that the next task may not write. */
  get locks(): Locks {
    return this.#locks;
  }

  /** All but the body, which checkpoints hold, and `sleep`, on which no bit depends. */
  get settings(): Readonly<Record<string, unknown>> {
    const { body: _, backend: __, sleep: ___, ...settings } = this.#settings;
    return settings;
  }

  network(task: number): Network {
    return this.#heads.network(task);
  }

  async learn(task: Task, run: RunContext): Promise<TaskRecord> {
    if (this.masks.has(task.id)) {
      throw new ConfigError("TASK_LEARNED", `${taskInWords(task)} has been learned already`);
    }
    const { schedule, backend } = this.#settings;
    if (this.#fit?.task !== task.id) this.#begin(task, run);
    const trainable = {
      step: (batch: Batch) => this.#step(task, batch, run),
      validate: () => this.#judge(task),
      state: () => this.#state(task),
    };
    const epochs = await fit(task, schedule, trainable, this.#fit!, run, backend);
    return { epochs, notes: this.#finish(task, run) };
  }

  #begin(task: Task, run: RunContext): void {
    this.#fit = startFit(task, this.#settings.schedule, this.#fit);
    this.#heads.addTask(task.id, task.classes.length);
    for (const event of fullEvents(this.masks, task.id)) run.events(event);
    this.#embeddings = initialEmbeddings(this.masks.spaces, task.id, this.#settings);
  }

  #state(task: Task): Map<string, Tensor> {
    this.#sleep.wake();
    return new Map([...this.#heads.parametersOf(task.id), ...namedEmbeddings(this.#embeddings!)]);
  }

  #step(task: Task, batch: Batch, run: RunContext): number {
    this.#plan.dispose(); // the weights are about to change
    const [network, parameters] = [this.network(task.id), this.#heads.parametersOf(task.id)];
    const model = {
      network,
      parameters,
      embeddings: this.#embeddings!,
      used: this.#used,
      locks: this.#locks,
      sleep: this.#settings.sleep ? this.#sleep : undefined,
    };
    return trainingStep(model, batch, { ...this.#settings, seed: run.seed, step: this.#steps++ });
  }

  /** The gates of a task as it is evaluated: hard, or at sMax while it is being learned. */
  #gates(task: number): Gates {
    const { backend, sMax, compensation } = this.#settings;
    if (this.masks.has(task) || this.#embeddings === null) return hardGates(this.masks.get(task), backend);
    return softGates(this.#embeddings, sMax, sMax, compensation);
  }

  #judge(task: Task): Evaluation {
    return tidy(() =>
      selectionLoss(task, this.#gates(task.id), this.#used, this.#settings, (images) =>
        this.logits(task.id, images),
      ),
    );
  }

  /** Hardens the task, locks what it reads, and says what that cost. */
  #finish(task: Task, run: RunContext): Record<string, number> {
    const { accuracy: accuracySoft } = this.#judge(task);
    this.masks.set(task.id, harden(this.#embeddings!, this.#settings.c));
    this.#protectLearned();
    const { accuracy: accuracyHard } = this.#judge(task);
    this.#endTraining();
    for (const event of taskEvents(this.#settings.body, this.masks, this.#locks, task.id)) run.events(event);
    return { accuracySoft, accuracyHard };
  }

  #protectLearned(): void {
    this.#locks = protect(this.#settings.body, this.masks, this.#settings.protection);
    this.#used = usedUnits(this.masks);
  }

  #endTraining(): void {
    this.#sleep.dispose();
    disposeEmbeddings(this.#embeddings);
    this.#embeddings = null;
    this.#fit = null;
  }

  logits(task: number, images: Tensor): Tensor {
    const { backend } = this.#settings;
    return tidy(() =>
      this.#plan.logits(this.network(task), this.parameters, onBackend(images, backend), this.#gates(task)),
    );
  }

  /** The same bits from every unit of the network, those behind a gate of 0 too: what pruning is compared with. */
  maskedLogits(task: number, images: Tensor): Tensor {
    const { backend } = this.#settings;
    return tidy(() =>
      forward(this.network(task), this.parameters, onBackend(images, backend), { gates: this.#gates(task) }),
    );
  }

  untrainedLogits(task: Task, images: Tensor): Tensor {
    return untrainedLogits(this.#heads, this.masks.spaces, this.#settings, task, images);
  }

  lockedHash(upTo: number): string {
    const { body, protection } = this.#settings;
    const tasks = this.masks.tasks.filter((task) => task <= upTo);
    const heads = tasks.flatMap((task) => [...this.#heads.headParameters(task).keys()]);
    return lockedHash(this.parameters, protect(body, this.masks, protection, tasks), heads);
  }

  async save(into: CheckpointWriter): Promise<void> {
    this.#sleep.wake();
    this.#heads.save(into);
    saveMasks(this.masks, into);
    saveFit(this.#fit, into);
    saveEmbeddings(this.#embeddings, into);
    into.json("steps", this.#steps);
  }

  async load(from: CheckpointReader): Promise<void> {
    const { spaces } = this.masks;
    // All is read and checked before any of it is taken; what owns memory comes last.
    const heads = this.#heads.read(from);
    const masks = loadMasks(spaces, from);
    const embeddingShapes = spaces.map(({ name, units }) => [`embedding/${name}`, [units]] as const);
    const shapes = new Map([...heads.shapes, ...embeddingShapes]);
    const fitState = loadFit(from, { tasks: heads.tasks, shapes });
    checkTasks(heads.tasks, [...masks.keys()], fitState);
    const steps = new StoredJson({ steps: from.json("steps") }, "the checkpoint").whole("steps");
    const embeddings = loadEmbeddings(spaces, from, fitState, this.#settings.backend);

    this.#endTraining();
    heads.take();
    for (const task of this.masks.tasks) this.masks.delete(task);
    for (const [task, bits] of masks) this.masks.set(task, bits);
    this.#protectLearned();
    this.#fit = fitState;
    this.#embeddings = embeddings;
    this.#steps = steps;
  }

  dispose(): void {
    this.#endTraining();
    this.#plan.dispose();
    this.#heads.dispose();
  }
}

/** Every task of a checkpoint has a head, and masks unless it is still being learned. */
function checkTasks(
  heads: readonly number[],
  masks: readonly number[],
  learning: { readonly task: number } | null,
): void {
  const wanted = learning === null ? masks : [...masks, learning.task];
  if (wanted.length === heads.length && wanted.every((task, i) => task === heads[i])) return;
  const begun = learning === null ? "" : ` and is learning task ${learning.task}`;
  throw new CheckpointError(
    "BAD_VALUE",
    `the checkpoint contradicts itself: it has heads of tasks [${heads.join(", ")}], masks of [${masks.join(", ")}]${begun}`,
  );
}
