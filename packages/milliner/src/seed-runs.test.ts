import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, NumericError } from "@milliner/core";
import { afterAll, expect, test } from "vitest";
import { tinyDataset, tinySettings } from "../test/tiny-dataset.ts";
import { exitStatus, failureOf, Interrupted } from "./exit-status.ts";
import { seedsJson } from "./result-json.ts";
import { seedsTable } from "./result-table.ts";
import { seedsFailure, trainSeeds, type FailedSeed } from "./seed-runs.ts";
import { train, type Trained } from "./train.ts";

const folder = mkdtempSync(join(tmpdir(), "milliner seeds "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dataset = tinyDataset();

/** Trains for an epoch; seed 1 at a rate at which no loss stays finite. */
function trainOne(seed: number): Promise<Trained> {
  const settings = {
    ...tinySettings,
    epochs: 1,
    tasks: 2,
    controls: [],
    seed,
    ...(seed === 1 ? { c: 0, lr: 1e30 } : {}),
  };
  return train({ dataset, settings, threads: 1, out: join(folder, `seed-${seed}`) });
}

const newRuns = (): { done: Trained[]; failed: FailedSeed[] } => ({ done: [], failed: [] });
const { signal } = new AbortController();

test("a seed that diverges ends no other; it is named with its reason, and mean and deviation are those of the others", async () => {
  const runs = newRuns();
  const told: number[] = [];

  await trainSeeds([0, 1, 2], trainOne, runs, ({ seed }) => told.push(seed), signal);

  expect(runs.done.map(({ settings }) => settings.seed)).toEqual([0, 2]);
  expect(told).toEqual([1]);
  const [first, last] = runs.done.map(({ result }) => result.acc);
  expect(seedsJson(runs)).toMatchObject({
    seeds: [{ seed: 0 }, { seed: 2 }],
    failed: [{ seed: 1, error: { code: "NON_FINITE_LOSS" } }],
    count: 2,
    mean: { acc: (first! + last!) / 2 },
  });
  expect(seedsTable(runs)).toMatch(/, 2 of 3 seeds, 2 tasks: [^]*\nseed 0 .*\nseed 1 +failed\nseed 2 /);
  const failure = seedsFailure(runs)!;
  expect(failure.message).toMatch(/^1 of 3 seeds failed: seed 1: .*task 0/);
  expect(exitStatus(failure)).toBe(1);
});

test("where no seed came to its end there is no figure of any", () => {
  const runs = { done: [], failed: [{ seed: 4, error: new NumericError("NON_FINITE_LOSS", "NaN") }] };

  expect(seedsJson(runs)).toMatchObject({ seeds: [], count: 0, mean: { acc: null }, std: { acc: null } });
  expect(seedsTable(runs)).toBe("");
});

test("beside a seed that is done the settings are right: the status is 1, or 75 where trying again is", async () => {
  const done = [await trainOne(5)];
  const statusOf = (...errors: readonly unknown[]): number =>
    exitStatus(seedsFailure({ done, failed: errors.map((error, seed) => ({ seed, error })) }));
  const locked = new ConfigError("RUN_LOCKED", "it is in use");
  const closed = new ConfigError("CLOSED_LAYER", "no unit is left");

  expect([statusOf(closed), statusOf(locked), statusOf(locked, closed)]).toEqual([1, 75, 1]);
});

test("seeds that failed for one reason are told together, and their status is the reason's; of different ones it is 1", () => {
  const locked = new ConfigError("RUN_LOCKED", "it is in use");
  const other = new ConfigError("OTHER_RUN", "it is another run");
  const of = (...errors: readonly unknown[]): ReturnType<typeof seedsFailure> =>
    seedsFailure({ done: [], failed: errors.map((error, seed) => ({ seed, error })) });

  expect(failureOf(of(locked, locked))).toEqual({
    name: "Failed",
    code: "SEEDS_FAILED",
    message: "2 of 2 seeds failed: seeds 0, 1: it is in use",
    retry: true,
  });
  expect([of(locked), of(other), of(locked, other)].map(exitStatus)).toEqual([75, 2, 1]);
  expect(of(locked, other)?.message).toBe(
    "2 of 2 seeds failed: seed 0: it is in use; seed 1: it is another run",
  );
  expect(of()).toBeNull();
});

test("an interruption ends the seeds after it, and those before it are there", async () => {
  const controller = new AbortController();
  const runs = newRuns();
  const begun: number[] = [];
  const interruptedInSecond = async (seed: number): Promise<Trained> => {
    begun.push(seed);
    if (seed === 2) controller.abort(new Interrupted("SIGINT"));
    const settings = { ...tinySettings, epochs: 1, tasks: 2, controls: [], seed };
    const out = join(folder, `interrupted-${seed}`);
    return await train({ dataset, settings, threads: 1, out, signal: controller.signal });
  };

  const ended = trainSeeds([1, 2, 3], interruptedInSecond, runs, () => undefined, controller.signal);

  await expect(ended).rejects.toMatchObject({ name: "Interrupted", signal: "SIGINT" });
  expect(begun).toEqual([1, 2]);
  expect(runs.done.map(({ settings }) => settings.seed)).toEqual([1]);
  expect(runs.failed).toEqual([]);
});
