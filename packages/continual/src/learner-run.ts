import { setImmediate } from "node:timers/promises";
import { CheckpointError, ConfigError, type Backend } from "@milliner/core";
import { brokenPromiseEvents, promisesBits } from "./broken-promise.ts";
import {
  readCheckpoint,
  readerOf,
  rewriteRecord,
  takeSnapshot,
  writeCheckpoint,
  type StoredCheckpoint,
} from "./checkpoint.ts";
import { jsonCopy } from "./checkpoint-json.ts";
import type { EventLog, EventPosition } from "./event-log.ts";
import type { RunEventBody } from "./events.ts";
import type { Learner, RunContext } from "./learner.ts";
import { measureTask, measureUntrained } from "./measure-task.ts";
import { averageAccuracy } from "./metrics.ts";
import type { CheckpointFolder, CheckpointPlace } from "./run-folder.ts";
import { identityDifference, type RunIdentity } from "./run-identity.ts";
import { checkRecord, parseRecord, type RunRecord } from "./run-record.ts";
import { brief } from "./stored-json.ts";
import type { Scenario, Task } from "./task.ts";

/** What one learner needs to go through a scenario. */
export interface LearnerRunOptions {
  readonly scenario: Scenario;
  readonly learner: Learner;
  /** A new learner of the same kind: tasks are evaluated on one that has loaded the checkpoint. Null: on `learner` itself. */
  readonly makeLearner: (() => Learner) | null;
  /** Where checkpoints go; null keeps none. */
  readonly checkpoints: CheckpointFolder | null;
  /** Whether the checkpoints of all tasks stay, or only that of the newest. */
  readonly keep: "all" | "newest";
  readonly seed: number;
  readonly backend: Backend;
  readonly signal: AbortSignal;
  readonly unlearned: "none" | "next" | "all";
  /** Least seconds between two checkpoints within a task. */
  readonly checkpointSeconds: number;
  readonly clock: () => number;
  /** What the run is made of, its learner aside; null where there are no checkpoints to note it in. */
  readonly identity: Omit<RunIdentity, "learner"> | null;
}

// How long the event loop may wait for its turn: short enough for Ctrl-C and progress bars, long enough to cost nothing.
const turnSeconds = 0.05;

/** One learner on its way through the tasks of a scenario: learning, evaluating, checkpoints, and going on after a break. */
export class LearnerRun {
  readonly #options: LearnerRunOptions;
  #record: RunRecord;
  /** The newest checkpoint, or null where there is none. */
  #place: CheckpointPlace | null = null;
  /** The state at the last end of an epoch, where it is newer than the newest checkpoint. */
  #unwritten: { readonly place: CheckpointPlace; readonly checkpoint: StoredCheckpoint } | null = null;
  #writtenAt = -Infinity;
  #log: EventLog | null = null;

  constructor(options: LearnerRunOptions) {
    this.#options = options;
    const { scenario, learner, seed, identity } = options;
    this.#record = {
      scenario: scenario.name,
      tasks: scenario.tasks.length,
      seed,
      learner: learner.name,
      identity: identity && {
        ...identity,
        learner: jsonCopy(learner.settings ?? null, `settings of learner "${learner.name}"`),
      },
      checkpoints: 0,
      evaluated: false,
      initial: [],
      learned: [],
      matrix: [],
      bitExactOldLogits: true,
      lockedUnchanged: null,
      warnings: [],
      began: 0,
      taskBegan: 0,
      events: { step: 0, bytes: 0, seconds: 0 },
    };
  }

  /**
   * Loads the newest checkpoint that is whole, if there is any.
   *
   * @returns where the events stood then; null when there is no checkpoint
   * @throws CheckpointError when there are some but none can be read, or when it belongs to another run
   */
  async load(): Promise<EventPosition | null> {
    const { checkpoints, learner } = this.#options;
    const places = (await checkpoints?.places()) ?? [];
    const damaged: CheckpointError[] = [];
    for (const place of places) {
      const file = checkpoints!.file(place);
      let stored: StoredCheckpoint;
      try {
        stored = await readCheckpoint(file);
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        damaged.push(error);
        continue;
      }
      const record = parseRecord(stored.record, file);
      this.#checkIdentity(record, file);
      checkRecord(record, place, file);
      const warnings = [...record.warnings, ...damaged.map(({ message }) => message)];
      if (record.identity === null) {
        warnings.push(
          `${file} was written before checkpoints noted what a run is made of: nobody can tell whether it went on with the ` +
            "settings and images that it was begun with",
        );
      } else this.#checkSame(record.identity, record, place, file);
      await learner.load(readerOf(stored.snapshot, file));
      this.#record = { ...record, identity: this.#record.identity, warnings };
      this.#place = place;
      return record.events;
    }
    if (damaged[0] !== undefined) throw damaged[0];
    return null;
  }

  #checkIdentity(found: RunRecord, file: string): void {
    for (const key of ["scenario", "tasks", "seed", "learner"] as const) {
      if (found[key] !== this.#record[key]) {
        throw new CheckpointError(
          "OTHER_RUN",
          `${file} was written with ${key} ${brief(found[key])}, but this run has ` +
            `${brief(this.#record[key])}; resume with the same settings, or choose another folder`,
        );
      }
    }
  }

  #checkSame(found: RunIdentity, { initial }: RunRecord, place: CheckpointPlace, file: string): void {
    const seen = { begun: place.task + 1, areTried: initial.some((accuracy) => accuracy !== null) };
    const difference = identityDifference(found, this.#record.identity!, seen);
    if (difference !== null) {
      throw new CheckpointError(
        "OTHER_RUN",
        `${file} was written with ${difference}; resume with the same, or choose another folder`,
      );
    }
  }

  /** Does what is left to do. */
  async finish(log: EventLog): Promise<RunRecord> {
    const { tasks } = this.#options.scenario;
    this.#log = log;
    try {
      let next = await this.#begin();
      for (; next < tasks.length; next++) {
        await this.#learn(tasks[next]!);
        await this.#evaluate(tasks[next]!);
      }
      return this.#record;
    } catch (error) {
      // Ctrl-C within a task: what the last epoch ended with is worth keeping. If that fails too, the first error counts.
      await this.#writeUnwritten().catch(() => undefined);
      throw error;
    }
  }

  #emit(body: RunEventBody): void {
    if (body.type === "warning")
      this.#record = { ...this.#record, warnings: [...this.#record.warnings, body.message] };
    this.#log!.emit(this.#options.learner.name, body);
  }

  /** Returns the next task to learn. */
  async #begin(): Promise<number> {
    const { scenario, learner, seed, unlearned, checkpoints } = this.#options;
    const { name, tasks } = scenario;
    const place = this.#place;
    if (place === null) {
      const began = this.#log!.seconds;
      this.#emit({ type: "run-started", scenario: name, learner: learner.name, tasks: tasks.length, seed });
      const initial = tasks.map((task) => (unlearned === "none" ? null : this.#untrained(task)));
      this.#record = { ...this.#record, initial, began };
      return 0;
    }
    // As in the run that was not interrupted, the event follows what the checkpoint has counted.
    if (place.epoch !== null || !this.#record.evaluated)
      this.#emit({ type: "checkpoint", file: checkpoints!.label(place) });
    if (place.epoch !== null) return place.task;
    if (!this.#record.evaluated) await this.#evaluate(tasks[place.task]!);
    return place.task + 1;
  }

  #context(task: Task): RunContext {
    const { seed, signal, clock } = this.#options;
    let turn = clock();
    return {
      seed,
      events: (event) => this.#emit(event),
      signal,
      pause: async () => {
        signal.throwIfAborted();
        if (clock() - turn < turnSeconds) return;
        await setImmediate();
        turn = clock();
        signal.throwIfAborted();
      },
      checkpoint: () => this.#checkpointWithin(task),
    };
  }

  async #learn(task: Task): Promise<void> {
    const { learner, backend } = this.#options;
    const goesOn = this.#place?.task === task.id && this.#place.epoch !== null;
    if (!goesOn)
      this.#record = { ...this.#record, checkpoints: 0, taskBegan: this.#log!.seconds, evaluated: false };

    const { epochs, notes } = await learner.learn(task, this.#context(task));

    this.#unwritten = null;
    const seconds = this.#log!.seconds - this.#record.taskBegan;
    this.#emit({ type: "task-ended", task: task.id, seconds, epochs, notes });
    const measured = measureTask(learner, task, backend);
    const lockedHash = learner.lockedHash(task.id);
    const learned = { name: task.name, epochs, seconds, notes, ...measured, lockedHash };
    this.#record = { ...this.#record, learned: [...this.#record.learned, learned] };
    if (this.#options.checkpoints !== null)
      await this.#write({ task: task.id, epoch: null }, await this.#take());
  }

  async #take(): Promise<StoredCheckpoint> {
    const snapshot = await takeSnapshot(this.#options.learner);
    return { snapshot, record: { ...this.#record, events: this.#log!.position } };
  }

  async #checkpointWithin(task: Task): Promise<void> {
    const { checkpoints, checkpointSeconds, clock } = this.#options;
    if (checkpoints === null) return;
    this.#record = { ...this.#record, checkpoints: this.#record.checkpoints + 1 };
    const place = { task: task.id, epoch: this.#record.checkpoints };
    this.#unwritten = { place, checkpoint: await this.#take() };
    if (clock() - this.#writtenAt >= checkpointSeconds) await this.#writeUnwritten();
  }

  async #writeUnwritten(): Promise<void> {
    if (this.#unwritten === null) return;
    const { place, checkpoint } = this.#unwritten;
    await this.#write(place, checkpoint);
    const places = await this.#options.checkpoints!.places();
    const older = places.filter(
      ({ task, epoch }) => task === place.task && epoch !== null && epoch < place.epoch!,
    );
    await this.#options.checkpoints!.remove(older);
  }

  async #write(place: CheckpointPlace, checkpoint: StoredCheckpoint): Promise<void> {
    const checkpoints = this.#options.checkpoints!;
    this.#log!.flush(); // the checkpoint says how many bytes of events there are
    await writeCheckpoint(checkpoints.file(place), checkpoint);
    this.#unwritten = null;
    this.#writtenAt = this.#options.clock();
    this.#place = place;
    this.#emit({ type: "checkpoint", file: checkpoints.label(place) });
  }

  /** Fills the row of the matrix, and compares the logits of every task with what they were when its training ended. */
  async #evaluate(task: Task): Promise<void> {
    const { scenario, unlearned, makeLearner } = this.#options;
    const context = this.#context(task);
    const evaluated = makeLearner === null ? this.#options.learner : await this.#reloaded(makeLearner);
    const row: (number | null)[] = [];
    const changed: number[] = [];
    let lockedUnchanged = true;
    try {
      for (const other of scenario.tasks) {
        await context.pause();
        if (other.id > task.id) {
          const wanted = unlearned === "all" || (unlearned === "next" && other.id === task.id + 1);
          row.push(wanted ? this.#untrained(other) : null);
          continue;
        }
        const before = this.#record.learned[other.id]!;
        // Measured a moment ago, on this very object.
        const now =
          evaluated === this.#options.learner && other === task ? before : this.#measure(evaluated, other);
        row.push(now.accuracy);
        if (now.logitsSha256 !== before.logitsSha256) changed.push(other.id);
      }
      lockedUnchanged = this.#compareLocked(evaluated, task);
    } finally {
      if (evaluated !== this.#options.learner) evaluated.dispose();
    }
    await this.#noteRow(task, row, changed, lockedUnchanged);
  }

  #measure(learner: Learner, task: Task): { readonly accuracy: number; readonly logitsSha256: string } {
    return measureTask(learner, task, this.#options.backend);
  }

  #untrained(task: Task): number | null {
    return measureUntrained(this.#options.learner, task, this.#options.backend);
  }

  // From the files where there are any, so that what is measured is what a user will load.
  async #reloaded(makeLearner: () => Learner): Promise<Learner> {
    const { checkpoints, learner } = this.#options;
    const fresh = makeLearner();
    try {
      if (fresh === learner || fresh.name !== learner.name) {
        throw new ConfigError("BAD_VALUE", `makeLearner has to make a new "${learner.name}" each time`);
      }
      const file = checkpoints?.file(this.#place!);
      const snapshot =
        file === undefined ? await takeSnapshot(learner) : (await readCheckpoint(file)).snapshot;
      await fresh.load(readerOf(snapshot, file ?? `the state of "${learner.name}"`));
      return fresh;
    } catch (error) {
      if (fresh !== learner) fresh.dispose();
      throw error;
    }
  }

  #compareLocked(learner: Learner, task: Task): boolean {
    const locked = this.#record.learned
      .slice(0, task.id + 1)
      .flatMap(({ lockedHash }, earlier) =>
        lockedHash === null ? [] : [learner.lockedHash(earlier) === lockedHash],
      );
    const same = locked.every(Boolean);
    if (locked.length > 0)
      this.#record = { ...this.#record, lockedUnchanged: (this.#record.lockedUnchanged ?? true) && same };
    return same;
  }

  async #noteRow(
    task: Task,
    row: readonly (number | null)[],
    changed: readonly number[],
    lockedUnchanged: boolean,
  ): Promise<void> {
    const { learner, scenario, checkpoints, keep, makeLearner } = this.#options;
    const matrix = [...this.#record.matrix, row];
    const bitExact = changed.length === 0;
    const accuracies = row.slice(0, task.id + 1).map((accuracy) => accuracy ?? 0);
    const bitExactOldLogits = task.id === 0 && makeLearner === null ? null : bitExact;
    this.#emit({
      type: "evaluated",
      learner: learner.name,
      afterTask: task.id,
      accuracies,
      bitExactOldLogits,
    });
    if (this.#record.learned.some(promisesBits)) {
      for (const event of brokenPromiseEvents(learner.name, task.id, changed, lockedUnchanged))
        this.#emit(event);
    }
    if (task.id === scenario.tasks.length - 1)
      this.#emit({ type: "run-ended", acc: averageAccuracy(matrix) });
    this.#record = {
      ...this.#record,
      matrix,
      bitExactOldLogits: this.#record.bitExactOldLogits && bitExact,
      evaluated: true,
      events: this.#log!.position,
    };
    if (checkpoints === null) return;
    this.#log!.flush();
    await rewriteRecord(checkpoints.file({ task: task.id, epoch: null }), this.#record);
    const done = ({ task: of, epoch }: CheckpointPlace): boolean =>
      of <= task.id && (epoch !== null || (keep === "newest" && of < task.id));
    await checkpoints.remove((await checkpoints.places()).filter(done));
  }
}
