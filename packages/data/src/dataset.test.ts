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
      message: expect.stringMatching(/24 numbers, but there are 8/),
    }),
  );
  expect(() => createImageSet({ ...two, count: 0 }, new Uint8Array(0), ["a"])).toThrowError(
    expect.objectContaining({ code: "EMPTY" }),
  );
});

test("labels of any type are taken where they are bytes, and refused by name where one is not", () => {
  const set = (labels: ArrayLike<number>) => () => createImageSet(two, labels, ["a", "b"], names);

  for (const labels of [[1, 0], Int8Array.of(1, 0), Int32Array.of(1, 0), Uint8ClampedArray.of(1, 0)])
    expect(set(labels)().labels).toEqual(Uint8Array.of(1, 0));
  for (const [labels, label] of [
    [Int8Array.of(0, -1), "-1"],
    [Int32Array.of(0, 256), "256"],
    [[0, 0.5], "0.5"],
  ] as const) {
    expect(set(labels)).toThrowError(
      expect.objectContaining({
        code: "LABEL_OUT_OF_RANGE",
        message: expect.stringMatching(new RegExp(`^train-labels has label ${label} at index 1`)),
      }),
    );
  }
  expect(set(Float32Array.of(0, 1))).toThrowError(expect.objectContaining({ code: "UNSUPPORTED_TYPE" }));
});

test("300 class names are more than labels can tell apart", () => {
  const classes = Array.from({ length: 300 }, (_, label) => String(label));

  expect(() => createImageSet(two, new Uint8Array(2), classes, names)).toThrowError(
    expect.objectContaining({
      code: "BAD_CLASS_NAMES",
      message: expect.stringMatching(/300 classes.*at most 256/),
    }),
  );
});

test("floats are pixels only with their range, in which they become the nearest bytes", () => {
  const set = (images: Float32Array | Float64Array | Uint8Array, range?: readonly [number, number]) => () =>
    createImageSet({ images, shape: [1, 2, 1], count: 1, range }, new Uint8Array(1), ["a"], names);

  expect(set(Float32Array.of(0, 1), [0, 1])().images).toEqual(Uint8Array.of(0, 255));
  expect(set(Float64Array.of(-1, 0.5), [-1, 1])().images).toEqual(Uint8Array.of(0, 191));
  expect(set(Float32Array.of(0, 1))).toThrowError(
    expect.objectContaining({
      code: "UNSUPPORTED_TYPE",
      message: expect.stringMatching(
        /^train-images holds pixels as numbers of Float32Array.*range: \[0, 1\]/,
      ),
    }),
  );
  for (const wrong of [1.5, -0.1, Number.NaN, Infinity]) {
    expect(set(Float64Array.of(0, wrong), [0, 1])).toThrowError(
      expect.objectContaining({
        code: "VALUE_OUT_OF_RANGE",
        message: expect.stringMatching(
          `^train-images has the pixel ${wrong} at index 1, but pixels run from 0 to 1`,
        ),
      }),
    );
  }
  for (const range of [
    [1, 0],
    [0, 0],
    [0, Infinity],
    [Number.NaN, 1],
  ] as const)
    expect(set(Float32Array.of(0, 1), range)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  expect(set(Uint8Array.of(0, 1), [0, 1])).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
});

test("pixels of other whole numbers are taken where all of them are bytes", () => {
  const set =
    (...pixels: readonly number[]) =>
    () =>
      createImageSet(
        { images: Int16Array.from(pixels), shape: [1, 2, 1], count: 1 },
        new Uint8Array(1),
        ["a"],
        names,
      );

  expect(set(0, 255)().images).toEqual(Uint8Array.of(0, 255));
  expect(set(0, 4095)).toThrowError(
    expect.objectContaining({
      code: "VALUE_OUT_OF_RANGE",
      message: expect.stringMatching(/pixel 4095 at index 1/),
    }),
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

/** Images of one pixel, whose value is 10 i for image i. */
function labelled(labels: readonly number[], classes: readonly string[]) {
  const images = Uint8Array.from(labels, (_, i) => 10 * i);
  return createImageSet({ images, shape: [1, 1, 1], count: labels.length }, Uint8Array.from(labels), classes);
}

test("a class without training images is left out wherever it stands, with its test images and a warning that names it", () => {
  const classes = ["none", "bowler", "fez", "top hat", "cap", "beret"];
  const train = labelled([3, 1, 5, 3], classes);
  const test = labelled([4, 3, 2, 1, 4, 5], classes);

  const dataset = createDataset("hats", train, test);

  expect(dataset.classes).toEqual(["bowler", "top hat", "beret"]);
  expect(dataset.train).toEqual({ ...train, labels: Uint8Array.of(1, 0, 2, 1), classes: dataset.classes });
  expect(dataset.train.images).toBe(train.images);
  expect(dataset.test).toEqual({
    images: Uint8Array.of(10, 30, 50),
    shape: [1, 1, 1],
    labels: Uint8Array.of(1, 0, 2),
    classes: dataset.classes,
  });
  expect(dataset.warnings).toEqual([
    'hats has no training images of the classes "none", "fez", "cap": they are left out, with 3 test images.',
  ]);
});

test("a data set whose classes all have training images is kept as it is, without a word", () => {
  const [train, test] = [labelled([0, 1], ["a", "b"]), labelled([1, 0], ["a", "b"])];

  const dataset = createDataset("letters", train, test);

  expect(dataset.train).toBe(train);
  expect(dataset.test).toBe(test);
  expect(dataset.warnings).toEqual([]);
});

// github.com/ultralytics/ultralytics/issues/4514: classes of the one folder that the other has not.
test("a class without test images is kept, with a warning that no accuracy speaks of it", () => {
  const classes = ["none", "bowler", "fez", "top hat"];

  expect(createDataset("hats", labelled([1, 2, 3], classes), labelled([2, 0], classes)).warnings).toEqual([
    'hats has no training images of the class "none": it is left out, with 1 test image.',
    'hats has no test images of the classes "bowler", "top hat": no accuracy says how well they are learned.',
  ]);
  expect(createDataset("hats", labelled([0, 1], ["a", "b"]), labelled([0], ["a", "b"])).warnings).toEqual([
    'hats has no test images of the class "b": no accuracy says how well it is learned.',
  ]);
});

test("training images without a pixel above 1 are kept, with a warning that they may have been floats", () => {
  const set = (brightest: number) =>
    createImageSet({ images: Uint8Array.of(0, brightest), shape: [1, 1, 1], count: 2 }, [0, 0], ["a"]);

  expect(createDataset("dark", set(1), set(2)).warnings).toEqual([
    "dark has no training pixel above 1 of 255: if they were floats from 0 to 1, give those with their range (range: [0, 1] in code, --set 'range=[0,1]' in the command).",
  ]);
  expect(createDataset("dark", set(2), set(1)).warnings).toEqual([]);
});

test("test images none of which can have been learned are an error", () => {
  const classes = ["a", "b"];

  expect(() => createDataset("letters", labelled([0, 0], classes), labelled([1], classes))).toThrowError(
    expect.objectContaining({
      code: "EMPTY",
      message: expect.stringMatching(/^letters: none of the 1 test images/),
    }),
  );
});

test("a warning of many classes names ten", () => {
  const classes = Array.from({ length: 200 }, (_, label) => `class ${label}`);
  const set = labelled([0, 199], classes);

  const { warnings } = createDataset("many", set, set);

  expect(warnings[0]).toMatch(/"class 1", .*"class 10" and 188 more: they are left out\.$/);
});

test("classes without names are numbered up to the largest label of any set", () => {
  expect(numberedClasses(new Uint8Array([0, 1]), new Uint8Array([3, 0]))).toEqual(["0", "1", "2", "3"]);
  expect(numberedClasses(new Uint8Array([255]))).toHaveLength(256);
});

test("classes are compared as Unicode composes them, and two of one name are refused by its start", () => {
  const images = { images: Uint8Array.of(9, 9), shape: [1, 1, 1] as const, count: 2 };
  const long = "x".repeat(5000);

  expect(createImageSet(images, [0, 1], ["cafe\u0301", "tea"]).classes).toEqual(["caf\u00e9", "tea"]);
  expect(() => createImageSet(images, [0, 1], [long, long])).toThrow(
    `classes: classes 0 and 1 are both called "${"x".repeat(37)}..."; give each a name of its own.`,
  );
});

test("a class of 5,000 letters is told by its start where it is left out", () => {
  const classes = ["a", "x".repeat(5000)];
  const images = { images: Uint8Array.of(9), shape: [1, 1, 1] as const, count: 1 };
  const set = createImageSet(images, [0], classes);

  expect(createDataset("long", set, set).warnings).toEqual([
    `long has no training images of the class "${"x".repeat(37)}...": it is left out.`,
  ]);
});
