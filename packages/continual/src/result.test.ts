import { expect, test } from "vitest";
import { summarise } from "./result.ts";
import type { LearnedTask, RunRecord } from "./run-record.ts";

const learned = (name: string, lockedHash: string | null): LearnedTask => ({
  name,
  epochs: 3,
  seconds: 1.5,
  notes: { used: 0.25 },
  accuracy: 0.9,
  logitsSha256: "00",
  lockedHash,
});
const record: RunRecord = {
  scenario: "pairs",
  tasks: 2,
  seed: 1,
  identity: null,
  learner: "some",
  checkpoints: 0,
  evaluated: true,
  initial: [0.5, 0.25],
  learned: [learned("first", "aa"), learned("second", "bb")],
  matrix: [
    [1, 0.5],
    [0.75, 0.875],
  ],
  bitExactOldLogits: false,
  lockedUnchanged: true,
  warnings: ["slow"],
  began: 10,
  taskBegan: 12,
  events: { step: 7, bytes: 100, seconds: 15 },
};

test("a result holds the figures of the matrix, the last locked hash, and the seconds since the learner began", () => {
  expect(summarise(record, [0, -0.5])).toEqual({
    acc: 0.8125,
    bwt: -0.25,
    fwt: 0.25,
    forgetting: 0.25,
    matrix: record.matrix,
    initial: [0.5, 0.25],
    forgettingRatio: [0, -0.5],
    bitExactOldLogits: false,
    lockedHash: "bb",
    lockedUnchanged: true,
    tasks: [
      { name: "first", epochs: 3, seconds: 1.5, notes: { used: 0.25 } },
      { name: "second", epochs: 3, seconds: 1.5, notes: { used: 0.25 } },
    ],
    seconds: 5,
    warnings: ["slow"],
  });
});

test("what a method does not have is null: locks, a ratio without joint training", () => {
  const plain = {
    ...record,
    learned: [learned("first", null), learned("second", null)],
    lockedUnchanged: null,
  };

  expect(summarise(plain)).toMatchObject({ lockedHash: null, lockedUnchanged: null, forgettingRatio: null });
});
