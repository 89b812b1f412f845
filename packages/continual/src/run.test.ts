import { chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import {
  ConfigError,
  dropout,
  flatten,
  linear,
  memoryUse,
  network,
  NumericError,
  relu,
  selectBackend,
  type Backend,
} from "@milliner/core";
import { JointLearner, RandomBodyLearner, SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import { readCheckpoint } from "./checkpoint.ts";
import type { RunEvent } from "./events.ts";
import type { CheckpointReader, Learner } from "./learner.ts";
import type { RunResult } from "./result.ts";
import { run, type RunOptions } from "./run.ts";
import type { Scenario, Task } from "./task.ts";
import { syntheticScenario } from "./testing/synthetic-scenario.ts";

const backend = selectBackend();
const scenario = syntheticScenario({ imagesPerClass: 12 });
const schedule = { epochs: 3, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 };
const body = network([4, 4, 1], flatten(), dropout(0.1), linear(8), relu());
const seed = 7;
const options = { body, backend, seed, schedule };
const sgd = (): Learner => new SgdLearner(options);
const frozen = (): Learner => new SgdFrozenLearner(options);
const joint = (): Learner => new JointLearner({ ...options, scenario });

let parent = "";
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "milliner-run-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

interface Setting extends Partial<RunOptions> {
  readonly make?: () => Learner;
  readonly makeControls?: readonly (() => Learner)[];
  readonly scenario?: Scenario;
}

/** One process' part of a run: new learners, which are gone afterwards. */
async function runOnce({
  make = sgd,
  makeControls = [],
  scenario: of = scenario,
  ...rest
}: Setting = {}): Promise<RunResult> {
  const learners = [make(), ...makeControls.map((control) => control())];
  try {
    const [learner, ...controls] = learners as [Learner, ...Learner[]];
    return await run(of, learner, { seed, backend, controls, ...rest });
  } finally {
    for (const learner of learners) learner.dispose();
  }
}

/** What has to be the same for an interrupted run: all but the clock's readings. */
function timeless(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, part) => (/^(seconds|time)$/.test(key) ? undefined : part)));
}

async function eventsOf(folder: string): Promise<readonly unknown[]> {
  const text = await readFile(join(folder, "events.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => timeless(JSON.parse(line)));
}

/** The bits of everything that the last checkpoint holds. */
async function finalState(folder: string, control = ""): Promise<unknown> {
  const { snapshot } = await readCheckpoint(join(folder, "checkpoints", control, "task-002.json"));
  return [...snapshot.arrays].map(([name, { data }]) => [name, Buffer.from(data.buffer).toString("hex")]);
}

describe("the result of a run", () => {
  test("is returned, written, and made of the accuracies that the events tell", async () => {
    const folder = join(parent, "run");
    const seen: RunEvent[] = [];
    const result = await runOnce({
      makeControls: [joint],
      folder,
      unlearned: "all",
      events: (event) => seen.push(event),
    });

    expect(JSON.parse(await readFile(join(folder, "result.json"), "utf8"))).toEqual(result);
    expect(result).toMatchObject({
      format: "milliner-result",
      version: 1,
      scenario: "split-synthetic",
      seed,
    });
    expect(
      result.matrix.flat().every((accuracy) => accuracy !== null && accuracy >= 0 && accuracy <= 1),
    ).toBe(true);
    const rows = seen.flatMap((event) =>
      event.type === "evaluated" && event.learner === "sgd" ? [event.accuracies] : [],
    );
    expect(rows).toEqual(result.matrix.map((row, t) => row.slice(0, t + 1)));
    expect(result.acc).toBeCloseTo(result.matrix[2]!.reduce((sum: number, a) => sum + a!, 0) / 3, 12);
    expect(result.fwt).toBeCloseTo(
      (result.matrix[0]![1]! - result.initial[1]! + result.matrix[1]![2]! - result.initial[2]!) / 2,
      12,
    );
    expect(result.controls["joint"]!.matrix).toHaveLength(3);
    expect(result.forgettingRatio).toHaveLength(3);
  });

  test("has no forgetting ratio without joint training, and no FWT where nothing was tried before it was learned", async () => {
    const result = await runOnce({ unlearned: "none" });

    expect(result).toMatchObject({ forgettingRatio: null, fwt: null, initial: [null, null, null] });
    expect(result.matrix.map((row) => row.map((a) => a === null))).toEqual([
      [false, true, true],
      [false, false, true],
      [false, false, false],
    ]);
  });

  test("tells a method that forgets from one that cannot, on a new object loaded from the checkpoint", async () => {
    for (const [make, exact] of [
      [sgd, false],
      [frozen, true],
      [(): Learner => new RandomBodyLearner(options), true],
    ] as const) {
      const result = await runOnce({ make, makeLearner: make, folder: join(parent, make().name) });

      expect(result.bitExactOldLogits, result.learner).toBe(exact);
      expect(result.bitExactCheckedIn).toBe("checkpoint");
      expect(result.lockedUnchanged).toBe(exact ? true : null);
    }
  });

  test("is measured on what was loaded: state that a learner forgets to save shows, which in memory it would not", async () => {
    const forgetful = (): Learner => {
      const sound = frozen();
      const load = sound.load.bind(sound);
      return Object.assign(sound, {
        load: (from: CheckpointReader) =>
          load({
            ...from,
            array: (name) => {
              const { shape, data } = from.array(name);
              return { shape, data: name.startsWith("parameters/heads.") ? data.map(() => 0) : data };
            },
          }),
      });
    };

    expect((await runOnce({ make: forgetful })).bitExactOldLogits).toBe(true);
    const found = await runOnce({ make: forgetful, makeLearner: forgetful, onBrokenPromise: "warn" });
    expect(found.bitExactOldLogits).toBe(false);
  });

  test("does not depend on whether there is a folder, on checkpoints, or on how often they are written", async () => {
    const expected = timeless(await runOnce());

    expect(timeless(await runOnce({ folder: join(parent, "a"), checkpointSeconds: 0 }))).toEqual(expected);
    expect(timeless(await runOnce({ folder: join(parent, "b"), checkpointSeconds: 1e9 }))).toEqual(expected);
    expect(await finalState(join(parent, "a"))).toEqual(await finalState(join(parent, "b")));
  });

  test("a run leaves no buffer behind", async () => {
    const before = memoryUse().buffers;
    await runOnce({ make: frozen, makeLearner: frozen, makeControls: [sgd, joint], unlearned: "all" });

    expect(memoryUse().buffers).toBe(before);
  });
});

test("events come in the order of what happens, with steps 0, 1, 2, ...; the method first, then its controls", async () => {
  const folder = join(parent, "run");
  await runOnce({ makeControls: [frozen], folder, checkpointSeconds: 0 });

  const events = (await eventsOf(folder)) as RunEvent[];
  expect(events.map(({ step }) => step)).toEqual(events.map((_, i) => i));
  const epoch = ["epoch-ended", "checkpoint"];
  const task = ["task-started", ...epoch, ...epoch, ...epoch, "task-ended", "checkpoint", "evaluated"];
  const learner = ["run-started", ...task, ...task, ...task, "run-ended"];
  expect(events.map(({ type }) => type)).toEqual([...learner, ...learner]);
  expect(events.map((event) => event.learner)).toEqual([
    ...learner.map(() => "sgd"),
    ...learner.map(() => "sgd-frozen"),
  ]);
});

test("at the end there is one checkpoint per task of the method, the newest of a control, and nothing half-written", async () => {
  const folder = join(parent, "run");
  await runOnce({ makeControls: [frozen], folder, checkpointSeconds: 0 });

  const files = (task: number): string[] => [`task-00${task}.json`, `task-00${task}.safetensors`];
  expect((await readdir(join(folder, "checkpoints"))).sort()).toEqual(
    ["sgd-frozen", ...files(0), ...files(1), ...files(2)].sort(),
  );
  expect((await readdir(join(folder, "checkpoints", "sgd-frozen"))).sort()).toEqual(files(2));
  expect((await readdir(folder)).sort()).toEqual(["checkpoints", "events.jsonl", "result.json"]);
});

describe("a run that is stopped and resumed ends with the bits and the events of one that was not", () => {
  const setting: Setting = { makeControls: [frozen, joint], checkpointSeconds: 0 };

  /** Stops once `at` events have happened. Returns whether it was in time. */
  async function stopAt(at: number, folder: string, more: Setting = {}): Promise<boolean> {
    const abort = new AbortController();
    const reason = new Error("Ctrl-C");
    let count = 0;
    const events = (): void => {
      if (++count === at) abort.abort(reason);
    };
    try {
      await runOnce({ ...setting, ...more, folder, resume: true, events, signal: abort.signal });
      return false;
    } catch (error) {
      expect(error).toBe(reason);
      return true;
    }
  }

  test("stopped after any of its events", async ({ task }) => {
    const whole = join(parent, "whole");
    const expected = timeless(await runOnce({ ...setting, folder: whole }));
    const [events, state] = [await eventsOf(whole), await finalState(whole)];
    const apart = Math.ceil(13 / inject("soak"));
    let stopped = 0;
    for (let at = 1; at < events.length + 30; at += apart) {
      const folder = join(parent, `stopped-${at}`);
      if (await stopAt(at, folder)) stopped += 1;

      expect(timeless(await runOnce({ ...setting, folder, resume: true })), `at ${at}`).toEqual(expected);
      expect(await eventsOf(folder), `at ${at}`).toEqual(events);
      expect(await finalState(folder), `at ${at}`).toEqual(state);
      expect(await finalState(folder, "joint"), `at ${at}`).toEqual(await finalState(whole, "joint"));
    }
    expect(stopped).toBeGreaterThan(100 / apart);
    task.meta.draws = stopped;
  });

  test("stopped again and again, a few events further each time", async () => {
    const expected = timeless(await runOnce({ ...setting, folder: join(parent, "whole") }));
    const folder = join(parent, "often");
    let stops = 0;
    while (await stopAt(9, folder)) expect(++stops).toBeLessThan(200);

    expect(stops).toBeGreaterThan(5);
    expect(timeless(await runOnce({ ...setting, folder, resume: true }))).toEqual(expected);
    expect(await eventsOf(folder)).toEqual(await eventsOf(join(parent, "whole")));
  });

  test("stopped within a task when no checkpoint was due: the last epoch is written on the way out", async () => {
    const expected = timeless(await runOnce());
    const folder = join(parent, "run");
    const abort = new AbortController();
    let epochs = 0;
    const events = ({ type }: RunEvent): void => {
      if (type === "epoch-ended" && ++epochs === 5) abort.abort(new Error("Ctrl-C"));
    };
    const rare = { folder, checkpointSeconds: 1e9 };
    await expect(runOnce({ ...rare, events, signal: abort.signal })).rejects.toThrow("Ctrl-C");

    expect(await readdir(join(folder, "checkpoints"))).toContain("task-001.epoch-0002.json");
    const resumed: RunEvent[] = [];
    const result = await runOnce({ ...rare, resume: true, events: (event) => resumed.push(event) });
    expect(timeless(result)).toEqual(expected);
    expect(resumed.filter(({ type }) => type === "epoch-ended")).toHaveLength(9 - 5);
  });

  test("a run that is done is not done again: resuming reads and writes the same result", async () => {
    const folder = join(parent, "run");
    const result = await runOnce({ ...setting, folder });
    const before = await eventsOf(folder);
    const seen: RunEvent[] = [];
    const again = await runOnce({ ...setting, folder, resume: true, events: (event) => seen.push(event) });

    expect(again).toEqual(result);
    expect(seen).toEqual([]);
    expect(await eventsOf(folder)).toEqual(before);
  });

  test("resuming where there is nothing begins anew", async () => {
    const folder = join(parent, "new");

    expect(timeless(await runOnce({ folder, resume: true }))).toEqual(timeless(await runOnce()));
  });
});

describe("a damaged checkpoint", () => {
  test("is passed over for the one before, with a warning, and the bits are the same", async () => {
    const folder = join(parent, "run");
    const expected = await runOnce({ folder });
    const bits = await finalState(folder);
    const newest = join(folder, "checkpoints", "task-002.safetensors");
    await truncate(newest, 50);
    const again = await runOnce({ folder, resume: true });

    expect(again.warnings).toEqual([expect.stringContaining(newest)]);
    expect(timeless({ ...again, warnings: [] })).toEqual(timeless(expected));
    expect(await finalState(folder)).toEqual(bits);
  });

  test("is an error where there is none before: learning is not begun anew in silence", async () => {
    const folder = join(parent, "run");
    await runOnce({ folder });
    for (const task of [0, 1, 2])
      await truncate(join(folder, "checkpoints", `task-00${task}.safetensors`), 50);

    await expect(runOnce({ folder, resume: true })).rejects.toMatchObject({ code: "DAMAGED" });
  });
});

test("what a killed run left half-written is cleared away when the run goes on", async () => {
  const folder = join(parent, "run");
  await runOnce({ folder });
  const checkpoints = join(folder, "checkpoints");
  const before = (await readdir(checkpoints)).sort();
  await writeFile(join(checkpoints, "task-002.safetensors.part"), "half");
  await writeFile(join(checkpoints, "task-001.epoch-0001.safetensors"), "arrays whose JSON never came");
  await runOnce({ folder, resume: true });

  expect((await readdir(checkpoints)).sort()).toEqual(before);
});

describe("is refused before anything has changed:", () => {
  test("a folder that holds a run, unless it is resumed", async () => {
    const folder = join(parent, "run");
    await runOnce({ folder });
    const before = await eventsOf(folder);

    await expect(runOnce({ folder })).rejects.toMatchObject({
      code: "RUN_EXISTS",
      message: expect.stringContaining(folder),
    });
    expect(await eventsOf(folder)).toEqual(before);
  });

  test("a folder that a run is using", async () => {
    const folder = join(parent, "run");
    let second: Promise<unknown> | undefined;
    await runOnce({
      folder,
      events: () => {
        second ??= runOnce({ folder, resume: true }).catch((error: unknown) => error);
      },
    });

    await expect(second).resolves.toMatchObject({ name: "ConfigError", code: "RUN_LOCKED" });
  });

  test("a backend that is not the learner's, whose precision the result would name", async () => {
    const other: Backend = { ...backend, precision: "bf16" };

    await expect(runOnce({ backend: other })).rejects.toMatchObject({
      code: "MIXED_BACKENDS",
      message: expect.stringMatching(
        /^"sgd" on the test set of task 0 .*: it computes on the backend \w+ in float32, but the run was given \w+ in bf16; /,
      ),
    });
  });

  test("resuming with another seed, another scenario, another method", async () => {
    const folder = join(parent, "run");
    await runOnce({ folder });
    for (const other of [{ seed: 8 }, { make: frozen }, { scenario: { ...scenario, name: "other" } }])
      await expect(runOnce({ folder, resume: true, ...other })).rejects.toMatchObject({ code: "OTHER_RUN" });
  });

  test.each<[string, Setting, string]>([
    ["two learners of one name", { makeControls: [sgd] }, "BAD_NAME"],
    ["a name that is a path", { make: () => Object.assign(sgd(), { name: "../sgd" }) }, "BAD_NAME"],
    ["a scenario without tasks", { scenario: { ...scenario, tasks: [] } }, "EMPTY_SCENARIO"],
    [
      "tasks out of order",
      { scenario: { ...scenario, tasks: [...scenario.tasks].reverse() } },
      "BAD_SCENARIO",
    ],
    [
      "two tasks of one name",
      { scenario: { ...scenario, tasks: scenario.tasks.map((task) => ({ ...task, name: "odd" })) } },
      "BAD_SCENARIO",
    ],
    ["half a seed", { seed: 0.5 }, "BAD_VALUE"],
  ])("%s", async (_, setting, code) => {
    const folder = join(parent, "run");

    await expect(runOnce({ ...setting, folder })).rejects.toMatchObject({ name: ConfigError.name, code });
    expect(await readdir(parent)).toEqual([]);
  });

  test.skipIf(process.platform === "win32" || process.getuid?.() === 0)(
    "a folder that is read-only",
    async () => {
      await chmod(parent, 0o500);

      await expect(runOnce({ folder: parent })).rejects.toMatchObject({
        code: "WRITE_FAILED",
        message: expect.stringContaining(parent),
      });
      await chmod(parent, 0o700);
    },
  );

  test("a folder that cannot be made, because a file is in the way", async () => {
    await writeFile(join(parent, "file"), "");

    await expect(runOnce({ folder: join(parent, "file", "run") })).rejects.toMatchObject({
      name: "CheckpointError",
      code: "WRITE_FAILED",
      message: expect.stringContaining("is a file or lies below one"),
    });
  });
});

describe("NaN in the data", () => {
  /** The scenario with one image of task 1 poisoned in one of its parts. */
  function poisoned(part: "train" | "validation" | "test"): Scenario {
    const [first, second, third] = scenario.tasks as [Task, Task, Task];
    const split: Task["train"] = {
      ...second[part],
      read(indices, into) {
        second[part].read(indices, into);
        const pixels = into.length / indices.length;
        for (let i = 0; i < indices.length; i++) if (indices[i] === 3) into[i * pixels + 5] = NaN;
      },
    };
    return { ...scenario, tasks: [first, { ...second, [part]: split }, third] };
  }

  test.each([
    ["train", /task 1 \("class 2, class 3"\), epoch 1, batch \d of \d: value 5 of image 3 is NaN/],
    ["validation", /task 1 \("class 2, class 3"\), epoch 1, validation: value 5 of image 3 is NaN/],
    ["test", /"sgd" on the test set of task 1 \("class 2, class 3"\): value 5 of image 3 is NaN/],
  ] as const)("of the %s split stops the run with one sentence that says where", async (part, message) => {
    const error: unknown = await runOnce({ scenario: poisoned(part) }).catch((caught: unknown) => caught);

    expect(error).toBeInstanceOf(NumericError);
    expect(error).toMatchObject({ code: "NON_FINITE_DATA", message: expect.stringMatching(message) });
  });

  test("leaves what was learned before: with the data mended the run goes on with the same bits", async () => {
    const folder = join(parent, "run");
    const expected = timeless(await runOnce());
    await expect(runOnce({ folder, scenario: poisoned("train") })).rejects.toBeInstanceOf(NumericError);

    expect(timeless(await runOnce({ folder, resume: true }))).toEqual(expected);
  });
});

test("a loss that overflows is refused with task, epoch and batch, and what to try; no stored number is NaN", async () => {
  const learner = new SgdLearner({ ...options, schedule: { ...schedule, lr: 1e30, epochs: 50 } });
  const folder = join(parent, "run");

  await expect(run(scenario, learner, { seed, backend, folder })).rejects.toThrow(
    expect.objectContaining({
      name: "NumericError",
      message: expect.stringMatching(
        /task 0 \("class 0, class 1"\), epoch 1, (batch \d of \d|validation).*lr|learning rate/,
      ),
    }),
  );
  learner.dispose();
});

test("the event loop gets its turn while a task is learned: a timer can abort it", async () => {
  const abort = new AbortController();
  const long = new SgdLearner({ ...options, schedule: { ...schedule, lr: 1e-3, epochs: 100_000, lrMin: 0 } });
  setTimeout(() => abort.abort(new Error("by a timer")), 20);

  await expect(run(scenario, long, { seed, backend, signal: abort.signal })).rejects.toThrow("by a timer");
  long.dispose();
});
