import { taskInWords, type Task } from "./task.ts";

/** One of the sets of a task. */
export type TaskSet = "train" | "validation" | "test";

export const taskSetNames: Readonly<Record<TaskSet, string>> = {
  train: "training set",
  validation: "validation set",
  test: "test set",
};

/** As messages call the set of one task. */
export function nameOfSet(task: Task, set: TaskSet): string {
  return `the ${taskSetNames[set]} of ${taskInWords(task)}`;
}
