import { ConfigError } from "@milliner/core";
import { brief } from "./stored-json.ts";
import { nameOfSet, type TaskSet } from "./task-set.ts";
import type { Split, Task } from "./task.ts";
import { isWhole } from "./whole-number.ts";

/**
 * Refuses a task with a set that cannot be what it says. A split may have been made by hand, and a label that is a text or a list
 * would be read as class 0.
 *
 * @param sets - those that are about to be used
 * @throws ConfigError (`EMPTY_SPLIT`) for a set without images; (`BAD_SPLIT`) when it cannot be read, its size or shape makes no
 *   sense, or it has not as many labels as images; (`BAD_LABEL`) for a label that is no class of the task
 */
export function checkTask(task: Task, sets: readonly TaskSet[]): void {
  for (const set of sets) {
    const name = nameOfSet(task, set);
    checkSplit(name, task[set], task.classes.length);
    const [found, wanted] = [task[set].shape, task.train.shape].map((shape) => `[${shape.join(", ")}]`);
    if (found !== wanted) {
      throw new ConfigError(
        "BAD_SPLIT",
        `${name} has images of shape ${found}, but its training set ${wanted}; a task has one shape`,
      );
    }
  }
}

/**
 * Refuses a split that cannot be what it says.
 *
 * @param name - what messages call it
 * @param classes - how many labels there may be; Infinity where only the logits will tell
 * @throws ConfigError as `checkTask`
 */
export function checkSplit(name: string, split: Split | undefined, classes: number): void {
  if (typeof split?.read !== "function")
    throw new ConfigError("BAD_SPLIT", `${name} has no function read; a split reads its images with it`);
  const { size, shape, labels } = split;
  if (size === 0) throw new ConfigError("EMPTY_SPLIT", `${name} has no images`);
  if (!isWhole(size, 1)) {
    throw new ConfigError(
      "BAD_SPLIT",
      `${name} has size ${brief(size)}; it is the number of images, a whole number from 1 up`,
    );
  }
  if (!Array.isArray(shape) || shape.length !== 3 || !shape.every((length) => isWhole(length, 1))) {
    const found = Array.isArray(shape) ? `[${shape.join(", ")}]` : brief(shape);
    throw new ConfigError(
      "BAD_SPLIT",
      `${name} has shape ${found}; an image is [height, width, channels], each a whole number from 1 up`,
    );
  }
  const count = Array.isArray(labels) || ArrayBuffer.isView(labels) ? labels.length : undefined;
  if (count !== size) {
    throw new ConfigError(
      "BAD_SPLIT",
      `${name} has ${size} images, but ${count ?? "no list of"} labels; give each image its own`,
    );
  }
  for (let i = 0; i < size; i++) {
    const label: unknown = labels[i];
    if (isWhole(label, 0) && label < classes) continue;
    throw new ConfigError(
      "BAD_LABEL",
      `label ${i} of ${name} is ${brief(label)}; a label is the position of its class in the task's, a whole number from 0 ` +
        (classes === Infinity ? "up" : `to ${classes - 1}`),
    );
  }
}
