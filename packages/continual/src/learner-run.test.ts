import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flatten, linear, memoryUse, network, relu, selectBackend } from "@milliner/core";
import { SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import type { RunEvent } from "./events.ts";
import type { Learner } from "./learner.ts";
import type { RunResult } from "./result.ts";
import { run, type RunOptions } from "./run.ts";
import { syntheticScenario } from "./testing/synthetic-scenario.ts";

const backend = selectBackend();
const scenario = syntheticScenario({ imagesPerClass: 12 });
const schedule = { epochs: 3, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 };
const body = network([4, 4, 1], flatten(), linear(8), relu());
const options = { body, backend, seed: 3, schedule };
const frozen = (): Learner => new SgdFrozenLearner(options);

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-learner-run-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function runOnce(rest: Partial<RunOptions> = {}, learner: Learner = frozen()): Promise<RunResult> {
  try {
    return await run(scenario, learner, { seed: 3, backend, ...rest });
  } finally {
    learner.dispose();
  }
}

/** A learner that cannot forget, told apart by how many tasks it has learned. */
function counting(change: (sound: Learner, learned: () => number) => Partial<Learner>): Learner {
  const sound = frozen();
  const learn = sound.learn.bind(sound);
  let learned = 0;
  const changes = change(
    Object.assign(Object.create(Object.getPrototypeOf(sound)) as Learner, {
      logits: sound.logits.bind(sound),
    }),
    () => learned,
  );
  return Object.assign(sound, changes, {
    learn: async (...args: Parameters<Learner["learn"]>) => {
      const record = await learn(...args);
      learned += 1;
      return record;
    },
  });
}

describe("what was once found changed stays so in the result, even when it comes back:", () => {
  test("logits of an earlier task", async () => {
    const learner = counting((sound, learned) => ({
      logits: (task, images) => sound.logits(task === 0 && learned() === 2 ? 1 : task, images),
    }));

    expect((await runOnce({ onBrokenPromise: "warn" }, learner)).bitExactOldLogits).toBe(false);
  });

  test("locked elements", async () => {
    const learner = counting((_, learned) => ({
      lockedHash: (upTo) => (upTo === 0 && learned() === 2 ? "other" : `hash ${upTo}`),
    }));

    expect(await runOnce({ onBrokenPromise: "warn" }, learner)).toMatchObject({
      lockedUnchanged: false,
      warnings: ['"sgd-frozen" broke its promise: after task 1 locked elements have changed'],
    });
  });
});

test("after the first task, in memory, nothing has been compared yet, and the event does not claim it", async () => {
  const claims = async (rest: Partial<RunOptions>): Promise<readonly unknown[]> => {
    const found: unknown[] = [];
    const events = (event: RunEvent): void => {
      if (event.type === "evaluated") found.push(event.bitExactOldLogits);
    };
    await runOnce({ ...rest, events });
    return found;
  };

  expect(await claims({})).toEqual([null, true, true]);
  expect(await claims({ makeLearner: frozen })).toEqual([true, true, true]);
});

test("the result says where old logits were compared", async () => {
  expect((await runOnce()).bitExactCheckedIn).toBe("memory");
  expect((await runOnce({ makeLearner: frozen })).bitExactCheckedIn).toBe("checkpoint");
});

test("forgetting ratios refer to the control that is named", async () => {
  const control = new SgdLearner(options);
  const result = await runOnce({ controls: [control], joint: "sgd" });
  control.dispose();

  expect(result.forgettingRatio).toHaveLength(3);
});

test.each([
  [true, false, false],
  [false, true, false],
  [true, true, true],
])("locked elements unchanged here (%j) and in a fresh process (%j): %j", async (here, there, both) => {
  let calls = 0;
  const learner = here ? frozen() : Object.assign(frozen(), { lockedHash: () => `hash ${calls++}` });
  const verifier: RunOptions["verifier"] = async () => ({
    checkpoint: "a.json",
    tasks: [],
    bitExactOldLogits: true,
    lockedUnchanged: there,
  });

  const onBrokenPromise = "warn";
  expect((await runOnce({ folder, verifier, onBrokenPromise }, learner)).lockedUnchanged).toBe(both);
});

describe("makeLearner is refused, and leaves no buffer behind, when it", () => {
  test("makes another method", async () => {
    const before = memoryUse().buffers;

    await expect(runOnce({ makeLearner: () => new SgdLearner(options) })).rejects.toMatchObject({
      code: "BAD_VALUE",
      message: 'makeLearner has to make a new "sgd-frozen" each time',
    });
    expect(memoryUse().buffers).toBe(before);
  });

  test("gives the learner itself, which would be compared with itself", async () => {
    const before = memoryUse().buffers;
    const learner = frozen();

    await expect(runOnce({ makeLearner: () => learner }, learner)).rejects.toMatchObject({
      code: "BAD_VALUE",
    });
    expect(memoryUse().buffers).toBe(before);
  });
});

describe("within a task", () => {
  /** Stops after so many epochs, and tells which checkpoints were announced. */
  async function stopped(epochs: number, checkpointSeconds: number): Promise<readonly string[]> {
    const abort = new AbortController();
    const announced: string[] = [];
    let [seen, now] = [0, 0];
    const events = (event: RunEvent): void => {
      if (event.type === "checkpoint") announced.push(event.file);
      if (event.type === "epoch-ended") now += 2; // each epoch takes two seconds
      if (event.type === "epoch-ended" && ++seen === epochs) abort.abort(new Error("Ctrl-C"));
    };
    const rest = { folder, events, signal: abort.signal, checkpointSeconds, clock: () => now };
    await expect(runOnce(rest)).rejects.toThrow("Ctrl-C");
    return announced;
  }

  test("the newest checkpoint takes the place of the one before", async () => {
    await stopped(5, 0);

    expect((await readdir(join(folder, "checkpoints"))).sort()).toEqual([
      "task-000.json",
      "task-000.safetensors",
      "task-001.epoch-0002.json",
      "task-001.epoch-0002.safetensors",
    ]);
  });

  // Epochs end at 2, 4, 6, 8 and 10 seconds; with the third the task ends too, which is always written.
  test.each([
    [3, ["task-000.epoch-0001", "task-000.epoch-0003", "task-000", "task-001.epoch-0002"]],
    [5, ["task-000.epoch-0001", "task-000", "task-001.epoch-0002"]], // the last one on the way out
  ])("checkpoints are at least %d seconds apart", async (checkpointSeconds, names) => {
    expect(await stopped(5, checkpointSeconds)).toEqual(names.map((name) => `checkpoints/${name}.json`));
  });
});

test("a warning about a damaged checkpoint is still in the result of every later resume", async () => {
  await runOnce({ folder });
  await truncate(join(folder, "checkpoints", "task-002.safetensors"), 50);
  const { warnings } = await runOnce({ folder, resume: true });

  expect(warnings).toHaveLength(1);
  expect((await runOnce({ folder, resume: true })).warnings).toEqual(warnings);
});
