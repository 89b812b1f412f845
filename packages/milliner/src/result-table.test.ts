import type { LearnerResult, RunResult } from "@milliner/continual";
import { expect, test } from "vitest";
import { resultTable, seedsTable, summariseSeeds } from "./result-table.ts";
import type { Trained } from "./train.ts";
import { bytes, difference, duration, percent, textTable } from "./table.ts";

const figures = (acc: number, bwt: number | null): LearnerResult =>
  ({ acc, bwt, fwt: null, forgetting: 0, seconds: 10 }) as LearnerResult;

test("seeds are summarised by mean and sample deviation; a figure that a seed lacks is null", () => {
  const { mean, std } = summariseSeeds([figures(0.9, 0.1), figures(0.8, null), figures(0.7, 0)]);

  expect(mean.acc).toBeCloseTo(0.8, 12);
  expect(std.acc).toBeCloseTo(0.1, 12);
  expect([mean.bwt, std.bwt, mean.fwt]).toEqual([null, null, null]);
  expect([mean.forgetting, std.seconds]).toEqual([0, 0]);
});

// github.com/Wuyxin/DIR-GNN/issues/3: what the spread of one seed is, nobody knows.
test("a single seed has no deviation, not one of 0", () => {
  const { mean, std } = summariseSeeds([figures(0.9, 0.1)]);

  expect([mean.acc, std.acc, std.seconds]).toEqual([0.9, null, null]);
  expect(seedsTable({ done: [trained(["a, b"], true)], failed: [] })).toMatch(/^deviation +- +- +-$/m);
});

test("columns line up: the first to the left, the others to the right", () => {
  expect(textTable([["", "hat"], ["mean", "1 %"], ["a longer name"]])).toBe(
    "               hat\nmean           1 %\na longer name\n",
  );
});

test("figures for people have their unit", () => {
  expect([percent(0.98765), percent(null)]).toEqual(["98.77 %", "-"]);
  expect([duration(3.21), duration(245), duration(7384)]).toEqual(["3.2 s", "4 min 05 s", "2 h 03 min"]);
  expect([duration(0), duration(0.049), duration(0.05)]).toEqual(["0.0 s", "under 0.1 s", "0.1 s"]);
  expect([difference(0), difference(3.14e-7), difference(null)]).toEqual(["0", "3.1e-7", null]);
  expect([bytes(900), bytes(318_250), bytes(1_640_000)]).toEqual(["900 B", "318 kB", "1.6 MB"]);
});

function trained(names: readonly string[], bitExactOldLogits: boolean): Trained {
  const result = {
    ...figures(1, null),
    learner: "hat",
    matrix: [names.map(() => 1)],
    tasks: names.map((name) => ({ name, epochs: 1, seconds: 1, notes: {} })),
    bitExactOldLogits,
    bitExactCheckedIn: "fresh-process",
    lockedHash: "5f",
    warnings: [],
    controls: {},
  } as unknown as RunResult;
  const device = { device: "reference", isa: null, threads: 1, precision: "float32" };
  return { name: "hats", folder: "runs/hats", settings: { seed: 0 }, device, result } as unknown as Trained;
}

test("of one task no table says that an earlier one kept its bits, but what changed is told", () => {
  const one = resultTable(trained(["a, b"], true));
  expect(one).toMatch(/^old logits bit-exact +-$/m);
  expect(one).toContain("\none task: nothing to compare yet\nlocked elements: sha256 5f\n");
  expect(seedsTable({ done: [trained(["a, b"], true)], failed: [] })).not.toContain("yes");
  expect(resultTable(trained(["a, b"], false))).toContain("CHANGED");
  expect(resultTable(trained(["a, b", "c, d"], true))).toContain(
    "every task kept its test logits, bit for bit",
  );
});

test("a task of many classes does not widen the table beyond a terminal", () => {
  const names = Array.from({ length: 100 }, (_, i) => `class ${i}`).join(", ");

  const lines = resultTable(trained([names, names], true)).split("\n");

  expect(lines.find((line) => line.startsWith("task 0"))).toMatch(
    /^task 0: class 0, .{28}\.\.\. {2}100\.00 %$/,
  );
});
