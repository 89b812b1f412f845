import { describe, expect, test } from "vitest";
import { availableBackends, ConfigError, memoryUse, NumericError, tensor, type Tensor } from "@milliner/core";
import { argmax, evaluate } from "./evaluate.ts";
import type { Learner } from "./learner.ts";
import { measureTask, measureUntrained } from "./measure-task.ts";
import type { Split } from "./task.ts";

/** Images of two values, which are the logits of two classes. */
function pairs(values: readonly (readonly [number, number])[], labels: readonly number[]): Split {
  return {
    size: values.length,
    shape: [1, 1, 2],
    labels: Int32Array.from(labels),
    read(indices, into) {
      for (let i = 0; i < indices.length; i++) into.set(values[indices[i]!]!, 2 * i);
    },
  };
}

test("argmax is the first of the largest values, as numpy and ONNX answer", () => {
  expect(argmax([1, 3, 3, 2])).toBe(1);
  expect(argmax([0, 0, 0])).toBe(0);
  expect(argmax([-0, 0]), "-0 and 0 are equal").toBe(0);
  expect(argmax([-2, -1])).toBe(1);
  expect(argmax([7])).toBe(0);
});

describe.each(availableBackends())("on the backend $name", (backend) => {
  const asLogits = (images: Tensor): Tensor => tensor(images.data, [images.shape[0]!, 2], { backend });

  test("a tie counts for the first class alone", () => {
    const tied = (label: number): number =>
      evaluate(pairs([[0.5, 0.5]], [label]), backend, asLogits).accuracy;

    expect(tied(0)).toBe(1);
    expect(tied(1)).toBe(0);
  });

  test("loss and accuracy are means over the images, not over the batches, of which the last is smaller", () => {
    // 256 images make a batch: the 44 of the second would weigh as much if batches were averaged.
    const values = Array.from({ length: 300 }, (_, i) => (i < 256 ? ([2, 0] as const) : ([0, 1] as const)));
    const { loss, accuracy } = evaluate(
      pairs(
        values,
        values.map(() => 0),
      ),
      backend,
      asLogits,
    );

    const expected = (256 * Math.log(1 + Math.exp(-2)) + 44 * Math.log(1 + Math.exp(1))) / 300;
    expect(accuracy).toBe(256 / 300);
    expect(Math.abs(loss - expected) / expected, "a float32 mean per batch").toBeLessThan(1e-5);
  });

  test("observe sees all logits, in the order of the images", () => {
    const values = Array.from({ length: 300 }, (_, i) => [i, -i] as const);
    const seen: number[] = [];
    evaluate(
      pairs(
        values,
        values.map(() => 0),
      ),
      backend,
      asLogits,
      (logits) => seen.push(...logits),
    );

    expect(seen).toEqual(Array.from(Float32Array.from(values.flat())));
  });

  test.each([NaN, Infinity, -Infinity])("a logit of %d is refused with its image and class", (bad) => {
    const values = Array.from({ length: 300 }, () => [0, 0] as const);
    const spoiled = (images: Tensor): Tensor => {
      const logits = asLogits(images);
      if (images.shape[0] === 44) logits.data[2 * 4 + 1] = bad; // image 4 of the second batch
      return logits;
    };
    const run = (): unknown =>
      evaluate(
        pairs(
          values,
          values.map(() => 0),
        ),
        backend,
        spoiled,
      );

    expect(run).toThrow(NumericError);
    expect(run).toThrow(expect.objectContaining({ code: "NON_FINITE_LOGITS" }));
    expect(run).toThrow(`logit 1 of image 260 is ${bad}`);
  });

  test("an image with NaN is refused with its number, whatever the logits would make of it", () => {
    const values = Array.from({ length: 300 }, (_, i) =>
      i === 257 ? ([0, NaN] as const) : ([0, 0] as const),
    );
    const run = (): unknown =>
      evaluate(
        pairs(
          values,
          values.map(() => 0),
        ),
        backend,
        (images) => tensor(new Float32Array(images.data.length), [images.shape[0]!, 2], { backend }),
      );

    expect(run).toThrow(expect.objectContaining({ code: "NON_FINITE_DATA" }));
    expect(run).toThrow("value 1 of image 257 is NaN");
  });

  test("an empty split is refused", () => {
    const run = (): unknown => evaluate(pairs([], []), backend, asLogits);

    expect(run).toThrow(ConfigError);
    expect(run).toThrow(expect.objectContaining({ code: "EMPTY_SPLIT" }));
  });

  test.each<[string, Partial<Record<keyof Split, unknown>>, string, RegExp]>([
    ["a text", { labels: ["cat"] }, "BAD_LABEL", /^label 0 of the split is "cat"; .* from 0 up$/],
    ["a list", { labels: [[0, 1]] }, "BAD_LABEL", /^label 0 of the split is a list of 2; /],
    ["half a class", { labels: Float32Array.of(0.5) }, "BAD_LABEL", /^label 0 of the split is 0\.5; /],
    ["a label too few", { labels: new Int32Array(0) }, "BAD_SPLIT", /1 images, but 0 labels/],
    ["half an image", { size: 1.5 }, "BAD_SPLIT", /has size 1\.5; /],
  ])("a split with %s is refused, whoever evaluates on it", (_, change, code, message) => {
    const split = { ...pairs([[1, 0]], [0]), ...change } as Split;

    expect(() => evaluate(split, backend, asLogits)).toThrow(
      expect.objectContaining({ name: "ConfigError", code, message: expect.stringMatching(message) }),
    );
  });

  test("leaves no buffer behind, also when it is refused", () => {
    const before = memoryUse().buffers;
    evaluate(pairs([[1, 0]], [0]), backend, asLogits);
    expect(() => evaluate(pairs([[1, NaN]], [0]), backend, asLogits)).toThrow(NumericError);

    expect(memoryUse().buffers).toBe(before);
  });

  describe("measuring a task", () => {
    const split = pairs(
      [
        [1, 0],
        [0, 1],
        [2, 1],
      ],
      [0, 1, 1],
    );
    const task = {
      id: 4,
      name: "pairs",
      classes: ["a", "b"],
      transform: "none" as const,
      train: split,
      validation: split,
      test: split,
    };
    const learner = (logits: (images: Tensor) => Tensor, extra: Partial<Learner> = {}): Learner =>
      ({ name: "mirror", logits: (_: number, images: Tensor) => logits(images), ...extra }) as Learner;

    test("says the accuracy, and a hash that one bit of one logit changes", () => {
      const turned = (images: Tensor): Tensor => {
        const logits = asLogits(images);
        new Uint32Array(logits.data.buffer, logits.data.byteOffset, 6)[5]! ^= 1;
        return logits;
      };
      const plain = measureTask(learner(asLogits), task, backend);

      expect(plain.accuracy).toBe(2 / 3);
      expect(measureTask(learner(asLogits), task, backend)).toEqual(plain);
      expect(measureTask(learner(turned), task, backend).logitsSha256).not.toBe(plain.logitsSha256);
    });

    test("asks for untrained logits where the method has them, and says null where it has none", () => {
      const untrained = learner(asLogits, { untrainedLogits: (_, images) => asLogits(images) });

      expect(measureUntrained(untrained, task, backend)).toBe(2 / 3);
      expect(measureUntrained(learner(asLogits), task, backend)).toBeNull();
    });

    test("an answer of another backend than the run's is refused, learned or not", () => {
      const other = { ...backend, precision: "bf16" } as const;
      const untrained = learner(asLogits, { untrainedLogits: (_, images) => asLogits(images) });
      // As a learner does that moves what it is asked to where its parameters are.
      const measured = [measureTask, measureUntrained].map(
        (measure) => () => measure(untrained, task, other),
      );

      for (const measure of measured)
        expect(measure).toThrow(expect.objectContaining({ name: "ConfigError", code: "MIXED_BACKENDS" }));
    });

    test("a NaN names learner, test set and task before the logit", () => {
      const spoil = (images: Tensor): Tensor => {
        const logits = asLogits(images);
        logits.data[3] = NaN;
        return logits;
      };
      const where = `"mirror" on the test set of task 4 ("pairs"): logit 1 of image 1 is NaN`;

      expect(() => measureTask(learner(spoil), task, backend)).toThrow(where);
      expect(() =>
        measureUntrained(learner(asLogits, { untrainedLogits: (_, images) => spoil(images) }), task, backend),
      ).toThrow(where);
    });
  });
});
