import { shortened, type Transform } from "@milliner/core";

/** Labelled images of one task, transformed as they are read. Labels are the task's own classes, 0 up. */
export interface Split {
  readonly size: number;
  /** [height, width, channels] */
  readonly shape: readonly [number, number, number];
  /** One an image, each from 0 up to, but not, the number of the task's classes. */
  readonly labels: Int32Array;
  /**
   * Writes the images `indices[0]`, `indices[1]`, ... as float32, one after the other, to `into`: every element of it, and before it
   * returns.
   */
  read(indices: ArrayLike<number>, into: Float32Array): void;
  /**
   * Writes them as bytes, before the task's transform: [height, width, channels] each. Absent where a split is not made of
   * images in bytes.
   */
  readBytes?(indices: ArrayLike<number>, into: Uint8Array): void;
}

/** One of a sequence of problems: what a learner is shown, once and in order. */
export interface Task {
  /** Position in the scenario, 0 up. */
  readonly id: number;
  readonly name: string;
  readonly classes: readonly string[];
  /**
   * What `read` of its splits does to the bytes of an image: an exported model does the same. `"none"` where the splits are
   * not made of bytes.
   */
  readonly transform: Transform | "none";
  readonly train: Split;
  readonly validation: Split;
  readonly test: Split;
}

/** A task as messages call it: number and name, however long that is. */
export function taskInWords({ id, name }: Pick<Task, "id" | "name">): string {
  return `task ${id} ("${shortened(String(name))}")`;
}

/** A named sequence of tasks with inputs of one shape. */
export interface Scenario {
  readonly name: string;
  readonly inputShape: readonly [number, number, number];
  readonly tasks: readonly Task[];
}
