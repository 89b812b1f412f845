import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { availableBackends, CheckpointError, keep, tensor, type Tensor } from "@milliner/core";
import { readerOf, takeSnapshot, type Snapshot } from "./checkpoint.ts";
import {
  fit,
  loadFit,
  publishedSchedule,
  saveFit,
  startFit,
  type FitState,
  type Schedule,
  type Trainable,
} from "./fit.ts";
import type { CheckpointWriter, Learner } from "./learner.ts";
import type { Split, Task } from "./task.ts";
import { testContext } from "./testing/test-context.ts";

const backend = availableBackends()[0]!;
const ten: Split = {
  size: 10,
  shape: [1, 1, 1],
  labels: new Int32Array(10),
  read: (indices, into) => void into.fill(0, 0, indices.length),
};
const task: Task = {
  id: 3,
  name: "odd",
  classes: ["a"],
  transform: "none",
  train: ten,
  validation: ten,
  test: ten,
};
const halving: Schedule = { epochs: 100, batchSize: 4, lr: 1, lrFactor: 2, lrPatience: 2, lrMin: 0.25 };

let weight: Tensor;
beforeEach(() => {
  weight = keep(tensor([0], [1], { backend }));
});
afterEach(() => weight.dispose());

/** A step adds 1 to the one weight, and no epoch is better than another. */
function steady(): Trainable {
  return {
    step: () => (weight.data[0]! += 1),
    validate: () => ({ loss: 1, accuracy: 0 }),
    state: () => new Map([["weight", weight]]),
  };
}

/** What `saveFit` writes, by way of a learner that saves nothing else. */
function snapshotOf(state: FitState | null): Promise<Snapshot> {
  const save = async (into: CheckpointWriter): Promise<void> => saveFit(state, into);
  return takeSnapshot({ name: "fit", save } as Learner);
}

async function stored(state: FitState | null): Promise<FitState | null> {
  const { arrays, values } = await snapshotOf(state);
  // Through text, as a file would.
  const json = JSON.parse(JSON.stringify([...values])) as [string, unknown][];
  const trained = { tasks: [task.id], shapes: new Map([["weight", [1]]]) };
  return loadFit(readerOf({ arrays, values: new Map(json) }, "the test"), trained);
}

describe("a state that is saved and loaded", () => {
  // A weight that wanders by what it is shown, at the rate of the schedule, and a loss that rises and falls with it.
  const wandering = (): Trainable => ({
    step({ labels, lr, step }) {
      labels.forEach((label, i) => {
        weight.data[0]! += lr * 0.1 * Math.sin(label + i + step);
      });
      return 1;
    },
    validate: () => ({ loss: 1 + Math.sin(40 * weight.data[0]!), accuracy: 0 }),
    state: () => new Map([["weight", weight]]),
  });

  test("goes on from the end of any epoch with the same bits", async () => {
    const saved: { state: FitState; weight: number }[] = [];
    const state = startFit(task, halving);
    const onCheckpoint = async (): Promise<void> => {
      saved.push({ state: (await stored(state))!, weight: weight.data[0]! });
    };
    const epochs = await fit(task, halving, wandering(), state, testContext({ onCheckpoint }), backend);
    const expected = { weight: weight.data[0], state };

    expect(saved).toHaveLength(epochs);
    expect(epochs, "or this test shows little").toBeGreaterThan(6);
    for (const from of saved) {
      weight.data[0] = from.weight;
      const resumed = await fit(task, halving, wandering(), from.state, testContext(), backend);

      expect(resumed).toBe(epochs);
      expect({ weight: weight.data[0], state: from.state }).toEqual(expected);
    }
  });

  test.each([
    ["before the first epoch", startFit(task, halving)],
    ["with no task under way", null],
    ["with figures that have no short decimal", { ...startFit(task, publishedSchedule), lr: 0.05 / 27 }],
  ])("is the same %s", async (_, state) => {
    expect(await stored(state)).toEqual(state);
  });

  test("has begun already: the task is not announced again", async () => {
    const state = startFit(task, halving);
    const short = { ...halving, epochs: 1 };
    await fit(task, short, steady(), state, testContext(), backend);
    const run = testContext();
    await fit(task, { ...halving, epochs: 2 }, steady(), (await stored(state))!, run, backend);

    expect(run.seen.map(({ type }) => type)).toEqual(["progress", "epoch-ended"]);
  });

  test("keeps the best values as they were then, not as training changes them", async () => {
    const state = startFit(task, { ...halving, epochs: 1 });
    await fit(task, { ...halving, epochs: 1 }, steady(), state, testContext(), backend);
    weight.data[0] = 77;

    expect(state.best).toEqual(new Map([["weight", Float32Array.of(3)]]));
  });

  const best = new Map([["weight", Float32Array.of(1)]]);
  const sound: FitState = { ...startFit(task, halving), epoch: 1, step: 3, bestLoss: 1, best };
  test.each<[string, FitState]>([
    ["best values of another name", { ...sound, best: new Map([["other", Float32Array.of(1)]]) }],
    ["too few best values", { ...sound, best: new Map([["weight", new Float32Array(0)]]) }],
    ["too many best values", { ...sound, best: new Map([["weight", new Float32Array(2)]]) }],
    ["best values that nothing has", { ...sound, best: new Map([...best, ["other", Float32Array.of(1)]]) }],
    ["a best loss without best values", { ...sound, best: null }],
    ["best values without a best loss", { ...sound, bestLoss: Infinity }],
    ["an epoch that ended without a best state", { ...sound, bestLoss: Infinity, best: null }],
    ["a task that has nothing else", { ...sound, task: 7 }],
    ["best values that are NaN", { ...sound, best: new Map([["weight", Float32Array.of(NaN)]]) }],
    ["a patience of 0", { ...sound, patience: 0 }],
    ["a negative rate", { ...sound, lr: -1 }],
  ])("is refused with %s, and no weight changes", async (_, state) => {
    const resume = async (): Promise<unknown> =>
      fit(task, halving, steady(), (await stored(state))!, testContext(), backend);

    await expect(resume()).rejects.toThrow(CheckpointError);
    expect(weight.data[0]).toBe(0);
  });
});
