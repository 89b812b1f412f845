import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CheckpointError, flatten, linear, memoryUse, network, relu, selectBackend } from "@milliner/core";
import { SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import type { RunEvent } from "./events.ts";
import type { Learner } from "./learner.ts";
import type { RunResult } from "./result.ts";
import { run, type RunOptions } from "./run.ts";
import { readResult } from "./stored-result.ts";
import { syntheticScenario } from "./testing/synthetic-scenario.ts";
import { verifyRun } from "./verify-run.ts";

const backend = selectBackend();
const scenario = syntheticScenario({ imagesPerClass: 12 });
const schedule = { epochs: 2, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 };
const body = network([4, 4, 1], flatten(), linear(8), relu());
const options = { body, backend, seed: 3, schedule };
const make = (): Learner => new SgdFrozenLearner(options);
const sgd = (): Learner => new SgdLearner(options);

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-verify-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function runOnce({
  by = make,
  ...rest
}: Partial<RunOptions> & { by?: typeof make } = {}): Promise<RunResult> {
  const learner = by();
  try {
    return await run(scenario, learner, { seed: 3, backend, folder, checkpointSeconds: 0, ...rest });
  } finally {
    learner.dispose();
  }
}

test("finds the logits of a method that cannot forget unchanged, and those of one that can changed", async () => {
  for (const [by, exact] of [
    [make, true],
    [sgd, false],
  ] as const) {
    const own = join(folder, by().name);
    await runOnce({ by, folder: own });
    const found = await verifyRun(own, scenario, by, backend);

    expect(found.checkpoint).toBe(join(own, "checkpoints", "task-002.json"));
    expect(found.tasks.map(({ task }) => task)).toEqual([0, 1, 2]);
    expect(found.bitExactOldLogits).toBe(exact);
    expect(found.lockedUnchanged).toBe(exact ? true : null);
    expect(found.tasks[2]!.found).toBe(found.tasks[2]!.expected);
  }
});

test("is called at the end of a run, which then says so; what it finds counts", async () => {
  for (const bitExactOldLogits of [true, false]) {
    const result = await runOnce({
      folder: join(folder, String(bitExactOldLogits)),
      verifier: async (given) => ({
        ...(await verifyRun(given, scenario, make, backend)),
        bitExactOldLogits,
      }),
      onBrokenPromise: "warn",
    });

    expect(result).toMatchObject({ bitExactOldLogits, bitExactCheckedIn: "fresh-process" });
  }
});

test("where no fresh process could be started, what the checkpoint showed is the result, with one warning", async () => {
  const seen: RunEvent[] = [];
  const refuse = (code: string): Partial<RunOptions> => ({
    folder: join(folder, code),
    makeLearner: make,
    verifier: () => Promise.reject(new CheckpointError(code, "why not")),
    events: (event) => seen.push(event),
  });

  const result = await runOnce(refuse("NO_FRESH_PROCESS"));
  const stored: unknown = JSON.parse(await readFile(join(folder, "NO_FRESH_PROCESS", "result.json"), "utf8"));

  expect(result).toMatchObject({
    bitExactOldLogits: true,
    bitExactCheckedIn: "checkpoint",
    warnings: ["why not"],
  });
  expect(stored).toMatchObject({ bitExactCheckedIn: "checkpoint", warnings: ["why not"] });
  expect(seen.filter(({ type }) => type === "warning")).toMatchObject([{ message: "why not" }]);
});

test.each<[string, unknown]>([
  ["fails", new CheckpointError("VERIFY_FAILED", "why")],
  ["is interrupted", new Error("Ctrl-C")],
])(
  "a check that %s leaves the result, which says that it is to be checked yet; the resumed run is checked",
  async (_, reason) => {
    const failed = runOnce({ makeLearner: make, verifier: () => Promise.reject(reason as Error) });

    await expect(failed).rejects.toBe(reason);
    const stored = await readResult(folder);
    expect(stored).toMatchObject({
      bitExactOldLogits: true,
      bitExactCheckedIn: "checkpoint",
      isCheckPending: true,
      warnings: [expect.stringMatching(/ended before its check in a fresh process had: .* resume the run/)],
    });
    const resumed = await runOnce({
      makeLearner: make,
      resume: true,
      verifier: (given) => verifyRun(given, scenario, make, backend),
    });
    expect(resumed).toMatchObject({
      bitExactCheckedIn: "fresh-process",
      isCheckPending: false,
      warnings: [],
    });
    expect(await readResult(folder)).toEqual(resumed);
  },
);

test("the result has been written when the check begins", async () => {
  let acc: number | undefined;
  const result = await runOnce({
    verifier: async (given) => {
      acc = (await readResult(given))?.acc;
      return await verifyRun(given, scenario, make, backend);
    },
  });

  expect(acc).toBe(result.acc);
});

test("says that there is nothing to verify, and that the scenario is another", async () => {
  await expect(verifyRun(join(folder, "none"), scenario, sgd, backend)).rejects.toMatchObject({
    code: "MISSING",
  });
  await runOnce({ by: sgd });

  await expect(verifyRun(folder, { ...scenario, name: "other" }, sgd, backend)).rejects.toMatchObject({
    code: "OTHER_RUN",
    message: expect.stringMatching(/"split-synthetic", not "other"/),
  });
});

test("a run that was stopped within a task is verified up to the task before", async () => {
  const abort = new AbortController();
  let epochs = 0;
  const stop = ({ type }: RunEvent): void => {
    if (type === "epoch-ended" && ++epochs === 5) abort.abort(new Error("Ctrl-C"));
  };
  await expect(runOnce({ events: stop, signal: abort.signal })).rejects.toThrow("Ctrl-C");

  const found = await verifyRun(folder, scenario, make, backend);

  expect(found.checkpoint).toBe(join(folder, "checkpoints", "task-001.json"));
  expect(found.tasks.map(({ task }) => task)).toEqual([0, 1]);
  expect(found.bitExactOldLogits).toBe(true);
});

test("locked elements that are others than they were are found, also when only one task's are", async () => {
  await runOnce();
  const changed = (): Learner => {
    const learner = make();
    const hash = learner.lockedHash.bind(learner);
    return Object.assign(learner, { lockedHash: (upTo: number) => (upTo === 1 ? "other" : hash(upTo)) });
  };

  expect((await verifyRun(folder, scenario, make, backend)).lockedUnchanged).toBe(true);
  expect((await verifyRun(folder, scenario, changed, backend)).lockedUnchanged).toBe(false);
});

test("asks for no image that it does not compute with", async () => {
  await runOnce();
  const unread = (): never => {
    throw new Error("read");
  };
  const testsAlone = scenario.tasks.map((task) => ({
    ...task,
    train: { ...task.train, read: unread, readBytes: unread },
    validation: { ...task.validation, read: unread, readBytes: unread },
  }));

  const found = await verifyRun(folder, { ...scenario, tasks: testsAlone }, make, backend);

  expect(found.bitExactOldLogits).toBe(true);
});

test("a scenario of the same name with fewer tasks is refused", async () => {
  await runOnce();
  const shorter = { ...scenario, tasks: scenario.tasks.slice(0, 2) };

  await expect(verifyRun(folder, shorter, make, backend)).rejects.toMatchObject({ code: "OTHER_RUN" });
});

test("a record that contradicts itself is refused before a learner is made", async () => {
  await runOnce();
  const json = join(folder, "checkpoints", "task-002.json");
  const header = JSON.parse(await readFile(json, "utf8"));
  header.record.learned.pop();
  await writeFile(json, JSON.stringify(header));
  let made = 0;
  const counting = (): Learner => {
    made += 1;
    return make();
  };

  await expect(verifyRun(folder, scenario, counting, backend)).rejects.toMatchObject({ code: "BAD_VALUE" });
  expect(made).toBe(0);
});

test("verifying leaves no buffer behind, whether it succeeds or not", async () => {
  await runOnce();
  const before = memoryUse().buffers;
  const failing = (): Learner => Object.assign(make(), { load: () => Promise.reject(new Error("no")) });
  await verifyRun(folder, scenario, make, backend);
  await expect(verifyRun(folder, scenario, failing, backend)).rejects.toThrow("no");

  expect(memoryUse().buffers).toBe(before);
});
