import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import { BrokenPromiseError } from "./broken-promise.ts";
import type { RunEvent } from "./events.ts";
import type { Learner } from "./learner.ts";
import type { RunResult } from "./result.ts";
import { run, type RunOptions } from "./run.ts";
import { syntheticScenario } from "./testing/synthetic-scenario.ts";
import type { Verification } from "./verify-run.ts";

const backend = selectBackend();
const scenario = syntheticScenario({ imagesPerClass: 8 });
const options = {
  body: network([4, 4, 1], flatten(), linear(8), relu()),
  backend,
  seed: 7,
  schedule: { epochs: 1, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 },
};

/** It forgets, and promises nothing. */
const sgd = (): Learner => new SgdLearner(options);
/** It keeps what it promises. */
const frozen = (): Learner => new SgdFrozenLearner(options);
/** It forgets, and says that all is locked. */
const liar = (name = "liar"): Learner => Object.assign(sgd(), { name, lockedHash: () => "always the same" });
/** It keeps all logits, but what it says is locked is another thing each time. */
const restless = (): Learner => {
  let calls = 0;
  return Object.assign(frozen(), { name: "restless", lockedHash: () => `hash ${calls++}` });
};

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-promise-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function runOnce(learner: Learner, rest: Partial<RunOptions> = {}): Promise<RunResult> {
  try {
    return await run(scenario, learner, { seed: 7, backend, ...rest });
  } finally {
    for (const each of [learner, ...(rest.controls ?? [])]) each.dispose();
  }
}

/** The error that a run ends with. */
async function brokenBy(learner: Learner, rest: Partial<RunOptions> = {}): Promise<BrokenPromiseError> {
  const error: unknown = await runOnce(learner, rest).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BrokenPromiseError);
  expect(error).toMatchObject({ name: "BrokenPromiseError", code: "PROMISE_BROKEN" });
  return error as BrokenPromiseError;
}

describe("a learner that locks elements and changes old logits", () => {
  const warnings = [
    '"liar" broke its promise: after task 1 test logits of task 0 have changed',
    '"liar" broke its promise: after task 2 test logits of tasks 0, 1 have changed',
  ];

  test("fails the run when it is at its end and all is written", async () => {
    const seen: RunEvent[] = [];
    const out = join(folder, "run");
    const { message, result } = await brokenBy(liar(), { folder: out, events: (event) => seen.push(event) });

    expect(message).toMatch(/^"liar" changed test logits of earlier tasks: /);
    expect(result).toMatchObject({ bitExactOldLogits: false, lockedUnchanged: true, warnings });
    expect(result.matrix).toHaveLength(3);
    expect(JSON.parse(await readFile(join(out, "result.json"), "utf8"))).toEqual(result);
    expect(seen.filter(({ type }) => type === "promise-broken")).toMatchObject([
      { learner: "liar", afterTask: 1, tasks: [0], lockedUnchanged: true },
      { learner: "liar", afterTask: 2, tasks: [0, 1], lockedUnchanged: true },
    ]);
  });

  test("fails the run again when it is resumed, and is warned of once", async () => {
    const out = join(folder, "run");
    await brokenBy(liar(), { folder: out });

    const { result } = await brokenBy(liar(), { folder: out, resume: true });

    expect(result).toMatchObject({ bitExactOldLogits: false, warnings });
  });

  test("only warns where the caller says so", async () => {
    const result = await runOnce(liar(), { onBrokenPromise: "warn" });

    expect(result).toMatchObject({ bitExactOldLogits: false, warnings });
  });

  test("fails the run as a control too, and the sentence says which", async () => {
    const { message, result } = await brokenBy(frozen(), { controls: [sgd(), liar("other-liar")] });

    expect(message).toMatch(/^"other-liar" changed test logits of earlier tasks: /);
    expect(result).toMatchObject({ bitExactOldLogits: true, warnings: [] });
  });
});

test.each([0, 1, 2, 3, 4, 5, 6, 7])(
  "whichever tasks a learner locks (bits %i), its run ends in an error exactly when it has sent an event of it",
  async (locked) => {
    const seen: RunEvent[] = [];
    const lockedHash = (task: number): string | null => ((locked >> task) & 1 ? "h" : null);
    const learner = Object.assign(sgd(), { name: "some", lockedHash });

    const ended: unknown = await runOnce(learner, { events: (event) => seen.push(event) }).catch(
      (error: unknown) => error,
    );

    expect(seen.some(({ type }) => type === "promise-broken")).toBe(locked > 0);
    expect(ended instanceof BrokenPromiseError).toBe(locked > 0);
  },
);

test("locked elements that change break a promise, also where every logit is kept", async () => {
  const { message, result } = await brokenBy(restless());

  expect(message).toMatch(/^"restless" changed locked elements: /);
  expect(result).toMatchObject({ bitExactOldLogits: true, lockedUnchanged: false });
  expect(result.warnings).toContain(
    '"restless" broke its promise: after task 0 locked elements have changed',
  );
});

test("a learner that locks nothing promises nothing: false is a figure, without a warning and without an error", async () => {
  const seen: RunEvent[] = [];
  const result = await runOnce(sgd(), { controls: [frozen()], events: (event) => seen.push(event) });

  expect(result).toMatchObject({ bitExactOldLogits: false, lockedUnchanged: null, warnings: [] });
  expect(seen.filter(({ type }) => type === "promise-broken" || type === "warning")).toEqual([]);
});

describe("what only a fresh process finds changed", () => {
  const verification = (found: string, lockedUnchanged: boolean | null): (() => Promise<Verification>) => {
    return async () => ({
      checkpoint: "task-002.json",
      tasks: [{ task: 1, expected: "aa", found }],
      bitExactOldLogits: found === "aa",
      lockedUnchanged,
    });
  };

  test.each([
    ["bb", true, "test logits of task 1 have changed"],
    ["aa", false, "locked elements have changed"],
  ])("breaks the promise: logits %s, locked unchanged %s", async (found, locked, changed) => {
    const seen: RunEvent[] = [];
    const { result } = await brokenBy(frozen(), {
      folder: join(folder, "run"),
      verifier: verification(found, locked),
      events: (event) => seen.push(event),
    });

    const warning = `"sgd-frozen" broke its promise: after task 2 ${changed}`;
    expect(result).toMatchObject({ bitExactCheckedIn: "fresh-process", warnings: [warning] });
    expect(seen.slice(-2)).toMatchObject([
      { type: "promise-broken", afterTask: 2 },
      { type: "warning", message: warning },
    ]);
  });

  test("is nothing to a learner that locks nothing", async () => {
    const result = await runOnce(sgd(), { folder: join(folder, "run"), verifier: verification("bb", null) });

    expect(result).toMatchObject({ bitExactOldLogits: false, warnings: [] });
  });
});
