import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { shortened } from "@milliner/core";
import { readImages } from "./batches.ts";
import { located } from "./located.ts";
import type { StoredJson } from "./stored-json.ts";
import { nameOfSet, taskSetNames, type TaskSet } from "./task-set.ts";
import { taskInWords, type Scenario, type Split, type Task } from "./task.ts";

/** What a task is made of for whoever tries it: its name, and hashes of all else that is seen then. */
export interface TriedIdentity {
  readonly name: string;
  readonly classes: string;
  readonly transform: string;
  readonly test: string;
}

/** The same for whoever learns it. */
export interface TaskIdentity extends TriedIdentity {
  readonly train: string;
  readonly validation: string;
}

/** What decides a run's bits beyond its seed: with anything else it is another run. Plain JSON, kept in its checkpoints. */
export interface RunIdentity {
  /** What the run's maker says of it; null where nothing. */
  readonly settings: unknown;
  /** What the learner says of itself, see `Learner.settings`; null where nothing. */
  readonly learner: unknown;
  readonly backend: string;
  readonly precision: string;
  /** Which tasks are tried before they are learned. */
  readonly unlearned: string;
  readonly tasks: readonly TaskIdentity[];
}

/**
 * Hashes what the tasks of a scenario are made of, and gives the event loop a turn after each set of images.
 *
 * @param signal - once it is aborted, its reason is thrown
 * @throws ConfigError (`BAD_SPLIT`) for a set whose `read` does not write it
 */
export async function identifyTasks(
  { tasks }: Scenario,
  signal?: AbortSignal,
): Promise<readonly TaskIdentity[]> {
  const found: TaskIdentity[] = [];
  for (const task of tasks) {
    const [train, validation] = [
      await identifySet(task, "train", signal),
      await identifySet(task, "validation", signal),
    ];
    found.push({ ...(await identifyTried(task, signal)), train, validation });
  }
  return found;
}

/** The same of one task, without the images that it is learned from: they are most of them. */
export async function identifyTried(task: Task, signal?: AbortSignal): Promise<TriedIdentity> {
  const { name, classes, transform } = task;
  return {
    name,
    classes: sha256(JSON.stringify(classes)),
    transform: sha256(String(JSON.stringify(transform))), // a task made by hand may have none
    test: await identifySet(task, "test", signal),
  };
}

async function identifySet(task: Task, set: TaskSet, signal: AbortSignal | undefined): Promise<string> {
  await setImmediate();
  signal?.throwIfAborted();
  return located(
    () => nameOfSet(task, set),
    () => hashSplit(task[set]),
  );
}

/** Its labels, the bytes of all images, and what `read` makes of them. */
function hashSplit(split: Split): string {
  const { size, shape, labels } = split;
  const [height, width, channels] = shape;
  const pixels = height * width * channels;
  const hash = createHash("sha256")
    .update(JSON.stringify([size, shape]))
    .update(Int32Array.from(labels));
  const update = (step: number, read: (positions: readonly number[]) => Uint8Array): void => {
    const positions = Array.from({ length: Math.ceil(size / step) }, (_, i) => i * step);
    const atOnce = Math.max(1, Math.floor(pieceElements / pixels));
    for (let first = 0; first < positions.length; first += atOnce)
      hash.update(read(positions.slice(first, first + atOnce)));
  };
  if (split.readBytes !== undefined) {
    update(1, (positions) => {
      const bytes = new Uint8Array(positions.length * pixels);
      split.readBytes!(positions, bytes);
      return bytes;
    });
  }
  update(Math.max(1, Math.ceil(size / mostRead)), (positions) => {
    const floats = new Float32Array(positions.length * pixels);
    readImages(split, positions, floats);
    return new Uint8Array(floats.buffer);
  });
  return hash.digest("hex").slice(0, digits);
}

// A megabyte of floats: what is read at once.
const pieceElements = 2 ** 18;

// Bytes lie in memory, and all of them are hashed in a fraction of a second. `read` computes, or fetches from wherever a split of
// somebody's own has its images: of a large one it is asked for so many, evenly spread.
const mostRead = 4096;

// 64 bits: enough to tell one set of images from another, and a thousand tasks stay a small part of a checkpoint.
const digits = 16;

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, digits);
}

/** How far the run of a checkpoint has come. */
export interface SeenTasks {
  /** Tasks that have been learned or begun: 0 up to, but not, this. */
  readonly begun: number;
  /** Whether the test sets of the later ones were tried. Nobody has seen their other images: those may be mended. */
  readonly areTried: boolean;
}

/** The first thing in which a run differs from what its checkpoint was written with, in words; null where nothing does. */
export function identityDifference(before: RunIdentity, now: RunIdentity, seen: SeenTasks): string | null {
  const conditions = ({ backend, precision, unlearned }: RunIdentity): object => ({
    backend,
    precision,
    unlearned,
  });
  const setting =
    settingDifference(before.settings, now.settings) ??
    settingDifference(before.learner, now.learner) ??
    settingDifference(conditions(before), conditions(now));
  if (setting !== null) return `${setting.key} ${setting.before}, but this run has ${setting.now}`;
  return tasksDifference(before.tasks, now.tasks, seen);
}

function tasksDifference(
  before: readonly TaskIdentity[],
  now: readonly TaskIdentity[],
  { begun, areTried }: SeenTasks,
): string | null {
  for (const [id, task] of before.entries()) {
    const seen = id < begun ? allParts : areTried ? triedParts : [];
    const difference = taskDifference(id, task, now[id]!, seen);
    if (difference !== null) return difference;
  }
  return null;
}

/** The first thing in which task `id` differs for whoever tries it, in words; null where nothing does. */
export function triedDifference(id: number, before: TriedIdentity, now: TriedIdentity): string | null {
  return taskDifference(id, before, now, triedParts);
}

function taskDifference<T extends TriedIdentity>(
  id: number,
  before: T,
  now: T,
  parts: readonly (Part & keyof T)[],
): string | null {
  const name = taskInWords({ id, name: before.name });
  if (before.name !== now.name) return `${name}, which this run calls "${shortened(now.name)}"`;
  const part = parts.find((one) => before[one] !== now[one]);
  return part === undefined ? null : `another ${partNames[part]} of ${name} than this run has`;
}

type Part = Exclude<keyof TaskIdentity, "name">;
const triedParts = ["classes", "transform", "test"] as const;
const allParts = [...triedParts, "train", "validation"] as const;
const partNames: Readonly<Record<Part, string>> = {
  classes: "list of classes",
  transform: "transform",
  ...taskSetNames,
};

/** A key whose values differ, and both of them for people. */
export interface SettingDifference {
  /** Such as `schedule.epochs`. */
  readonly key: string;
  readonly before: string;
  readonly now: string;
}

/** The first key in which two JSON values differ; null where they are the same. */
export function settingDifference(before: unknown, now: unknown, key = ""): SettingDifference | null {
  if (isObject(before) && isObject(now)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
    for (const one of keys) {
      const found = settingDifference(
        Object.hasOwn(before, one) ? before[one] : undefined,
        Object.hasOwn(now, one) ? now[one] : undefined,
        key === "" ? one : `${key}.${one}`,
      );
      if (found !== null) return found;
    }
    return null;
  }
  if (Array.isArray(before) && Array.isArray(now) && before.length === now.length) {
    if (before.every((one, i) => settingDifference(one, now[i]) === null)) return null;
  } else if (before === now) return null;
  return { key: key === "" ? "settings" : key, before: shown(before), now: shown(now) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (value === undefined) return "unset";
  if (isObject(value)) return "an object";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

/**
 * Narrows what a checkpoint claims to be an identity.
 * @throws CheckpointError (`BAD_VALUE`)
 */
export function parseIdentity(stored: StoredJson): RunIdentity {
  return {
    settings: stored.value("settings"),
    learner: stored.value("learner"),
    backend: stored.string("backend"),
    precision: stored.string("precision"),
    unlearned: stored.string("unlearned"),
    tasks: stored.list("tasks", (entry) => {
      const task = entry.object("value");
      return {
        name: task.string("name"),
        classes: task.string("classes"),
        transform: task.string("transform"),
        train: task.string("train"),
        validation: task.string("validation"),
        test: task.string("test"),
      };
    }),
  };
}
