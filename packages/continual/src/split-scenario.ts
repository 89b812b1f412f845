import { checkKeys, ConfigError, Stream, type Transform } from "@milliner/core";
import { measureNormalisation, type Dataset, type ImageSet, type Normalisation } from "@milliner/data";
import { located } from "./located.ts";
import { imageSplit } from "./split.ts";
import { taskInWords, type Scenario, type Task } from "./task.ts";
import { checkShare, publishedValidationShare, splitValidation } from "./validation.ts";
import { checkWhole } from "./whole-number.ts";

/** How a data set is cut into tasks. Give one of `tasks` and `classesPerTask`, or neither. */
export interface SplitScenarioOptions {
  /** Draws which images validate. */
  readonly seed: number;
  /** How many tasks, 1 up to half the number of classes; they differ by at most one class, the larger ones first. */
  readonly tasks?: number;
  /** How many classes a task has, the last one what is left. Default 2: the digits 0 and 1, then 2 and 3, ... */
  readonly classesPerTask?: number;
  /** Share of a task's training images that validate, 0 (the training images themselves) up to 1. Default 0.15. */
  readonly validationShare?: number;
  /** Default: measured on the whole training set. */
  readonly normalisation?: Normalisation;
}

/**
 * Cuts the classes of a data set into tasks, in the order of their labels: Split MNIST and its kin.
 *
 * @throws ConfigError when the cut is impossible, or leaves a task with a single class or without images
 */
export function splitScenario(dataset: Dataset, options: SplitScenarioOptions): Scenario {
  checkKeys("splitScenario", options, {
    seed: true,
    tasks: true,
    classesPerTask: true,
    validationShare: true,
    normalisation: true,
  });
  const { seed, validationShare = publishedValidationShare } = options;
  checkShare(validationShare);
  const transform = splitTransform(options.normalisation ?? measureNormalisation(dataset.train));
  const groups = classGroups(dataset, options);
  const tasks = groups.map((group, id): Task => {
    const labels = new Map(group.map((label, taskLabel) => [label, taskLabel]));
    const classes = group.map((label) => dataset.classes[label]!);
    const name = groupName(classes);
    const of = (set: ImageSet, part: string): Uint32Array =>
      imagesOf(set, labels, `${part} of ${taskInWords({ id, name })}`);
    const images = of(dataset.train, "training set");
    const stream = new Stream(seed, `validation/${id}`);
    const { train, validation } = located(
      () => taskInWords({ id, name }),
      () => splitValidation(images, validationShare, stream, dataset.train.labels),
    );
    return {
      id,
      name,
      classes,
      transform,
      train: imageSplit(dataset.train, train, { labels, transform }),
      validation: imageSplit(dataset.train, validation, { labels, transform }),
      test: imageSplit(dataset.test, of(dataset.test, "test set"), { labels, transform }),
    };
  });
  return { name: `split-${dataset.name}`, inputShape: dataset.train.shape, tasks };
}

/** The transform of every task of a split scenario: normalisation alone. */
export function splitTransform({ mean, std }: Normalisation): Transform {
  return [{ kind: "normalise", mean, std }];
}

/** Two groups never have one name: a class whose name could be read as several of them, or as a range, stands in quotes. */
function groupName(classes: readonly string[]): string {
  const names = classes.map((name) => (/,|"| to /.test(name) ? JSON.stringify(name) : name));
  return names.length <= 5 ? names.join(", ") : `${names[0]} to ${names.at(-1)}`;
}

function classGroups(dataset: Dataset, options: SplitScenarioOptions): readonly (readonly number[])[] {
  const total = dataset.classes.length;
  const { tasks } = options;
  if (tasks !== undefined && options.classesPerTask !== undefined) {
    throw new ConfigError("BAD_VALUE", "give a split scenario either tasks or classesPerTask, not both");
  }
  if (tasks !== undefined) checkWhole("tasks", tasks, 1);
  if (options.classesPerTask !== undefined) checkWhole("classesPerTask", options.classesPerTask, 2);
  const size = options.classesPerTask ?? 2;
  const most = Math.floor(total / 2);
  if (tasks === undefined ? total % size === 1 : tasks > most) {
    const cut =
      tasks === undefined ? `tasks of ${size} classes` : `${tasks} ${tasks === 1 ? "task" : "tasks"}`;
    const each = tasks === 1 ? "" : " each";
    const classes = total === 1 ? "1 class, which does" : `${total} classes, which do`;
    const range =
      most === 0 ? "get images of more classes" : `tasks may be 1${most > 1 ? ` to ${most}` : ""}`;
    throw new ConfigError(
      "BAD_SPLIT",
      `"${dataset.name}" has ${classes} not make ${cut} with at least 2 classes${each}; ${range}`,
    );
  }
  const sizes = tasks === undefined ? fullGroups(total, size) : evenGroups(total, tasks);
  let first = 0;
  return sizes.map((length) => {
    const group = Array.from({ length }, (_, i) => first + i);
    first += length;
    return group;
  });
}

/** Sizes of as many groups as are asked for, the larger ones first; they differ by at most one class. */
function evenGroups(classes: number, groups: number): readonly number[] {
  const [size, larger] = [Math.floor(classes / groups), classes % groups];
  return Array.from({ length: groups }, (_, group) => size + (group < larger ? 1 : 0));
}

/** Sizes of groups of so many classes; the last one has what is left. */
function fullGroups(classes: number, size: number): readonly number[] {
  return Array.from({ length: Math.ceil(classes / size) }, (_, group) =>
    Math.min(size, classes - group * size),
  );
}

function imagesOf(set: ImageSet, labels: ReadonlyMap<number, number>, what: string): Uint32Array {
  const indices: number[] = [];
  set.labels.forEach((label, index) => {
    if (labels.has(label)) indices.push(index);
  });
  if (indices.length === 0) throw new ConfigError("EMPTY_SPLIT", `the ${what} has no images`);
  return Uint32Array.from(indices);
}
