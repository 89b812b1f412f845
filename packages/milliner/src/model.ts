import {
  dropout,
  flatten,
  linear,
  network,
  relu,
  type Backend,
  type Network,
  type Transform,
} from "@milliner/core";
import {
  permutedScenario,
  permutedTransform,
  splitScenario,
  splitTransform,
  type Learner,
  type Scenario,
  type Schedule,
} from "@milliner/continual";
import { JointLearner, RandomBodyLearner, SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import { measureNormalisation, type Dataset, type Normalisation } from "@milliner/data";
import { Hat } from "@milliner/hat";
import type { ControlName, Settings } from "./settings/settings.ts";

/**
 * The tasks that settings make of a data set.
 * @param normalisation - default: measured on its training images
 * @throws ConfigError when the classes cannot be cut so
 */
export function makeScenario(
  settings: Settings,
  dataset: Dataset,
  normalisation: Normalisation = measureNormalisation(dataset.train),
): Scenario {
  const { scenario, seed, tasks, validation: validationShare } = settings;
  const options = { seed, validationShare, normalisation, ...(tasks === null ? {} : { tasks }) };
  switch (scenario) {
    case "split":
      return splitScenario(dataset, options);
    case "permuted":
      return permutedScenario(dataset, options);
    default:
      return scenario satisfies never;
  }
}

/** The transform of a task, as `makeScenario` makes it of images of that shape: without the images. */
export function makeTransform(
  { scenario, seed }: Settings,
  inputShape: Scenario["inputShape"],
  normalisation: Normalisation,
  task: number,
): Transform {
  switch (scenario) {
    case "split":
      return splitTransform(normalisation);
    case "permuted":
      return permutedTransform(seed, task, inputShape, normalisation);
    default:
      return scenario satisfies never;
  }
}

/** The network that all tasks share: hidden layers with dropout, for images of one shape. */
export function makeBody(settings: Settings, inputShape: Scenario["inputShape"]): Network {
  const { layers, width, inputDropout } = settings;
  const hidden = Array.from({ length: layers }, () => [linear(width), relu(), dropout(settings.dropout)]);
  return network(inputShape, flatten(), dropout(inputDropout), ...hidden.flat());
}

function scheduleOf(settings: Settings): Schedule {
  const { epochs, batchSize, lr, lrFactor, patience, lrMin } = settings;
  return { epochs, batchSize, lr, lrFactor, lrPatience: patience, lrMin };
}

/** HAT as the settings say. The caller disposes it. */
export function makeHat(settings: Settings, inputShape: Scenario["inputShape"], backend: Backend): Hat {
  const { seed, sMax, c, protection, compensation, annealing } = settings;
  const body = makeBody(settings, inputShape);
  return new Hat({
    body,
    backend,
    seed,
    schedule: scheduleOf(settings),
    sMax,
    c,
    protection,
    compensation,
    annealing,
  });
}

/** A method to compare with, with the same body, start and schedule. The caller disposes it. */
export function makeControl(
  name: ControlName,
  settings: Settings,
  scenario: Scenario,
  backend: Backend,
): Learner {
  const body = makeBody(settings, scenario.inputShape);
  const options = { body, backend, seed: settings.seed, schedule: scheduleOf(settings) };
  switch (name) {
    case "random-body":
      return new RandomBodyLearner(options);
    case "sgd-frozen":
      return new SgdFrozenLearner(options);
    case "sgd":
      return new SgdLearner(options);
    case "joint":
      return new JointLearner({ ...options, scenario });
    default:
      return name satisfies never;
  }
}
