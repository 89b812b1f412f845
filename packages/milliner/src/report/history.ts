import type { AccuracyMatrix, LayerCapacity, SpaceMask } from "@milliner/continual";
import type { ReportEpoch, ReportFigures, ReportInput } from "./report-input.ts";

/** The course of one learner, from the result where there is one, else from the events so far. */
export interface History {
  readonly learner: string;
  /** Names of the tasks that it has begun. */
  readonly tasks: readonly string[];
  readonly matrix: AccuracyMatrix;
  /** null while the learner has not ended. */
  readonly figures: ReportFigures | null;
  readonly epochs: ReadonlyMap<number, readonly ReportEpoch[]>;
  readonly capacity: ReadonlyMap<number, readonly LayerCapacity[]>;
  readonly masks: ReadonlyMap<number, readonly SpaceMask[]>;
}

/** A run as its report tells it. */
export interface RunHistory {
  readonly scenario: string;
  readonly seed: number | null;
  /** Tasks of the scenario. */
  readonly tasks: number;
  readonly method: History;
  readonly controls: readonly History[];
}

// As many as a result may have. Each is a pass over the events, and a damaged file may name one in every line.
const mostLearners = 21;

/** Gathers the events by learner; the first that starts is the method. */
export function gather({ result, events, name }: ReportInput): RunHistory {
  const started = events.find((event) => event.type === "run-started");
  const methodName = result?.learner ?? started?.learner ?? events[0]?.learner ?? "unknown method";
  const names = new Set([methodName, ...(result?.controls ?? []).map(({ learner }) => learner)]);
  for (const { learner } of events) {
    if (names.size === mostLearners) break;
    names.add(learner);
  }
  const of = (learner: string): ReportFigures | null =>
    learner === methodName
      ? result
      : (result?.controls.find((control) => control.learner === learner) ?? null);
  const [method, ...controls] = [...names].map((learner) => historyOf(learner, of(learner), events));
  return {
    scenario: result?.scenario ?? started?.scenario ?? name,
    seed: result?.seed ?? started?.seed ?? null,
    tasks: Math.max(started?.tasks ?? 0, method!.tasks.length, method!.matrix.length),
    method: method!,
    controls,
  };
}

function historyOf(learner: string, figures: ReportFigures | null, events: ReportInput["events"]): History {
  const names: string[] = [];
  const matrix: (readonly (number | null)[])[] = [];
  const epochs = new Map<number, ReportEpoch[]>();
  const capacity = new Map<number, readonly LayerCapacity[]>();
  const masks = new Map<number, readonly SpaceMask[]>();
  for (const event of events) {
    if (event.learner !== learner) continue;
    if (event.type === "task-started") {
      names[event.task] = event.name;
      epochs.set(event.task, []); // a task that was begun anew
    } else if (event.type === "epoch-ended") {
      const before = epochs.get(event.task);
      if (before === undefined) epochs.set(event.task, [event]);
      else before.push(event);
    } else if (event.type === "capacity") capacity.set(event.task, event.layers);
    else if (event.type === "masks") masks.set(event.task, event.spaces);
    else if (event.type === "evaluated") matrix[event.afterTask] = event.accuracies;
  }
  const tasks = figures?.tasks ?? Array.from(names, (name, task) => name ?? `task ${task}`);
  return {
    learner,
    tasks,
    matrix: figures?.matrix ?? Array.from(matrix, (row) => row ?? []),
    figures,
    epochs,
    capacity,
    masks,
  };
}

/** Mean accuracy over the tasks learned so far, after each task; null where one of them was not measured. */
export function learnedAccuracy(matrix: AccuracyMatrix): readonly (number | null)[] {
  return matrix.map((row, t) => {
    const learned = Array.from({ length: t + 1 }, (_, j) => row[j] ?? null);
    return learned.some((value) => value === null)
      ? null
      : learned.reduce<number>((sum, value) => sum + value!, 0) / (t + 1);
  });
}

/** Bytes of a mask's bits, least significant first: its words lie little-endian, so the bits are in order over the bytes. */
export function maskBytes({ bits }: SpaceMask): Uint8Array {
  return Buffer.from(bits, "base64");
}

/** Whether a unit is on. */
export function isOn(bytes: Uint8Array, unit: number): boolean {
  return ((bytes[unit >> 3] ?? 0) & (1 << (unit & 7))) !== 0;
}
