import { CheckpointError } from "@milliner/core";
import type { EventPosition } from "./event-log.ts";
import type { AccuracyMatrix } from "./metrics.ts";
import type { CheckpointPlace } from "./run-folder.ts";
import { parseIdentity, type RunIdentity } from "./run-identity.ts";
import { StoredJson } from "./stored-json.ts";

/** What the runner noted when a task had been learned. */
export interface LearnedTask {
  readonly name: string;
  readonly epochs: number;
  /** Seconds of training, over interruptions. */
  readonly seconds: number;
  readonly notes: Readonly<Record<string, number>>;
  /** Accuracy on its test set at that moment. */
  readonly accuracy: number;
  /** SHA-256 of the logits of its test set at that moment: what they have to be ever after. */
  readonly logitsSha256: string;
  /** `lockedHash` of the tasks up to it, null for methods that lock nothing. */
  readonly lockedHash: string | null;
}

/** How far one learner has come in a run. Lies in each of its checkpoints, so that a run goes on from any of them. */
export interface RunRecord {
  readonly scenario: string;
  readonly tasks: number;
  readonly seed: number;
  readonly learner: string;
  /** Null in a run without a folder, and in checkpoints that were written before they noted it. */
  readonly identity: RunIdentity | null;
  /** Checkpoints within the task being learned so far. */
  readonly checkpoints: number;
  /** Whether the last learned task has its row in the matrix. */
  readonly evaluated: boolean;
  /** Accuracy on each task before anything was learned, null where the method cannot be asked. */
  readonly initial: readonly (number | null)[];
  readonly learned: readonly LearnedTask[];
  readonly matrix: AccuracyMatrix;
  /** Whether every comparison so far found the logits of earlier tasks unchanged to the bit. */
  readonly bitExactOldLogits: boolean;
  /** Whether every comparison so far found the locked elements unchanged; null for methods that lock nothing. */
  readonly lockedUnchanged: boolean | null;
  readonly warnings: readonly string[];
  /** The run's seconds when this learner began, when the current task began, and now. */
  readonly began: number;
  readonly taskBegan: number;
  readonly events: EventPosition;
}

/**
 * Narrows what a checkpoint claims to be a record.
 * @throws CheckpointError (`BAD_VALUE`)
 */
export function parseRecord(value: unknown, where: string): RunRecord {
  const record = new StoredJson(value, `the record of ${where}`);
  const accuracies = (from: StoredJson, key: string): readonly (number | null)[] =>
    from.list(key, (entry) => entry.nullable("value", () => entry.share("value")));
  const events = record.object("events");
  return {
    scenario: record.string("scenario"),
    tasks: record.whole("tasks"),
    seed: record.whole("seed"),
    learner: record.string("learner"),
    identity: record.keys.includes("identity")
      ? record.nullable("identity", (key) => parseIdentity(record.object(key)))
      : null,
    checkpoints: record.whole("checkpoints"),
    evaluated: record.boolean("evaluated"),
    initial: accuracies(record, "initial"),
    learned: record.list("learned", (entry) => parseLearned(entry.object("value"))),
    matrix: record.list("matrix", (entry) => accuracies(entry, "value")),
    bitExactOldLogits: record.boolean("bitExactOldLogits"),
    lockedUnchanged: record.nullable("lockedUnchanged", (key) => record.boolean(key)),
    warnings: record.list("warnings", (entry) => entry.string("value")),
    began: record.number("began"),
    taskBegan: record.number("taskBegan"),
    events: { step: events.whole("step"), bytes: events.whole("bytes"), seconds: events.number("seconds") },
  };
}

/**
 * A record that says of itself that it stands at `place`.
 * @throws CheckpointError (`BAD_VALUE`) when it contradicts the place, the number of tasks or itself
 */
export function checkRecord(record: RunRecord, { task, epoch }: CheckpointPlace, where: string): void {
  const { learned, matrix, initial, tasks, evaluated } = record;
  const ended = epoch === null ? task + 1 : task;
  const rows = epoch === null && !evaluated ? ended - 1 : ended;
  if (
    task >= tasks ||
    learned.length !== ended ||
    matrix.length !== rows ||
    initial.length !== tasks ||
    matrix.some((row, after) => row.length !== tasks || row.slice(0, after + 1).includes(null)) ||
    (record.identity !== null && record.identity.tasks.length !== tasks)
  ) {
    throw new CheckpointError(
      "BAD_VALUE",
      `the record of ${where} contradicts itself: ${learned.length} tasks learned and ${matrix.length} rows of ` +
        `accuracies, where ${ended} of ${tasks} tasks and ${rows} rows belong`,
    );
  }
}

function parseLearned(task: StoredJson): LearnedTask {
  const notes = task.object("notes");
  return {
    name: task.string("name"),
    epochs: task.whole("epochs"),
    seconds: task.number("seconds"),
    notes: Object.fromEntries(notes.keys.map((key) => [key, notes.number(key)])),
    accuracy: task.share("accuracy"),
    logitsSha256: task.string("logitsSha256"),
    lockedHash: task.nullable("lockedHash", (key) => task.string(key)),
  };
}
