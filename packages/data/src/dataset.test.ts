import { expect, test } from "vitest";

import { createDataset, createImageSet, numberedClasses } from "./dataset.ts";
import type { IdxImages } from "./idx.ts";

const two: IdxImages = { images: new Uint8Array(8), shape: [2, 2, 1], count: 2 };
const names = { images: "train-images", labels: "train-labels" };

test("a set keeps pixels and labels without copying them", () => {
  const labels = new Uint8Array([1, 0]);

  const set = createImageSet(two, labels, ["a", "b"]);

  expect(set.images).toBe(two.images);
  expect(set.labels).toBe(labels);
  expect(set).toMatchObject({ shape: [2, 2, 1], classes: ["a", "b"] });
});

test("unequal counts are an error that names both files and both counts", () => {
  expect(() => createImageSet(two, new Uint8Array(3), ["a"], names)).toThrowError(
    expect.objectContaining({
      code: "COUNT_MISMATCH",
      message: expect.stringMatching(/^train-images has 2 images but train-labels has 3 labels/),
    }),
  );
});

test("a label without a class is an error that names it", () => {
  expect(() => createImageSet(two, new Uint8Array([0, 2]), ["a", "b"], names)).toThrowError(
    expect.objectContaining({
      code: "LABEL_OUT_OF_RANGE",
      message: expect.stringMatching(/^train-labels has label 2 at index 1/),
    }),
  );
});

test("a shape that contradicts the bytes is an error", () => {
  expect(() => createImageSet({ ...two, shape: [2, 2, 3] }, new Uint8Array(2), ["a"])).toThrowError(
    expect.objectContaining({
      code: "BAD_SHAPE",
      message: expect.stringMatching(/24 bytes, but there are 8/),
    }),
  );
  expect(() => createImageSet({ ...two, count: 0 }, new Uint8Array(0), ["a"])).toThrowError(
    expect.objectContaining({ code: "EMPTY" }),
  );
});

test("training and test images of different shapes are an error that names both", () => {
  const train = createImageSet(two, new Uint8Array(2), ["a"]);
  const test = createImageSet({ ...two, shape: [4, 1, 1] }, new Uint8Array(2), ["a"]);

  expect(() => createDataset("letters", train, test)).toThrowError(
    expect.objectContaining({
      code: "SHAPE_MISMATCH",
      message: expect.stringMatching(/^letters: .* 2 x 2 x 1 but .* 4 x 1 x 1/),
    }),
  );
});

test("training and test sets of different classes are an error", () => {
  const train = createImageSet(two, new Uint8Array(2), ["a", "b"]);

  for (const classes of [["a"], ["b", "a"]]) {
    const test = createImageSet(two, new Uint8Array(2), classes);
    expect(() => createDataset("letters", train, test)).toThrowError(
      expect.objectContaining({ code: "BAD_CLASS_NAMES" }),
    );
  }
});

test("classes without names are numbered up to the largest label of any set", () => {
  expect(numberedClasses(new Uint8Array([0, 1]), new Uint8Array([3, 0]))).toEqual(["0", "1", "2", "3"]);
  expect(numberedClasses(new Uint8Array([255]))).toHaveLength(256);
});
