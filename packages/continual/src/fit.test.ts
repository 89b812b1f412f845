import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  ConfigError,
  keep,
  memoryUse,
  NumericError,
  availableBackends,
  tensor,
  type Tensor,
} from "@milliner/core";
import { fit, publishedSchedule, startFit, type Batch, type Schedule, type Trainable } from "./fit.ts";
import type { Split, Task } from "./task.ts";
import { testContext } from "./testing/test-context.ts";

const backend = availableBackends()[0]!;

/** Image i is the one value i, and so is its label: a batch shows which images it holds. */
function counted(size: number): Split {
  return {
    size,
    shape: [1, 1, 1],
    labels: Int32Array.from({ length: size }, (_, i) => i),
    read: (indices, into) => {
      for (let i = 0; i < indices.length; i++) into[i] = indices[i]!;
    },
  };
}

function taskOf(train: Split): Task {
  const classes = Array.from({ length: train.size }, (_, i) => `class ${i}`);
  return { id: 3, name: "odd", classes, transform: "none", train, validation: train, test: train };
}

const task = taskOf(counted(10));
const halving: Schedule = { epochs: 100, batchSize: 4, lr: 1, lrFactor: 2, lrPatience: 2, lrMin: 0.25 };

let weight: Tensor;
let buffersBefore: number;
beforeEach(() => {
  buffersBefore = memoryUse().buffers;
  weight = keep(tensor([0], [1], { backend }));
});
afterEach(() => {
  weight.dispose();
  expect(memoryUse().buffers, "buffers left behind").toBe(buffersBefore);
});

/** Counts its steps in its one weight, and hears from `losses` how each epoch went. */
function scripted(losses: readonly number[], step: (batch: Batch) => number = () => 1): Trainable {
  let epoch = 0;
  return {
    step(batch) {
      const loss = step(batch);
      if (Number.isFinite(loss)) weight.data[0]! += 1;
      return loss;
    },
    validate: () => ({ loss: losses[epoch++]!, accuracy: 0 }),
    state: () => new Map([["weight", weight]]),
  };
}

function repeated(loss: number, count: number): number[] {
  return Array.from({ length: count }, () => loss);
}

/** Fits, and says with which learning rate each epoch ran. */
async function rates(schedule: Schedule, trainable: Trainable): Promise<readonly number[]> {
  const run = testContext();
  const epochs = await fit(task, schedule, trainable, startFit(task, schedule), run, backend);
  const seen = run.seen.flatMap((event) => (event.type === "epoch-ended" ? [event.lr] : []));
  expect(seen).toHaveLength(epochs);
  return seen;
}

describe("the published schedule", () => {
  test("divides the rate when patience runs out, begins to wait anew with each better loss, and ends below lrMin", async () => {
    // Better: epochs 1, 4, 6. As good as before is not better (epoch 2). Patience 2 runs out after epochs 3, 8 and 10; the
    // rate is then 1/2, 1/4 (lrMin itself still trains) and 1/8, which ends it.
    const losses = [5, 5, 6, 4, 4.5, 3.9, 4, 4, 9, 9];

    expect(await rates(halving, scripted(losses))).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]);
  });

  test("patience begins anew after a division: a single worse epoch does not divide twice", async () => {
    expect(await rates({ ...halving, epochs: 5 }, scripted([1, 2, 2, 2, 2]))).toEqual([1, 1, 1, 0.5, 0.5]);
  });

  test("puts back the state of the best epoch, the first of those that are equal", async () => {
    await rates(halving, scripted([5, 5, 6, 4, 4.5, 3.9, 3.9, 4, 9, 9]));

    expect(weight.data[0], "three batches in each of six epochs").toBe(18);
  });

  test("a task that never gets better ends after 31 epochs: 6 at 0.05, and 5 at each of 0.05/3 .. 0.05/3^5", async () => {
    const seen = await rates(publishedSchedule, scripted(repeated(1, 200)));

    expect(seen).toHaveLength(31);
    expect(seen.slice(0, 6)).toEqual(repeated(0.05, 6));
    expect(seen.slice(6).map((lr) => Math.round(Math.log(0.05 / lr) / Math.log(3)))).toEqual(
      [1, 2, 3, 4, 5].flatMap((power) => repeated(power, 5)),
    );
  });

  test("without lrMin a task ends when its rate is 0 to the kernels, below 2^-126", async () => {
    const steep = { ...halving, lrFactor: 2 ** 64, lrPatience: 1, lrMin: 0 };

    expect(await rates(steep, scripted(repeated(1, 100)))).toEqual([1, 1, 2 ** -64]);
  });

  test("a task that always gets better ends after its 200 epochs, with its last state", async () => {
    const losses = Array.from({ length: 200 }, (_, i) => 200 - i);

    expect(await rates(publishedSchedule, scripted(losses))).toEqual(repeated(0.05, 200));
    expect(weight.data[0], "one batch of 64 holds all images").toBe(200);
  });

  test("is that of the paper", () => {
    expect(publishedSchedule).toEqual({
      epochs: 200,
      batchSize: 64,
      lr: 0.05,
      lrFactor: 3,
      lrPatience: 5,
      lrMin: 1e-4,
    });
  });
});

describe("the batches of an epoch", () => {
  test("show every image once, in another order each epoch, and the last and smaller batch is used", async () => {
    const epochs: number[][] = [];
    const seen: Omit<Batch, "images" | "labels">[] = [];
    const trainable = scripted([1, 1], ({ images, labels, ...rest }) => {
      expect([...images.shape]).toEqual([labels.length, 1, 1, 1]);
      expect([...images.data]).toEqual([...labels]);
      if (rest.batch === 0) epochs.push([]);
      epochs.at(-1)!.push(...labels);
      seen.push(rest);
      return 1;
    });
    await rates({ ...halving, epochs: 2 }, trainable);

    const all = Array.from({ length: 10 }, (_, i) => i);
    for (const order of epochs) expect([...order].sort((a, b) => a - b)).toEqual(all);
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(seen).toEqual(
      [0, 1, 2, 0, 1, 2].map((batch, step) => ({
        batch,
        batches: 3,
        sample: 4 * batch,
        samples: 10,
        step,
        lr: 1,
      })),
    );
  });

  test("come in the same order for the same seed, and in another for another seed or task", async () => {
    const order = async (of: Task, seed: number): Promise<readonly number[]> => {
      const seen: number[] = [];
      const trainable = scripted([1], ({ labels }) => seen.push(...labels));
      const once = { ...halving, epochs: 1 };
      await fit(of, once, trainable, startFit(of, once), testContext({ seed }), backend);
      return seen;
    };
    const first = await order(task, 1);

    expect(await order(task, 1)).toEqual(first);
    expect(await order(task, 2)).not.toEqual(first);
    expect(await order({ ...task, id: 4 }, 1)).not.toEqual(first);
  });
});

describe("what goes wrong is refused where it happens", () => {
  const whole = { ...halving, epochs: 4 };
  const start = async (trainable: Trainable, of: Task = task, schedule: Schedule = whole): Promise<number> =>
    await fit(of, schedule, trainable, startFit(of, schedule), testContext(), backend);

  test.each([NaN, Infinity, -Infinity])("a loss of %d, with task, epoch and batch", async (bad) => {
    const failed = start(scripted([2, 1], ({ step }) => (step === 5 ? bad : 1)));

    await expect(failed).rejects.toThrow(NumericError);
    await expect(failed).rejects.toMatchObject({
      code: "NON_FINITE_LOSS",
      message: expect.stringContaining(`became ${bad} in task 3 ("odd"), epoch 2, batch 3 of 3`),
    });
    expect(weight.data[0], "the steps before it").toBe(5);
  });

  test("a validation loss that is not finite, with task and epoch", async () => {
    await expect(start(scripted([2, NaN]))).rejects.toMatchObject({
      code: "NON_FINITE_LOSS",
      message: expect.stringContaining(`task 3 ("odd"), epoch 2, validation`),
    });
  });

  test("a NumericError of the step, with its own code and words behind the place", async () => {
    const failed = start(
      scripted([1], () => {
        throw new NumericError("NON_FINITE_GRADIENT", "gradient of w is NaN");
      }),
    );

    await expect(failed).rejects.toMatchObject({
      code: "NON_FINITE_GRADIENT",
      message: `task 3 ("odd"), epoch 1, batch 1 of 3: gradient of w is NaN`,
    });
  });

  test("a NumericError of the validation, with its own code and words behind the place", async () => {
    const validate = (): never => {
      throw new NumericError("NON_FINITE_LOGITS", "logit 0 of image 2 is NaN");
    };

    await expect(start({ ...scripted([1]), validate })).rejects.toMatchObject({
      code: "NON_FINITE_LOGITS",
      message: `task 3 ("odd"), epoch 1, validation: logit 0 of image 2 is NaN`,
    });
  });

  test("an image with NaN, before any step has seen it", async () => {
    const sound = counted(10);
    const poisoned: Split = {
      ...sound,
      read(indices, into) {
        sound.read(indices, into);
        into.forEach((value, i) => (into[i] = value === 7 ? NaN : value));
      },
    };
    const seen: number[] = [];
    const failed = start(
      scripted([1], ({ labels }) => seen.push(...labels)),
      taskOf(poisoned),
    );

    await expect(failed).rejects.toMatchObject({
      code: "NON_FINITE_DATA",
      message: expect.stringMatching(/^task 3 \("odd"\), epoch 1, batch \d of 3: value 0 of image 7 is NaN/),
    });
    expect(seen).not.toContain(7);
  });

  test("an error that is no NumericError, as it is", async () => {
    const thrown = new TypeError("a bug");

    await expect(
      start(
        scripted([1], () => {
          throw thrown;
        }),
      ),
    ).rejects.toBe(thrown);
  });

  test("a task without training images", async () => {
    const failed = start(scripted([1]), taskOf(counted(0)));

    await expect(failed).rejects.toThrow(ConfigError);
    await expect(failed).rejects.toMatchObject({ code: "EMPTY_SPLIT" });
  });

  test.each<[Partial<Schedule>, RegExp]>([
    [{ epochs: 0 }, /epochs must be a whole number from 1 up, not 0/],
    [{ batchSize: 1.5 }, /batchSize .* not 1\.5/],
    [{ lrPatience: NaN }, /lrPatience .* not NaN/],
    [{ lr: 0 }, /^lr must be a number above 0, not 0/],
    [{ lr: Infinity }, /^lr .* not Infinity/],
    [{ lrFactor: 1 }, /^lrFactor must be a number above 1, not 1/],
    [{ lrMin: -1 }, /^lrMin must be a number from 0 up, not -1/],
  ])("a schedule with %o, with its numbers", async (change, message) => {
    const failed = start(scripted([1]), task, { ...whole, ...change });

    await expect(failed).rejects.toMatchObject({
      code: "BAD_VALUE",
      message: expect.stringMatching(message),
    });
    expect(weight.data[0]).toBe(0);
  });
});

test("the events say what happened: one start, progress, and the figures of each epoch", async () => {
  const run = testContext();
  const schedule = { ...halving, epochs: 2 };
  const trainable = scripted([0.5, 0.25], ({ step }) => step);
  await fit(task, schedule, trainable, startFit(task, schedule), run, backend);

  const progress = (epoch: number): object => ({ type: "progress", task: 3, epoch, epochs: 2, fraction: 0 });
  const ended = (epoch: number, trainLoss: number, validationLoss: number): object => ({
    type: "epoch-ended",
    task: 3,
    epoch,
    epochs: 2,
    lr: 1,
    trainLoss,
    validationLoss,
    validationAccuracy: 0,
  });
  // Batches of 4, 4 and 2 images, whose losses are 0, 1, 2 and then 3, 4, 5.
  expect(run.seen).toEqual([
    { type: "task-started", task: 3, name: "odd", epochs: 2 },
    progress(0),
    ended(0, 0.8, 0.5),
    progress(1),
    ended(1, 3.8, 0.25),
  ]);
});

test("the training loss is the mean over the images: one image that is left over counts as one, not as a batch", async () => {
  const run = testContext();
  const odd = taskOf(counted(65));
  const schedule = { ...halving, epochs: 1, batchSize: 64 };
  const trainable = scripted([1], ({ labels }) => (labels.length === 1 ? 6.5 : 0));

  await fit(odd, schedule, trainable, startFit(odd, schedule), run, backend);

  const losses = run.seen.flatMap((event) => (event.type === "epoch-ended" ? [event.trainLoss] : []));
  expect(losses).toEqual([0.1]);
});
