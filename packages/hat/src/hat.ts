import {
  channelSpaces,
  ConfigError,
  forward,
  inputName,
  Locks,
  tidy,
  UnitMasks,
  type Network,
  type Tensor,
} from "@milliner/core";
import {
  evaluate,
  fit,
  loadFit,
  MultiHead,
  saveFit,
  startFit,
  type Batch,
  type CheckpointReader,
  type CheckpointWriter,
  type FitState,
  type Learner,
  type RunContext,
  type Task,
  type TaskRecord,
} from "@milliner/continual";
import { capacity } from "./capacity.ts";
import { usedUnits } from "./cumulative.ts";
import {
  disposeEmbeddings,
  initialEmbeddings,
  loadEmbeddings,
  saveEmbeddings,
  type Embeddings,
} from "./embeddings.ts";
import { hardGates, softGates } from "./gates.ts";
import { harden } from "./hardening.ts";
import { lockedHash } from "./locked-hash.ts";
import { loadMasks, packedMasks, saveMasks } from "./mask-storage.ts";
import { hatSettings, type HatOptions, type HatSettings } from "./options.ts";
import { protect } from "./protection.ts";
import { sparsityRegulariser, type CumulativeGates, type Gates } from "./regulariser.ts";
import { trainingStep } from "./training-step.ts";

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

  /** @throws ConfigError when a setting makes no sense */
  constructor(options: HatOptions) {
    this.#settings = hatSettings(options);
    this.#heads = new MultiHead(options);
    this.masks = new UnitMasks(channelSpaces(options.body).spaces.filter(({ name }) => name !== inputName));
    this.#protectLearned();
  }

  get parameters(): ReadonlyMap<string, Tensor> {
    return this.#heads.parameters;
  }

  /** Elements of the body that the next task may not write. */
  get locks(): Locks {
    return this.#locks;
  }

  network(task: number): Network {
    return this.#heads.network(task);
  }

  async learn(task: Task, run: RunContext): Promise<TaskRecord> {
    if (this.masks.has(task.id)) {
      throw new ConfigError("TASK_LEARNED", `task ${task.id} ("${task.name}") has been learned already`);
    }
    const { schedule, backend } = this.#settings;
    if (this.#fit?.task !== task.id) this.#begin(task, run);
    const epochs = await fit(
      task,
      schedule,
      {
        step: (batch) => this.#step(task, batch, run),
        validate: () => this.#judge(task),
        state: () => this.#state(task.id),
      },
      this.#fit!,
      run,
      backend,
    );
    return { epochs, notes: this.#finish(task, run) };
  }

  #begin(task: Task, run: RunContext): void {
    this.#heads.addTask(task.id, task.classes.length);
    for (const { name, units } of this.masks.spaces) {
      if (this.masks.used(name).count() < units) continue;
      run.events({ type: "warning", message: `"${name}" has no free unit left for task ${task.id}: it can only reuse` });
    }
    this.#embeddings = initialEmbeddings(this.masks.spaces, task.id, run.seed, this.#settings.backend);
    this.#fit = startFit(task, this.#settings.schedule);
  }

  #step(task: Task, batch: Batch, run: RunContext): number {
    const model = {
      network: this.network(task.id),
      parameters: this.#heads.parametersOf(task.id),
      embeddings: this.#embeddings!,
      used: this.#used,
      locks: this.#locks,
    };
    const loss = trainingStep(model, batch, { ...this.#settings, seed: run.seed, step: this.#steps });
    this.#steps += 1;
    return loss;
  }

  /** The gates of a task as it is evaluated: hard, or at sMax while it is being learned. */
  #gates(task: number): Gates {
    const { backend, sMax, compensation } = this.#settings;
    if (this.masks.has(task) || this.#embeddings === null) return hardGates(this.masks.get(task), backend);
    return softGates(this.#embeddings, sMax, sMax, compensation);
  }

  /** Cross-entropy plus c R, so that of two states that are as accurate the sparser one is kept, and accuracy. */
  #judge({ id, validation }: Task): { loss: number; accuracy: number } {
    const { backend, c } = this.#settings;
    return tidy(() => {
      const r = sparsityRegulariser(this.#gates(id), this.#used).item();
      const { loss, accuracy } = evaluate(validation, backend, (images) => this.logits(id, images));
      return { loss: loss + c * r, accuracy };
    });
  }

  #state(task: number): Map<string, Tensor> {
    const embeddings = [...this.#embeddings!].map(([name, e]) => [`embedding/${name}`, e] as const);
    return new Map([...this.#heads.parametersOf(task), ...embeddings]);
  }

  /** Hardens the task, locks what it reads, and says what that cost. */
  #finish(task: Task, run: RunContext): Record<string, number> {
    const { accuracy: accuracySoft } = this.#judge(task);
    this.masks.set(task.id, harden(this.#embeddings!));
    this.#protectLearned();
    const { accuracy: accuracyHard } = this.#judge(task);
    this.#endTraining();
    run.events({ type: "masks", task: task.id, spaces: packedMasks(this.masks, task.id) });
    run.events({ type: "capacity", task: task.id, layers: capacity(this.#settings.body, this.masks, this.#locks, task.id) });
    return { accuracySoft, accuracyHard };
  }

  #protectLearned(): void {
    this.#locks = protect(this.#settings.body, this.masks, this.#settings.protection);
    this.#used = usedUnits(this.masks);
  }

  #endTraining(): void {
    disposeEmbeddings(this.#embeddings);
    this.#embeddings = null;
    this.#fit = null;
  }

  logits(task: number, images: Tensor): Tensor {
    return tidy(() => forward(this.network(task), this.parameters, images, { gates: this.#gates(task) }));
  }

  lockedHash(): string {
    const heads = this.masks.tasks.flatMap((task) => this.#heads.headNames(task));
    return lockedHash(this.parameters, this.#locks, heads);
  }

  async save(into: CheckpointWriter): Promise<void> {
    await this.#heads.save(into);
    saveMasks(this.masks, into);
    saveFit(this.#fit, into);
    saveEmbeddings(this.#embeddings, into);
    into.json("steps", this.#steps);
  }

  async load(from: CheckpointReader): Promise<void> {
    this.#endTraining();
    await this.#heads.load(from);
    loadMasks(this.masks, from);
    this.#protectLearned();
    this.#fit = loadFit(from);
    this.#embeddings = loadEmbeddings(from, this.#settings.backend);
    this.#steps = from.json("steps") as number;
  }

  dispose(): void {
    this.#endTraining();
    this.#heads.dispose();
  }
}
