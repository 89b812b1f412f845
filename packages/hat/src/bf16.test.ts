import { describe, expect, test, vi } from "vitest";
import {
  cpuStatus,
  dropout,
  flatten,
  linear,
  memoryUse,
  network,
  relu,
  selectBackend,
  Stream,
  tensor,
  tidy,
  type Backend,
  type Tensor,
} from "@milliner/core";
import { readerOf, run, takeSnapshot, type Schedule } from "@milliner/continual";
import { learnerConformance, syntheticScenario, testContext } from "@milliner/continual/testing";
import { Hat } from "./hat.ts";
import { Sleep, type Part } from "./sleep.ts";

// Read when the addon first needs it, and this file is a process of its own.
process.env["MILLINER_BF16"] = "emulated";

const schedule: Schedule = { epochs: 3, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 2, lrMin: 1e-4 };
const scenario = syntheticScenario();
// Wide enough that in float32 steps leave units out and evaluation makes plans, as the first test says.
const body = network(
  [4, 4, 1],
  flatten(),
  dropout(0.1),
  linear(160),
  relu(),
  dropout(0.3),
  linear(96),
  relu(),
);

function hat(backend: Backend, sleep = true): Hat {
  return new Hat({ body, backend, seed: 3, schedule, c: 0.5, sleep });
}

/** A learner that has loaded what another one learned of task 0, and was not asked for a logit yet. */
async function learned(backend: Backend): Promise<Hat> {
  const [trained, loaded] = [hat(backend), hat(backend)];
  await trained.learn(scenario.tasks[0]!, testContext());
  await loaded.load(readerOf(await takeSnapshot(trained), "the snapshot"));
  trained.dispose();
  return loaded;
}

function drawnImages(backend: Backend, n: number): Tensor {
  return tensor(new Stream(5, "images").uniform(16 * n, -1, 1), [n, 4, 4, 1], { backend });
}

// More than it takes for gathering to pay.
const manyImages = 4000;

const isThere = cpuStatus().available;

test.runIf(isThere).each([
  ["float32", true],
  ["bf16", false],
] as const)("this network is gathered, in steps and for logits, in %s: %s", async (precision, expected) => {
  const backend = selectBackend("cpu", { precision });
  const awake = vi.spyOn(Sleep.prototype, "awake");

  const learner = await learned(backend);

  const parts = awake.mock.results.map(({ value }) => value as Part);
  awake.mockRestore();
  expect(parts.some(({ numbers }) => numbers !== undefined)).toBe(expected);
  const { buffers } = memoryUse();
  tidy(() => void learner.logits(0, drawnImages(backend, manyImages)));
  expect(memoryUse().buffers > buffers).toBe(expected);
  learner.dispose();
});

describe.runIf(isThere)("in bf16, where gathering changes bits", () => {
  const bf16 = isThere ? selectBackend("cpu", { precision: "bf16" }) : undefined!;

  describe("HAT keeps the Learner contract", () => {
    for (const { name, check } of learnerConformance({ make: () => hat(bf16), scenario, backend: bf16 }))
      test(name, check);
  });

  test("the logits of an image are those of the masked network, however many are asked", async () => {
    const learner = await learned(bf16);
    const asked = tidy(() => learner.logits(0, drawnImages(bf16, manyImages)).toArray());

    const masked = tidy(() => learner.maskedLogits(0, drawnImages(bf16, manyImages)).toArray());

    expect(asked).toEqual(masked);
    learner.dispose();
  });

  test("a run keeps its old logits, also in a learner that has loaded the checkpoint, and sleep is no other run", async () => {
    const results = [];
    for (const sleep of [true, false]) {
      const learner = hat(bf16, sleep);
      const makeLearner = (): Hat => hat(bf16, sleep);
      const { bitExactOldLogits, forgetting, lockedHash, matrix } = await run(scenario, learner, {
        seed: 3,
        backend: bf16,
        makeLearner,
      });
      results.push({ bitExactOldLogits, forgetting, lockedHash, matrix });
      learner.dispose();
    }

    expect(results[0]).toMatchObject({ bitExactOldLogits: true, forgetting: 0 });
    expect(results[0]).toEqual(results[1]);
  });
});
