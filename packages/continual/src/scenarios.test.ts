import { describe, expect, test } from "vitest";
import { ConfigError, type Transform } from "@milliner/core";
import {
  createDataset,
  createImageSet,
  measureNormalisation,
  type Dataset,
  type ImageSet,
} from "@milliner/data";
import { imageSplit, joinSplits } from "./split.ts";
import { permutedScenario } from "./permuted-scenario.ts";
import { splitScenario } from "./split-scenario.ts";
import type { Split } from "./task.ts";

const names = ["zero", "one", "two", "three", "four", "five"];
const plain = { mean: [0], std: [1 / 255] };
const transform: Transform = [{ kind: "normalise", ...plain }]; // values are the bytes, up to the rounding of float32

/** Image i of `first`, `first + 1`, ...: its pixels are 10 i, 10 i + 1, ... (6 of them), its label i modulo 6. */
function countedImages(count: number): ImageSet {
  const images = Uint8Array.from({ length: count * 6 }, (_, k) => (10 * Math.floor(k / 6) + (k % 6)) % 256);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % names.length);
  return createImageSet({ images, shape: [2, 3, 1], count }, labels, names);
}

const dataset: Dataset = createDataset("counted", countedImages(48), countedImages(24));

function oneImageOfEach(classes: readonly string[]): ImageSet {
  const count = classes.length;
  const images = { images: new Uint8Array(count), shape: [1, 1, 1] as const, count };
  return createImageSet(images, Array.from(classes.keys()), classes);
}

function values(split: Split, positions?: readonly number[]): number[] {
  const wanted = positions ?? Array.from({ length: split.size }, (_, i) => i);
  const into = new Float32Array(wanted.length * 6);
  split.read(wanted, into);
  return [...into].map((value) => Math.round(value));
}

/** Which images a split holds, by their first pixel (unique while there are few). */
function members(split: Split): number[] {
  return values(split)
    .filter((_, k) => k % 6 === 0)
    .map((pixel) => pixel / 10);
}

describe("a split scenario", () => {
  const { tasks, ...scenario } = splitScenario(dataset, {
    seed: 1,
    validationShare: 0.25,
    normalisation: plain,
  });

  test("has two classes per task in the order of the labels, and says its name and shape", () => {
    expect(scenario).toEqual({ name: "split-counted", inputShape: [2, 3, 1] });
    expect(tasks.map(({ id, name, classes }) => [id, name, classes])).toEqual([
      [0, "zero, one", ["zero", "one"]],
      [1, "two, three", ["two", "three"]],
      [2, "four, five", ["four", "five"]],
    ]);
  });

  test("labels count from 0 within a task and belong to their images", () => {
    for (const { id, test: split } of tasks) {
      expect(members(split).map((image) => (image % 6) - 2 * id)).toEqual([...split.labels]);
      expect(new Set(split.labels)).toEqual(new Set([0, 1]));
    }
  });

  test("every test image is in exactly one task", () => {
    expect(tasks.flatMap(({ test: split }) => members(split)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 24 }, (_, i) => i),
    );
  });

  test("training and validation images of a task are disjoint, and the task's own", () => {
    for (const { train, validation } of tasks) {
      expect(train.size + validation.size).toBe(16);
      expect(validation.size).toBe(4);
      const rows = (split: Split): string[] =>
        Array.from({ length: split.size }, (_, i) => values(split, [i]).join());
      expect(rows(train).filter((row) => rows(validation).includes(row))).toEqual([]);
    }
  });

  test("is the same for the same seed; another seed moves only what validates", () => {
    const again = splitScenario(dataset, { seed: 1, validationShare: 0.25, normalisation: plain });
    const other = splitScenario(dataset, { seed: 2, validationShare: 0.25, normalisation: plain });

    for (const [i, task] of tasks.entries()) {
      expect(values(again.tasks[i]!.train)).toEqual(values(task.train));
      expect(values(other.tasks[i]!.train)).not.toEqual(values(task.train));
      expect(values(other.tasks[i]!.test)).toEqual(values(task.test));
    }
  });

  test("any number of tasks up to half the classes cuts them in order into groups that differ by at most one", () => {
    const sizes = (classes: number, tasks: number): number[] => {
      const labels = Uint8Array.from({ length: 2 * classes }, (_, i) => i % classes);
      const images = { images: new Uint8Array(2 * classes), shape: [1, 1, 1] as const, count: 2 * classes };
      const set = createImageSet(images, labels, Array.from(labels.subarray(0, classes), String));
      const cut = splitScenario(createDataset("any", set, set), { seed: 1, tasks, validationShare: 0 }).tasks;
      expect(cut.flatMap((task) => task.classes)).toEqual(set.classes);
      return cut.map((task) => task.classes.length);
    };

    expect(sizes(10, 4)).toEqual([3, 3, 2, 2]);
    for (let classes = 2; classes <= 12; classes++) {
      for (let tasks = 1; tasks <= classes / 2; tasks++) {
        const found = sizes(classes, tasks);
        expect(found).toHaveLength(tasks);
        expect(Math.max(...found) - Math.min(...found)).toBeLessThan(2);
        expect(found).toEqual(found.toSorted((a, b) => b - a));
      }
    }
  });

  test("the last task is smaller when the classes do not divide", () => {
    const sizes = splitScenario(dataset, { seed: 1, classesPerTask: 4, normalisation: plain }).tasks.map(
      ({ classes }) => classes.length,
    );

    expect(sizes).toEqual([4, 2]);
  });

  test.each([
    [
      { tasks: 4 },
      "BAD_SPLIT",
      /^"counted" has 6 classes, which do not make 4 tasks .* each; tasks may be 1 to 3$/,
    ],
    [{ tasks: 1e15 }, "BAD_SPLIT", /6 classes, which do not make 1000000000000000 tasks/],
    [
      { classesPerTask: 5 },
      "BAD_SPLIT",
      /6 classes, which do not make tasks of 5 classes .*; tasks may be 1 to 3$/,
    ],
    [{ tasks: 2, classesPerTask: 3 }, "BAD_VALUE", /not both/],
    [{ tasks: 0 }, "BAD_VALUE", /tasks must be a whole number from 1 up, not 0/],
    [{ tasks: 1.5 }, "BAD_VALUE", /not 1\.5/],
    [{ classesPerTask: 1 }, "BAD_VALUE", /from 2 up, not 1/],
    [{ validationShare: 1 }, "BAD_VALUE", /^the validation share .* got 1/],
    [{ validationShare: 0.05 }, "BAD_VALUE", /^task 0 \(.*\): .* 0\.05 leaves none of 16 images/],
  ])("%o is refused with its code and numbers", (options, code, message) => {
    const cut = (): unknown => splitScenario(dataset, { seed: 1, ...options });

    expect(cut).toThrow(ConfigError);
    expect(cut).toThrow(expect.objectContaining({ code }));
    expect(cut).toThrow(message);
  });

  test("one class and one task are spoken of in the singular", () => {
    const { images, shape } = countedImages(4);
    const set = createImageSet({ images, shape, count: 4 }, new Uint8Array(4), ["hat"]);

    expect(() => splitScenario(createDataset("one", set, set), { seed: 1, tasks: 1 })).toThrow(
      '"one" has 1 class, which does not make 1 task with at least 2 classes; get images of more classes',
    );
  });

  test("a task whose classes have no image is refused by its part, number and classes", () => {
    const lacking = createDataset("lacking", countedImages(48), countedImages(4)); // labels 0..3 only
    const cut = (): unknown => splitScenario(lacking, { seed: 1, validationShare: 0 });

    expect(cut).toThrow(expect.objectContaining({ code: "EMPTY_SPLIT" }));
    expect(cut).toThrow('the test set of task 2 ("four, five") has no images');
  });

  test.each([
    [
      ["a", "b, c", "a, b", "c"],
      ['a, "b, c"', '"a, b", c'],
    ],
    [
      ["a", 'b", "c', "a, b", "c"],
      ['a, "b\\", \\"c"', '"a, b", c'],
    ],
    [
      ["a", "p", "q", "r", "s", "b to c", "a to b", "t", "u", "v", "w", "c"],
      ['a to "b to c"', '"a to b" to c'],
    ],
  ])(
    "classes whose names have commas, such as %j, do not make two tasks of one name",
    (classes, expected) => {
      const set = oneImageOfEach(classes);
      const commas = createDataset("commas", set, set);

      const { tasks } = splitScenario(commas, { seed: 1, tasks: 2, validationShare: 0 });

      expect(tasks.map(({ name }) => name)).toEqual(expected);
    },
  );

  test("an error about a class of 5,000 letters names its start", () => {
    const long = "x".repeat(5000);
    const set = (labels: readonly number[]): ImageSet =>
      createImageSet(
        { images: new Uint8Array(labels.length), shape: [1, 1, 1], count: labels.length },
        labels,
        ["a", "b", long, "d"],
      );
    const lacking = createDataset("lacking", set([0, 1, 2, 3]), set([0, 1]));

    expect(() => splitScenario(lacking, { seed: 1, validationShare: 0 })).toThrow(
      `the test set of task 1 ("${"x".repeat(37)}...") has no images`,
    );
  });

  test("an error about a task of many classes names the first and the last of them", () => {
    const classes = Array.from({ length: 250 }, (_, label) => `class ${label}`);
    const set = (labels: readonly number[]): ImageSet =>
      createImageSet(
        { images: new Uint8Array(labels.length), shape: [1, 1, 1], count: labels.length },
        Uint8Array.from(labels),
        classes,
      );
    const all = Array.from({ length: 250 }, (_, label) => label);
    const dataset = createDataset("many", set(all), set(all.slice(0, 125)));

    expect(() => splitScenario(dataset, { seed: 0, tasks: 2, validationShare: 0 })).toThrow(
      'the test set of task 1 ("class 125 to class 249") has no images',
    );
  });

  test("a number of tasks groups the classes as that number of classes per task does", () => {
    const groups = (options: object): readonly (readonly string[])[] =>
      splitScenario(dataset, { seed: 1, ...options }).tasks.map(({ classes }) => classes);

    expect(groups({ tasks: 2 })).toEqual([
      ["zero", "one", "two"],
      ["three", "four", "five"],
    ]);
    expect(groups({ tasks: 2 })).toEqual(groups({ classesPerTask: 3 }));
    expect(groups({ tasks: 1 })).toEqual([names]);
    expect(groups({})).toEqual(groups({ classesPerTask: 2 }));
  });

  test("each task's validation is drawn on its own: what one sets aside says nothing about another", () => {
    const picked = tasks.map(({ train, validation }) => {
      const all = [...members(train), ...members(validation)].sort((a, b) => a - b);
      return members(validation).map((member) => all.indexOf(member));
    });

    expect(new Set(picked.map(String)).size, "for this seed").toBe(3);
  });

  test("is normalised by the figures of the whole training set unless told otherwise", () => {
    const measured = splitScenario(dataset, { seed: 1, validationShare: 0.25 });
    const given = splitScenario(dataset, {
      seed: 1,
      validationShare: 0.25,
      normalisation: measureNormalisation(dataset.train),
    });
    const raw = (split: Split): Float32Array => {
      const into = new Float32Array(split.size * 6);
      split.read([...split.labels.keys()], into);
      return into;
    };

    for (const [i, task] of measured.tasks.entries()) {
      expect(raw(task.train)).toEqual(raw(given.tasks[i]!.train));
      expect(raw(task.test)).toEqual(raw(given.tasks[i]!.test));
    }
    const values = measured.tasks.flatMap(({ train, validation }) => [...raw(train), ...raw(validation)]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean, "all training images together").toBeCloseTo(0, 5);
    expect(values.reduce((sum, value) => sum + value ** 2, 0) / values.length).toBeCloseTo(1, 5);
  });
});

describe("a permuted scenario", () => {
  const options = { seed: 5, validationShare: 0.25, normalisation: plain };
  const { tasks, name } = permutedScenario(dataset, { ...options, tasks: 4 });
  /** For each place of the input, which pixel stands there: image 0 is 0, 1, ..., 5. */
  const permutationOf = (split: Split): number[] => values(split, [0]);

  test("shows each task all classes, under its own fixed permutation of the pixels", () => {
    expect(name).toBe("permuted-counted");
    const permutations = tasks.map((task) => permutationOf(task.test));
    for (const permutation of permutations)
      expect([...permutation].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(new Set(permutations.map(String)).size, "all different, for this seed").toBe(4);
    for (const [t, { test: split, classes }] of tasks.entries()) {
      expect(classes).toEqual(names);
      expect(values(split)).toEqual(
        Array.from({ length: 24 * 6 }, (_, k) => 10 * Math.floor(k / 6) + permutations[t]![k % 6]!),
      );
    }
  });

  test("training, validation and test images of a task go through the same permutation", () => {
    for (const task of tasks) {
      const permutation = permutationOf(task.test);
      const least = Math.min(...permutation);
      expect(least).toBe(0);
      for (const split of [task.train, task.validation]) {
        const image = values(split, [0]);
        const start = Math.min(...image);
        expect(image.map((pixel) => pixel - start)).toEqual(permutation);
      }
    }
  });

  test("each task sets aside images of its own choice: a permutation does not change an image's least pixel", () => {
    const least = (split: Split): number[] =>
      Array.from({ length: split.size }, (_, i) => Math.min(...values(split, [i])));
    const picked = tasks.map(({ validation }) => least(validation).sort((a, b) => a - b));

    for (const images of picked) expect(images).toHaveLength(12);
    expect(new Set(picked.map(String)).size, "for this seed").toBe(4);
  });

  test("task t has the same permutation however many tasks there are, and another for another seed", () => {
    const short = permutedScenario(dataset, { ...options, tasks: 2 });
    const other = permutedScenario(dataset, { ...options, seed: 6, tasks: 4 });

    expect(values(short.tasks[1]!.train)).toEqual(values(tasks[1]!.train));
    expect(other.tasks.map((task) => permutationOf(task.test))).not.toEqual(
      tasks.map((task) => permutationOf(task.test)),
    );
  });

  test("has ten tasks unless told otherwise, and refuses none", () => {
    expect(permutedScenario(dataset, options).tasks).toHaveLength(10);
    expect(() => permutedScenario(dataset, { ...options, tasks: 0 })).toThrow(/from 1 up, not 0/);
  });
});

describe("an image split", () => {
  const set = countedImages(12);

  test("reads any positions in any order, normalised in float32: (x / 255 - mean) / std", () => {
    const split = imageSplit(set, Uint32Array.of(3, 1), {
      transform: [{ kind: "normalise", mean: [0.5], std: [0.25] }],
    });
    const into = new Float32Array(6);
    split.read([1], into);

    expect([...split.labels]).toEqual([3, 1]);
    expect([...into]).toEqual(
      Array.from({ length: 6 }, (_, k) => Math.fround(((10 + k) / 255 - 0.5) / 0.25)),
    );
  });

  test("reads the bytes as they are, too", () => {
    const split = imageSplit(set, Uint32Array.of(3, 1), { transform });
    const into = new Uint8Array(12);
    split.readBytes([1, 0], into);

    expect([...into]).toEqual([10, 11, 12, 13, 14, 15, 30, 31, 32, 33, 34, 35]);
  });

  test("a label outside of the task and a transform that does not fit are refused", () => {
    const make =
      (extra: object): (() => Split) =>
      () =>
        imageSplit(set, Uint32Array.of(0, 1), { transform, ...extra });

    const code = (name: string): unknown => expect.objectContaining({ code: name });
    expect(make({ labels: new Map([[0, 0]]) })).toThrow(code("BAD_LABEL"));
    expect(make({ labels: new Map([[0, 0]]) })).toThrow(/label 1 belongs to no class/);
    expect(make({ transform: [{ kind: "permute", permutation: [0, 1, 2] }] })).toThrow(
      code("BAD_PERMUTATION"),
    );
  });
});

test("joined splits follow each other, each with its own labels moved by its offset", () => {
  const set = countedImages(12);
  const part = (...indices: number[]): Split => imageSplit(set, Uint32Array.from(indices), { transform });
  const joined = joinSplits([part(0, 1), part(5), part(2, 3)], [0, 10, 20]);

  expect([...joined.labels]).toEqual([0, 1, 15, 22, 23]);
  expect(members(joined)).toEqual([0, 1, 5, 2, 3]);
  expect(values(joined, [4, 2]).filter((_, k) => k % 6 === 0)).toEqual([30, 50]);
  expect(() => joinSplits([], [])).toThrow(/not none/);
});

test("labels kept in bytes are joined as the numbers that they come to", () => {
  const set = countedImages(4);
  const bytes = { ...imageSplit(set, Uint32Array.of(0, 1), { transform }), labels: Uint8Array.of(0, 9) };

  const joined = joinSplits([bytes, bytes] as unknown as Split[], [250, 300]);

  expect([...joined.labels]).toEqual([250, 259, 300, 309]);
});

test("splits of different shapes are not joined, and the shapes are named", () => {
  const flat = createImageSet(
    { images: new Uint8Array(6), shape: [1, 6, 1], count: 1 },
    Uint8Array.of(0),
    names,
  );
  const splits = [countedImages(2), flat].map((set) => imageSplit(set, Uint32Array.of(0), { transform }));

  expect(() => joinSplits(splits, [0, 6])).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
  expect(() => joinSplits(splits, [0, 6])).toThrow("[2, 3, 1] and [1, 6, 1]");
});
