import { checkKeys, Stream, type Transform } from "@milliner/core";
import { measureNormalisation, type Dataset, type Normalisation } from "@milliner/data";
import { imageSplit } from "./split.ts";
import type { Scenario, Task } from "./task.ts";
import { publishedValidationShare, splitValidation } from "./validation.ts";
import { checkWhole } from "./whole-number.ts";

/** How permuted tasks are made. */
export interface PermutedScenarioOptions {
  /** Draws the permutations, and which images validate. */
  readonly seed: number;
  /** How many tasks. Default 10. */
  readonly tasks?: number;
  /** Share of the training images that validate, 0 (the training images themselves) up to 1. Default 0.15. */
  readonly validationShare?: number;
  /** Default: measured on the whole training set. */
  readonly normalisation?: Normalisation;
}

/**
 * Tasks that see the same images, all classes of them, each through a permutation of the pixels of its own. The first task
 * is permuted too: the identity is not among the permutations except by chance (hat.md 5.3). They come from the streams
 * (seed, `permutation/TASK`), so each seed has its own, and task t has the same however many tasks there are.
 *
 * @throws ConfigError when `tasks` is not a whole number from 1 up, or the validation share makes no sense
 */
export function permutedScenario(dataset: Dataset, options: PermutedScenarioOptions): Scenario {
  checkKeys("permutedScenario", options, {
    seed: true,
    tasks: true,
    validationShare: true,
    normalisation: true,
  });
  const { seed, tasks = 10, validationShare = publishedValidationShare } = options;
  checkWhole("tasks", tasks, 1);
  const normalisation = options.normalisation ?? measureNormalisation(dataset.train);
  const all = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);
  return {
    name: `permuted-${dataset.name}`,
    inputShape: dataset.train.shape,
    tasks: Array.from({ length: tasks }, (_, id): Task => {
      const transform = permutedTransform(seed, id, dataset.train.shape, normalisation);
      const { train, validation } = splitValidation(
        all(dataset.train.labels.length),
        validationShare,
        new Stream(seed, `validation/${id}`),
        dataset.train.labels,
      );
      return {
        id,
        name: `permutation ${id + 1}`,
        classes: dataset.classes,
        transform,
        train: imageSplit(dataset.train, train, { transform }),
        validation: imageSplit(dataset.train, validation, { transform }),
        test: imageSplit(dataset.test, all(dataset.test.labels.length), { transform }),
      };
    }),
  };
}

/** The transform of task `id`: its own permutation, which follows from seed and shape alone, then normalisation. */
export function permutedTransform(
  seed: number,
  id: number,
  [height, width]: Scenario["inputShape"],
  { mean, std }: Normalisation,
): Transform {
  const permutation = [...new Stream(seed, `permutation/${id}`).permutation(height * width)];
  return [
    { kind: "permute", permutation },
    { kind: "normalise", mean, std },
  ];
}
