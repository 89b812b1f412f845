import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flatten, linear, memoryUse, network, relu, selectBackend } from "@milliner/core";
import { JointLearner, SgdLearner } from "@milliner/continual/baselines";
import { measureTask } from "./measure-task.ts";
import { run } from "./run.ts";
import type { TaskSet } from "./task-set.ts";
import type { Scenario, Split, Task } from "./task.ts";
import { syntheticScenario } from "./testing/synthetic-scenario.ts";
import { testContext } from "./testing/test-context.ts";

const backend = selectBackend();
const scenario = syntheticScenario({ imagesPerClass: 12 }); // 18 images of a task train, 6 validate, 12 test
const schedule = { epochs: 1, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 };
const options = { body: network([4, 4, 1], flatten(), linear(8), relu()), backend, seed: 7, schedule };

/** The scenario with one set of task 1 changed, as somebody may write it who has no compiler. */
function changed(set: TaskSet, change: object): Scenario {
  const tasks = scenario.tasks.map((task) =>
    task.id === 1 ? { ...task, [set]: { ...task[set], ...change } } : task,
  );
  return { ...scenario, tasks };
}

let parent = "";
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "milliner-check-task-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

describe("before anything is trained or written, `run` and `learn` refuse", () => {
  test.each<[string, TaskSet, object, string, RegExp]>([
    [
      "texts",
      "train",
      { labels: Array(18).fill("cat") },
      "BAD_LABEL",
      /label 0 of the training set .* "cat"/,
    ],
    ["one-hot lists", "train", { labels: Array(18).fill([0, 1]) }, "BAD_LABEL", /is a list of 2; .* 0 to 1/],
    [
      "NaN for a label",
      "validation",
      { labels: Float32Array.of(0, 1, 0, NaN, 1, 0) },
      "BAD_LABEL",
      /label 3 .* NaN/,
    ],
    // What onnxruntime gives for int64: github.com/microsoft/onnxruntime/pull/16541
    ["BigInts", "train", { labels: new BigInt64Array(18) }, "BAD_LABEL", /label 0 .* is 0n, a BigInt; /],
    ["half a class", "train", { labels: Array(18).fill(0.5) }, "BAD_LABEL", /is 0\.5; /],
    [
      "a class that the task has not",
      "validation",
      { labels: Int32Array.of(0, 1, 2, 0, 0, 0) },
      "BAD_LABEL",
      /label 2 .* is 2; /,
    ],
    ["a label below 0", "train", { labels: new Int32Array(18).fill(-1) }, "BAD_LABEL", /is -1; /],
    ["labels with holes", "train", { labels: Array(18) }, "BAD_LABEL", /is undefined; /],
    [
      "a Map of labels",
      "train",
      { labels: new Map([[0, 1]]) },
      "BAD_SPLIT",
      /18 images, but no list of labels/,
    ],
    [
      "labels that are numbered, and no list",
      "train",
      { labels: Object.assign(Object.create(null), Array(18).fill(0), { length: 18 }) },
      "BAD_SPLIT",
      /18 images, but no list of labels/,
    ],
    ["too few labels", "train", { labels: new Int32Array(9) }, "BAD_SPLIT", /has 18 images, but 9 labels/],
    ["too many labels", "train", { labels: new Int32Array(19) }, "BAD_SPLIT", /has 18 images, but 19 labels/],
    ["half an image", "train", { size: 17.5 }, "BAD_SPLIT", /has size 17\.5; /],
    ["a size that is a text", "validation", { size: "6" }, "BAD_SPLIT", /validation set .* has size "6"; /],
    [
      "a set without images",
      "validation",
      { size: 0, labels: [] },
      "EMPTY_SPLIT",
      /^the validation set of task 1 \("class 2, class 3"\) has no images/,
    ],
    ["a shape of two lengths", "train", { shape: [4, 4] }, "BAD_SPLIT", /shape \[4, 4\]; an image is/],
    [
      "two shapes in a task",
      "validation",
      { shape: [2, 8, 1] },
      "BAD_SPLIT",
      /\[2, 8, 1\], but its training set \[4, 4, 1\]/,
    ],
    ["a set that cannot be read", "train", { read: undefined }, "BAD_SPLIT", /has no function read/],
  ])("%s", async (_, set, change, code, message) => {
    const wrong = changed(set, change);
    const refusal = { name: "ConfigError", code, message: expect.stringMatching(message) };
    const buffers = memoryUse().buffers;
    const learner = new SgdLearner(options);

    await expect(
      run(wrong, learner, { seed: 1, backend, folder: join(parent, "run") }),
    ).rejects.toMatchObject(refusal);
    await expect(learner.learn(wrong.tasks[1]!, testContext())).rejects.toMatchObject(refusal);

    expect(await readdir(parent)).toEqual([]);
    await learner.learn(scenario.tasks[0]!, testContext()); // nothing was begun, or another task would have to wait
    learner.dispose();
    expect(memoryUse().buffers).toBe(buffers);
  });

  test.each(["train", "validation"] as const)(
    "a %s set that has become another since the task was begun",
    async (set) => {
      const learner = new SgdLearner({ ...options, schedule: { ...schedule, epochs: 2 } });
      const onCheckpoint = (): Promise<never> => Promise.reject(new Error("stopped"));
      const labels = Array(scenario.tasks[1]![set].size).fill("cat");

      await expect(learner.learn(scenario.tasks[1]!, testContext({ onCheckpoint }))).rejects.toThrow(
        "stopped",
      );

      await expect(learner.learn(changed(set, { labels }).tasks[1]!, testContext())).rejects.toMatchObject({
        code: "BAD_LABEL",
      });
      learner.dispose();
    },
  );

  test("in joint training, what is wrong in an earlier task of the scenario", async () => {
    const wrong = changed("train", { labels: Array(18).fill("cat") });
    const learner = new JointLearner({ ...options, scenario: wrong });

    await expect(learner.learn(wrong.tasks[2]!, testContext())).rejects.toMatchObject({ code: "BAD_LABEL" });
    learner.dispose();
  });

  test("by `run` alone, a test set without images: nobody is asked for it while a task is learned", async () => {
    const wrong = changed("test", { size: 0, labels: [] });
    const learner = new SgdLearner(options);

    await expect(run(wrong, learner, { seed: 1, backend })).rejects.toMatchObject({
      code: "EMPTY_SPLIT",
      message: `the test set of task 1 ("class 2, class 3") has no images`,
    });
    await learner.learn(wrong.tasks[1]!, testContext());
    learner.dispose();
  });
});

test("joint training asks for no test set either, whatever it would have been joined to", async () => {
  const bitsAfter = async (of: Scenario): Promise<string> => {
    const learner = new JointLearner({ ...options, scenario: of });
    await learner.learn(scenario.tasks[2]!, testContext());
    const { logitsSha256 } = measureTask(learner, scenario.tasks[1]!, backend);
    learner.dispose();
    return logitsSha256;
  };

  expect(await bitsAfter(changed("test", { size: undefined }))).toBe(await bitsAfter(scenario));
});

describe("at the first batch of the split it is, `run` refuses", () => {
  const sound = (set: TaskSet): Split => scenario.tasks[1]![set];
  const reads: Record<string, (split: Split) => (indices: ArrayLike<number>, into: Float32Array) => unknown> =
    {
      "an async read": (split) => async (indices, into) => {
        await Promise.resolve();
        split.read(indices, into);
      },
      "a read that writes nothing": () => () => undefined,
      "a read that writes one image of several": (split) => (indices, into) =>
        split.read([indices[0]!], into.subarray(0, 16)),
      "a read that returns an array of its own": (split) => (indices) => {
        const images = new Float32Array(indices.length * 16);
        split.read(indices, images);
        return images;
      },
    };

  test.each([
    [
      "an async read",
      "train",
      /^task 1 \("class 2, class 3"\), epoch 1, batch 1 of 3: read of the split returned a promise/,
    ],
    [
      "a read that writes nothing",
      "train",
      /batch 1 of 3: .* 8 images and has not written value 0 of image \d+; /,
    ],
    [
      "a read that writes one image of several",
      "train",
      /batch 1 of 3: .* has not written value 0 of image \d+; /,
    ],
    ["a read that returns an array of its own", "train", /read of the split returned an object/],
    [
      "a read that writes nothing",
      "validation",
      /epoch 1, validation: .* 6 images and has not written value 0 of image 0/,
    ],
    [
      "a read that writes nothing",
      "test",
      /"sgd" on the test set of task 1 \("class 2, class 3"\): .* has not written/,
    ],
  ] as const)("%s, of the %s set", async (how, set, message) => {
    const buffers = memoryUse().buffers;
    const learner = new SgdLearner(options);
    const running = run(changed(set, { read: reads[how]!(sound(set)) }), learner, {
      seed: 1,
      backend,
      unlearned: "none",
    });

    await expect(running).rejects.toMatchObject({
      name: "ConfigError",
      code: "BAD_SPLIT",
      message: expect.stringMatching(message),
    });
    learner.dispose();
    expect(memoryUse().buffers).toBe(buffers);
  });

  test.each(["train", "validation", "test"] as const)(
    "before the first task is learned where it has a folder, by the name of the %s set",
    async (set) => {
      const learner = new SgdLearner(options);
      const wrong = changed(set, { read: () => undefined });
      const seen: string[] = [];
      const events = ({ type }: { readonly type: string }): void => void seen.push(type);

      await expect(
        run(wrong, learner, { seed: 1, backend, folder: join(parent, "run"), events }),
      ).rejects.toMatchObject({
        code: "BAD_SPLIT",
        message: expect.stringMatching(
          /^the \w+ set of task 1 \("class 2, class 3"\): read of the split was asked/,
        ),
      });
      expect(seen).toEqual([]);
      learner.dispose();
    },
  );

  test("a read that writes no more images than the first batch had", async () => {
    const split = sound("train");
    const eight = {
      read: (indices: ArrayLike<number>, into: Float32Array) =>
        split.read(Array.from(indices).slice(0, 8), into.subarray(0, 8 * 16)),
    };
    const tasks = changed("train", eight).tasks.map((task): Task => ({ ...task, validation: task.train }));
    const learner = new SgdLearner(options);

    await expect(learner.learn(tasks[1]!, testContext())).rejects.toMatchObject({
      code: "BAD_SPLIT",
      message: expect.stringMatching(
        /validation: .* asked for 18 images and has not written value 0 of image 8/,
      ),
    });
    learner.dispose();
  });

  test("but not a read that answers with what it has written to, nor labels in an ordinary list", async () => {
    const split = sound("train");
    const same = changed("train", {
      labels: [...split.labels],
      read: (indices: ArrayLike<number>, into: Float32Array) => {
        split.read(indices, into);
        return into;
      },
    });
    const logitsAfter = async (of: Scenario): Promise<readonly string[]> => {
      const learner = new SgdLearner(options);
      await run(of, learner, { seed: 1, backend });
      const hashes = scenario.tasks.map((task) => measureTask(learner, task, backend).logitsSha256);
      learner.dispose();
      return hashes;
    };

    expect(await logitsAfter(same)).toEqual(await logitsAfter(scenario));
  });
});
