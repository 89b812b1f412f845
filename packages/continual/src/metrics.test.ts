import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  averageAccuracy,
  backwardTransfer,
  forgetting,
  forgettingRatio,
  forwardTransfer,
  meanForgettingRatios,
  randomAccuracy,
  type AccuracyMatrix,
} from "./metrics.ts";
import type { Split } from "./task.ts";

// Rows: after which task. Columns: on which task. Worked out on paper below.
const matrix: AccuracyMatrix = [
  [0.9, 0.5, 0.4],
  [0.95, 0.8, 0.6],
  [0.7, 0.75, 0.85],
];

function labelled(...labels: number[]): Split {
  return { size: labels.length, shape: [1, 1, 1], labels: Int32Array.from(labels), read: () => undefined };
}

describe("on a matrix of three tasks", () => {
  test("ACC is the mean of the last row", () => {
    expect(averageAccuracy(matrix)).toBeCloseTo((0.7 + 0.75 + 0.85) / 3, 12);
  });

  test("BWT compares the last row with the diagonal", () => {
    expect(backwardTransfer(matrix)).toBeCloseTo((0.7 - 0.9 + (0.75 - 0.8)) / 2, 12); // -0.125
  });

  test("FWT compares the diagonal above with the untrained network", () => {
    expect(forwardTransfer(matrix, [0.5, 0.45, 0.55])).toBeCloseTo((0.5 - 0.45 + (0.6 - 0.55)) / 2, 12); // 0.05
  });

  test("forgetting counts from the best moment: task 0 was best after task 1", () => {
    expect(forgetting(matrix)).toBeCloseTo((0.95 - 0.7 + (0.8 - 0.75)) / 2, 12); // 0.15
  });
});

test("forgetting begins when a task is learned: a lucky guess before that is nothing to forget", () => {
  expect(
    forgetting([
      [0.9, 0.75, 0.5],
      [0.9, 0.7, 0.95],
      [0.8, 0.7, 0.9],
    ]),
  ).toBeCloseTo((0.9 - 0.8 + (0.7 - 0.7)) / 2, 12); // 0.05
});

test("forgetting is exactly 0 where no accuracy changes once its task is learned, whatever stood there before", () => {
  const accuracy = fc.double({ min: 0, max: 1, noNaN: true });
  const cases = fc.integer({ min: 2, max: 12 }).chain((tasks) =>
    fc.record({
      learned: fc.array(accuracy, { minLength: tasks, maxLength: tasks }),
      guesses: fc.array(fc.option(accuracy), { minLength: tasks * tasks, maxLength: tasks * tasks }),
    }),
  );
  fc.assert(
    fc.property(cases, ({ learned, guesses }) => {
      const tasks = learned.length;
      const matrix = learned.map((_, after) =>
        learned.map((kept, task) => (task <= after ? kept : guesses[after * tasks + task]!)),
      );

      expect(forgetting(matrix)).toBe(0);
    }),
  );
});

test("forgetting is -BWT where every task was best when it had just been learned", () => {
  const falling: AccuracyMatrix = [
    [0.9, null, null],
    [0.8, 0.7, null],
    [0.5, 0.6, 0.9],
  ];

  expect(forgetting(falling)).toBeCloseTo(-backwardTransfer(falling)!, 12);
});

test("forgetting is negative where a task got better: the maximum does not see the last row", () => {
  expect(
    forgetting([
      [0.5, null],
      [0.6, 0.9],
    ]),
  ).toBeCloseTo(-0.1, 12);
});

test("a single task has an accuracy, and neither transfer nor forgetting", () => {
  expect(averageAccuracy([[0.8]])).toBe(0.8);
  expect(backwardTransfer([[0.8]])).toBeNull();
  expect(forwardTransfer([[0.8]], [0.5])).toBeNull();
  expect(forgetting([[0.8]])).toBeNull();
});

test("FWT is null where a method cannot be asked before it has learned", () => {
  expect(
    forwardTransfer(
      [
        [0.9, null],
        [0.9, 0.8],
      ],
      [0.5, 0.5],
    ),
  ).toBeNull();
  expect(forwardTransfer(matrix, [null, null, null])).toBeNull();
  expect(forwardTransfer(matrix, [null, 0.5, 0.5]), "the first is not part of it").not.toBeNull();
});

test("an accuracy that is missing below the diagonal is an error, not a zero", () => {
  expect(() =>
    averageAccuracy([
      [0.9, null],
      [null, 0.8],
    ]),
  ).toThrow("task 0 after task 1");
});

describe("Equation (6): the forgetting ratio", () => {
  test.each([
    ["as good as joint training", 0.9, 0],
    ["as bad as guessing", 0.1, -1],
    ["half-way between", 0.5, -0.5],
    ["better than joint training", 1, 0.125],
  ])("%s", (_, accuracy, expected) => {
    expect(forgettingRatio(accuracy, 0.1, 0.9)).toBeCloseTo(expected, 12);
  });

  test("is null where joint training guesses", () => {
    expect(forgettingRatio(0.5, 0.5, 0.5)).toBeNull();
  });
});

test("Equation (D): the mean ratio after each task is over the tasks learned so far, with joint training up to that task", () => {
  const joint: AccuracyMatrix = [
    [1, null],
    [0.9, 0.7],
  ];
  const method: AccuracyMatrix = [
    [0.75, null],
    [0.5, 0.6],
  ];

  const ratios = meanForgettingRatios(method, [0.5, 0.5], joint);

  expect(ratios[0]).toBeCloseTo(0.25 / 0.5 - 1, 12);
  expect(ratios[1], "task 0 is at chance").toBeCloseTo((-1 + (0.1 / 0.2 - 1)) / 2, 12);
});

test("Equation (D) is null in rows where one of its ratios has no meaning", () => {
  expect(meanForgettingRatios([[0.9]], [0.5], [[0.5]])).toEqual([null]);
});

test("guessing with the training frequencies is right with probability sum p_train p_test", () => {
  expect(randomAccuracy(labelled(0, 0, 0, 1), labelled(0, 1), 2)).toBeCloseTo(0.75 * 0.5 + 0.25 * 0.5, 12);
  expect(randomAccuracy(labelled(0, 1, 2), labelled(0, 0), 3)).toBeCloseTo(1 / 3, 12);
  expect(randomAccuracy(labelled(0), labelled(1), 2), "never seen in training").toBe(0);
});
