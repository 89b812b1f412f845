import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { JointLearner, RandomBodyLearner, SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import type { RunEvent } from "./events.ts";
import type { Learner } from "./learner.ts";
import type { MultiHeadTrainingOptions } from "./multi-head-training.ts";
import { identifyTasks, settingDifference } from "./run-identity.ts";
import { run, type RunOptions } from "./run.ts";
import { splitScenario } from "./split-scenario.ts";
import type { Scenario, Split, Task } from "./task.ts";
import { syntheticDataset, syntheticScenario } from "./testing/synthetic-scenario.ts";
import { verifyRun } from "./verify-run.ts";

const backend = selectBackend("reference");
const scenario = syntheticScenario({ imagesPerClass: 8 });
const schedule = { epochs: 2, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 };
const options: MultiHeadTrainingOptions = {
  body: network([4, 4, 1], flatten(), linear(4), relu()),
  backend,
  seed: 3,
  schedule,
};

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-identity-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Made extends Partial<RunOptions> {
  readonly of?: Scenario;
  readonly by?: Learner;
}

async function runOnce({
  of = scenario,
  by = new SgdLearner(options),
  ...rest
}: Made = {}): Promise<unknown> {
  const learners = [by, ...(rest.controls ?? [])];
  try {
    return await run(of, by, { seed: 3, backend, folder, resume: true, checkpointSeconds: 0, ...rest });
  } finally {
    for (const learner of learners) learner.dispose();
  }
}

/** Stops a run at its nth event of a kind. */
async function stopAt(kind: RunEvent["type"], nth: number, made: Made = {}): Promise<void> {
  const abort = new AbortController();
  let count = 0;
  const events = ({ type }: RunEvent): void => {
    if (type === kind && ++count === nth) abort.abort(new Error("stopped"));
  };
  await expect(runOnce({ ...made, events, signal: abort.signal })).rejects.toThrow("stopped");
}

/** The scenario with task 0, or another one, changed. */
function changed(change: (task: Task) => Partial<Task>, id = 0): Scenario {
  return {
    ...scenario,
    tasks: scenario.tasks.map((task) => (task.id === id ? { ...task, ...change(task) } : task)),
  };
}

/** A split as somebody else may write it: one that has no bytes, with a function over what is read. */
function mapped(split: Split, change: (value: number) => number): Split {
  const { size, shape, labels } = split;
  return {
    size,
    shape,
    labels,
    read(positions, into) {
      split.read(positions, into);
      into.set(into.map(change));
    },
  };
}

const otherValidation = splitScenario(syntheticDataset({ imagesPerClass: 8 }), {
  seed: 1,
  validationShare: 0.5,
});
const otherBytes = ({ train }: Task): Partial<Task> => ({
  train: {
    ...train,
    readBytes(positions, into) {
      train.readBytes!(positions, into);
      for (let i = 0; i < positions.length; i++) if (positions[i] === train.size - 1) into[16 * i + 15]! ^= 1;
    },
  },
});

describe("a run that was stopped within its first task is not resumed with", () => {
  test.each<[string, Made, string]>([
    [
      "inverted images of the same name",
      { of: changed(({ train }) => ({ train: mapped(train, (value) => -value) })) },
      'another training set of task 0 ("class 0, class 1") than this run has',
    ],
    [
      "one byte of one image changed",
      { of: changed(otherBytes) },
      'another training set of task 0 ("class 0, class 1")',
    ],
    [
      "other labels",
      {
        of: changed(({ validation }) => ({
          validation: { ...validation, labels: validation.labels.map((label) => 1 - label) },
        })),
      },
      'another validation set of task 0 ("class 0, class 1")',
    ],
    ["another share of validation", { of: otherValidation }, "another training set of task 0"],
    [
      "other test images of a task that was tried and not begun",
      { of: changed(({ test: split }) => ({ test: mapped(split, (value) => value / 2) }), 2) },
      'another test set of task 2 ("class 4, class 5")',
    ],
    [
      "classes of other names",
      { of: changed(() => ({ classes: ["class 0", "class one"] })) },
      "another list of classes of task 0",
    ],
    [
      "another transform",
      { of: changed(() => ({ transform: [{ kind: "normalise", mean: [0], std: [2] }] })) },
      "another transform of task 0",
    ],
    [
      "a task of another name",
      { of: changed(() => ({ name: "first" })) },
      'task 0 ("class 0, class 1"), which this run calls "first"',
    ],
    [
      "more epochs",
      { by: new SgdLearner({ ...options, schedule: { ...schedule, epochs: 30 } }) },
      "schedule.epochs 2, but this run has 30",
    ],
    [
      "another lr",
      { by: new SgdLearner({ ...options, schedule: { ...schedule, lr: 0.05 } }) },
      "schedule.lr 0.1, but this run has 0.05",
    ],
    [
      "a learner of another seed",
      { by: new SgdLearner({ ...options, seed: 4 }) },
      "seed 3, but this run has 4",
    ],
    [
      "another way to begin",
      { by: new SgdLearner({ ...options, initialiser: "xavier-uniform" }) },
      'initialiser "uniform-fan-in", but this run has "xavier-uniform"',
    ],
    ["other tasks tried", { unlearned: "all" }, 'unlearned "next", but this run has "all"'],
    [
      "other settings of its maker",
      { settings: { optimizer: { lr: [0.1, 0.2] } } },
      "optimizer.lr [0.1], but this run has [0.1,0.2]",
    ],
    ["settings left out", { settings: {} }, "optimizer an object, but this run has unset"],
  ])("%s, and the sentence names them", async (_, other, sentence) => {
    const settings = { optimizer: { lr: [0.1] } };
    await stopAt("epoch-ended", 1, { settings });

    await expect(runOnce({ settings, ...other })).rejects.toMatchObject({
      name: "CheckpointError",
      code: "OTHER_RUN",
      message: expect.stringContaining(`task-000.epoch-0001.json was written with ${sentence}`),
    });
    await runOnce({ settings });
  });
});

/** Three images of 512 x 512, of which one is read at once. The last of all values is `last`. */
function large(last: number, hasBytes: boolean): Partial<Split> {
  const write = (positions: ArrayLike<number>, into: Float32Array | Uint8Array): void => {
    into.fill(7);
    for (let i = 0; i < positions.length; i++) if (positions[i] === 2) into[(i + 1) * 2 ** 18 - 1] = last;
  };
  const split = { size: 3, shape: [512, 512, 1] as const, labels: Int32Array.of(0, 1, 0), read: write };
  return hasBytes ? { ...split, readBytes: write } : split;
}

test.each<[string, Partial<Split>, Partial<Split>]>([
  [
    "what is read of the same bytes",
    {},
    { read: (positions, into) => mapped(scenario.tasks[0]!.train, (value) => -value).read(positions, into) },
  ],
  ["images that are otherwise wide, of the same values", {}, { shape: [2, 8, 1] }],
  ["the last value of several pieces", large(7, false), { ...large(8, false) }],
  [
    "the last byte of several pieces",
    large(7, true),
    { ...large(7, true), readBytes: large(8, true).readBytes! },
  ],
])("the identity of a task tells %s", async (_, one, other) => {
  const [task] = scenario.tasks as readonly [Task];
  const identityOf = async (change: Partial<Split>): Promise<unknown> => {
    const train = { ...task.train, ...change };
    return (await identifyTasks({ ...scenario, tasks: [{ ...task, train }] }))[0]!.train;
  };

  const before = await identityOf(one);

  expect(await identityOf(one)).toBe(before);
  expect(await identityOf(other)).not.toBe(before);
});

test("a task that says nothing of a transform is one like the others", async () => {
  const { transform: _, ...silent } = scenario.tasks[0]!;
  const of = { ...scenario, tasks: [silent as Task, ...scenario.tasks.slice(1)] };
  await stopAt("epoch-ended", 1, { of });

  await expect(runOnce()).rejects.toMatchObject({ code: "OTHER_RUN" });
  await runOnce({ of });
});

test("a control is held to its settings too", async () => {
  const control = (lr: number): Learner =>
    new SgdFrozenLearner({ ...options, schedule: { ...schedule, lr } });
  await runOnce({ controls: [control(0.1)] });

  await expect(runOnce({ controls: [control(0.2)] })).rejects.toMatchObject({
    code: "OTHER_RUN",
    message: expect.stringContaining("schedule.lr 0.1, but this run has 0.2"),
  });
});

test.each<[string, () => Learner]>([
  ["sgd", () => new SgdLearner(options)],
  ["sgd-frozen", () => new SgdFrozenLearner(options)],
  ["random-body", () => new RandomBodyLearner(options)],
  ["joint", () => new JointLearner({ ...options, scenario })],
])("%s says every setting that decides its bits and that no checkpoint holds otherwise", (_, make) => {
  const learner = make();

  expect(learner.settings).toEqual({ seed: 3, initialiser: "uniform-fan-in", schedule });
  learner.dispose();
});

test("images that nobody has seen may be mended: the run is then one with the mended images", async () => {
  const mended = changed(({ train }) => ({ train: mapped(train, (value) => value / 2) }), 2);
  await stopAt("epoch-ended", 3); // in task 1
  const whole = join(folder, "whole");
  const timeless = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (key, part) => (key === "seconds" ? undefined : part)));

  const resumed = await runOnce({ of: mended });

  expect(timeless(resumed)).toEqual(timeless(await runOnce({ of: mended, folder: whole })));
  await expect(runOnce()).rejects.toMatchObject({
    code: "OTHER_RUN",
    message: expect.stringContaining("training set of task 2"),
  });
});

test("a checkpoint from before it noted all this goes on, with a warning that nobody can tell", async () => {
  await stopAt("epoch-ended", 1);
  const json = join(folder, "checkpoints", "task-000.epoch-0001.json");
  const stored = JSON.parse(await readFile(json, "utf8")) as { record: Record<string, unknown> };
  delete stored.record["identity"];
  await writeFile(json, JSON.stringify(stored));

  expect(await runOnce()).toMatchObject({
    warnings: [expect.stringContaining(`${json} was written before checkpoints noted what a run is made of`)],
  });
  await expect(runOnce({ settings: { lr: 1 } }), "what it writes itself has it").rejects.toMatchObject({
    code: "OTHER_RUN",
  });
});

test("a learner whose settings JSON would change is refused before it learns", async () => {
  const by = Object.assign(new SgdLearner(options), {});
  Object.defineProperty(by, "settings", { value: { strength: Number.NaN } });

  await expect(runOnce({ by })).rejects.toMatchObject({
    code: "BAD_VALUE",
    message: expect.stringMatching(/settings of learner "sgd" holds NaN \(in "strength"\)/),
  });
});

test("verifyRun refuses other test images, and does not call them broken logits", async () => {
  await runOnce();
  const other = changed(({ test: split }) => ({ test: mapped(split, (value) => value / 2) }), 1);

  await expect(verifyRun(folder, other, () => new SgdLearner(options), backend)).rejects.toMatchObject({
    code: "OTHER_RUN",
    message: expect.stringContaining("another test set of task 1"),
  });
});

test.each([
  [{ a: 1 }, { a: 1 }, null],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, null],
  [{ a: [{ b: 1, c: [2] }] }, { a: [{ c: [2], b: 1 }] }, null],
  [{ a: [{ b: 1 }] }, { a: [{ b: 2 }] }, { key: "a", before: '[{"b":1}]', now: '[{"b":2}]' }],
  [{ a: [1] }, { a: [1, 2] }, { key: "a", before: "[1]", now: "[1,2]" }],
  [{ a: { b: 1 } }, { a: { b: 2 } }, { key: "a.b", before: "1", now: "2" }],
  [{ a: null }, { a: { b: 2 } }, { key: "a", before: "null", now: "an object" }],
  [{}, { a: false }, { key: "a", before: "unset", now: "false" }],
  [{ toString: 1 }, {}, { key: "toString", before: "1", now: "unset" }],
  [{ a: ["x"] }, { a: [] }, { key: "a", before: '["x"]', now: "[]" }],
  [null, { a: 1 }, { key: "settings", before: "null", now: "an object" }],
  [{ a: "\u001b[2J" }, { a: "" }, { key: "a", before: '"\\u001b[2J"', now: '""' }],
  [{ a: "long".repeat(99) }, { a: 1 }, { key: "a", before: `"${"long".repeat(19)}lon...`, now: "1" }],
])("settings %j and %j differ in %j", (before, now, difference) => {
  expect(settingDifference(before, now)).toEqual(difference);
});
