import type { LearnerResult } from "@milliner/continual";
import { expect, test } from "vitest";
import { summariseSeeds } from "./result-table.ts";
import { bytes, duration, percent, textTable } from "./table.ts";

const figures = (acc: number, bwt: number | null): LearnerResult =>
  ({ acc, bwt, fwt: null, forgetting: 0, seconds: 10 }) as LearnerResult;

test("seeds are summarised by mean and sample deviation; a figure that a seed lacks is null", () => {
  const { mean, std } = summariseSeeds([figures(0.9, 0.1), figures(0.8, null), figures(0.7, 0)]);

  expect(mean.acc).toBeCloseTo(0.8, 12);
  expect(std.acc).toBeCloseTo(0.1, 12);
  expect([mean.bwt, std.bwt, mean.fwt]).toEqual([null, null, null]);
  expect([mean.forgetting, std.seconds]).toEqual([0, 0]);
});

test("a single seed has no deviation to speak of", () => {
  expect(summariseSeeds([figures(0.9, 0.1)]).std.acc).toBe(0);
});

test("columns line up: the first to the left, the others to the right", () => {
  expect(textTable([["", "hat"], ["mean", "1 %"], ["a longer name"]])).toBe(
    "               hat\nmean           1 %\na longer name\n",
  );
});

test("figures for people have their unit", () => {
  expect([percent(0.98765), percent(null)]).toEqual(["98.77 %", "-"]);
  expect([duration(3.21), duration(245), duration(7384)]).toEqual(["3.2 s", "4 min 05 s", "2 h 03 min"]);
  expect([bytes(900), bytes(318_250), bytes(1_640_000)]).toEqual(["900 B", "318 kB", "1.6 MB"]);
});
