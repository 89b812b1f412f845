import { describe, expect, test } from "vitest";
import {
  availableBackends,
  dropout,
  flatten,
  linear,
  memoryUse,
  network,
  onBackend,
  relu,
  conv2d,
  ConfigError,
  tidy,
  zeros,
  type Backend,
  type Network,
} from "@milliner/core";
import { readerOf, run, takeSnapshot, type Schedule } from "@milliner/continual";
import { learnerConformance, syntheticScenario, testContext } from "@milliner/continual/testing";
import { Hat } from "./hat.ts";
import type { HatOptions } from "./options.ts";

const schedule: Schedule = { epochs: 3, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 2, lrMin: 1e-4 };
const scenario = syntheticScenario();
const mlp = network([4, 4, 1], flatten(), dropout(0.1), linear(24), relu(), dropout(0.3), linear(24), relu());
const convolutional = network([4, 4, 1], conv2d(8, 3, { padding: 1 }), relu(), flatten(), linear(16), relu());

function hat(body: Network, backend: Backend, options: Partial<HatOptions> = {}): Hat {
  return new Hat({ body, backend, seed: 3, schedule, c: 0.5, ...options });
}

describe.each(availableBackends())("on the backend $name", (backend) => {
  describe.each(["min", "tight"] as const)(
    "HAT with protection %s keeps the Learner contract",
    (protection) => {
      const subject = { make: () => hat(mlp, backend, { protection }), scenario, backend };
      for (const { name, check } of learnerConformance(subject)) test(name, check);
    },
  );

  test.each([
    ["an MLP", mlp],
    ["a convolutional network", convolutional],
  ])("%s learns every task and changes no bit of an earlier one", async (_, body) => {
    const learner = hat(body, backend, { schedule: { ...schedule, epochs: 20 } });
    try {
      const result = await run(scenario, learner, { seed: 3, backend });

      expect(result.bitExactOldLogits).toBe(true);
      expect(result.lockedUnchanged).toBe(true);
      expect(result.forgetting).toBe(0);
      expect(result.acc).toBeGreaterThan(0.9);
    } finally {
      learner.dispose();
    }
  });

  test("what pruning is compared with is computed where the learner is, wherever the image is", async () => {
    const learner = hat(mlp, backend);
    await learner.learn(scenario.tasks[0]!, testContext());

    tidy(() => {
      const images = zeros([3, 4, 4, 1], { backend });
      const elsewhere = onBackend(images, { ...backend });
      const [here, there] = [images, elsewhere].map((one) => learner.maskedLogits(0, one));

      expect(there!.backend).toBe(backend);
      expect(there!.toArray()).toEqual(here!.toArray());
    });
    learner.dispose();
  });

  test("a task whose untrained gates close a layer has logits all the same", () => {
    const narrow = network([4, 4, 1], flatten(), linear(1), relu());
    const [task] = scenario.tasks;
    for (let seed = 0; seed < 8; seed++) {
      const learner = hat(narrow, backend, { seed });
      const logits = learner.untrainedLogits(task!, zeros([2, 4, 4, 1], { backend }));

      expect(logits.shape).toEqual([2, 2]);
      expect(logits.data.every(Number.isFinite)).toBe(true);
      learner.dispose();
    }
  });

  test("after an abort within an epoch nothing is learned until a checkpoint is loaded", async () => {
    const learner = hat(mlp, backend);
    const controller = new AbortController();
    let pauses = 0;
    const stopped = testContext({
      signal: controller.signal,
      onPause: () => {
        if (++pauses === 5) controller.abort(new Error("stop"));
      },
    });
    await expect(learner.learn(scenario.tasks[0]!, stopped)).rejects.toThrow("stop");

    for (const task of scenario.tasks) {
      await expect(learner.learn(task, testContext())).rejects.toMatchObject({ code: "TASK_UNFINISHED" });
    }
    learner.dispose();
  });

  test("a checkpoint whose masks are not of the tasks that have heads is refused, and changes nothing", async () => {
    const learner = hat(mlp, backend);
    try {
      for (const task of scenario.tasks.slice(0, 2)) await learner.learn(task, testContext());
      const sound = await takeSnapshot(learner);

      for (const masks of [[0], [1, 0], []]) {
        const values = new Map(sound.values).set("masks", masks);
        await expect(learner.load(readerOf({ ...sound, values }, "it"))).rejects.toMatchObject({
          name: "CheckpointError",
          message: expect.stringContaining(`heads of tasks [0, 1], masks of [${masks.join(", ")}]`),
        });
      }
      expect(await takeSnapshot(learner)).toEqual(sound);
    } finally {
      learner.dispose();
    }
  });

  test("a layer called like another one's parameter learns", async () => {
    const body = network(
      [4, 4, 1],
      flatten(),
      linear(8, { name: "a" }),
      relu(),
      linear(8, { name: "a.weight" }),
      relu(),
    );
    const learner = hat(body, backend, { c: 0, schedule: { ...schedule, epochs: 8 } });
    try {
      const result = await run(scenario, learner, { seed: 3, backend });

      expect(result.acc).toBeGreaterThan(0.7);
      expect(result.bitExactOldLogits).toBe(true);
    } finally {
      learner.dispose();
    }
  });

  test("a task that closes a layer is refused with what to do, and nothing is leaked", async () => {
    const before = memoryUse();
    const learner = hat(mlp, backend, { c: 1000, schedule: { ...schedule, epochs: 12 } });

    await expect(learner.learn(scenario.tasks[0]!, testContext())).rejects.toThrow(
      expect.objectContaining({
        code: "CLOSED_LAYER",
        message: expect.stringContaining("give the layer more units"),
      }),
    );
    learner.dispose();

    expect(memoryUse()).toEqual(before);
  });
});

test.each([
  ["sMax", { sMax: 0 }],
  ["c", { c: -1 }],
  ["protection", { protection: "max" as never }],
  ["compensation", { compensation: "some" as never }],
  ["annealing", { annealing: "none" as never }],
])("a setting %s that makes no sense is refused by name", (name, options) => {
  const [backend] = availableBackends();

  expect(() => hat(mlp, backend!, options)).toThrow(ConfigError);
  expect(() => hat(mlp, backend!, options)).toThrow(new RegExp(name));
});

test("a body without units to gate is refused", () => {
  const [backend] = availableBackends();

  expect(() => hat(network([4], relu()), backend!)).toThrow(expect.objectContaining({ code: "NO_UNITS" }));
});
