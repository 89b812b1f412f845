import { describe, expect, test } from "vitest";
import { ConfigError, flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { JointLearner, RandomBodyLearner, SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import { checkSchedule, publishedSchedule, type Schedule } from "./fit.ts";
import { MultiHead } from "./multi-head.ts";
import { permutedScenario } from "./permuted-scenario.ts";
import { run, type RunOptions } from "./run.ts";
import { splitScenario } from "./split-scenario.ts";
import { syntheticDataset, syntheticScenario } from "./testing/synthetic-scenario.ts";

const backend = selectBackend();
const dataset = syntheticDataset();
const scenario = syntheticScenario();
const options = { body: network([4, 4, 1], flatten(), linear(4), relu()), backend, seed: 1 };

/** The name that was meant, and a call with a letter too many. */
const calls: Readonly<Record<string, readonly [meant: string, call: (typo: object) => unknown]>> = {
  MultiHead: ["initialiser", (typo) => new MultiHead({ ...options, ...typo })],
  SgdLearner: ["schedule", (typo) => new SgdLearner({ ...options, ...typo })],
  SgdFrozenLearner: ["initialiser", (typo) => new SgdFrozenLearner({ ...options, ...typo })],
  RandomBodyLearner: ["schedule", (typo) => new RandomBodyLearner({ ...options, ...typo })],
  JointLearner: ["schedule", (typo) => new JointLearner({ ...options, scenario, ...typo })],
  "a schedule": [
    "lrPatience",
    (typo) => new SgdLearner({ ...options, schedule: { ...publishedSchedule, ...typo } }),
  ],
  splitScenario: ["validationShare", (typo) => splitScenario(dataset, { seed: 1, ...typo })],
  permutedScenario: ["tasks", (typo) => permutedScenario(dataset, { seed: 1, ...typo })],
};

describe("an option that is spelled wrong is refused, and the nearest named:", () => {
  test.each(Object.entries(calls))("%s", (owner, [meant, call]) => {
    const typo = `${meant}x`;

    expect(() => call({ [typo]: 1 })).toThrow(ConfigError);
    expect(() => call({ [typo]: 1 })).toThrow(
      expect.objectContaining({
        code: "UNKNOWN_KEY",
        message: `${owner} has no option "${typo}"; did you mean "${meant}"?`,
      }),
    );
  });

  test("run", async () => {
    const learner = new SgdLearner(options);
    const wrong = { seed: 1, backend, control: [] };

    await expect(run(scenario, learner, wrong)).rejects.toMatchObject({
      code: "UNKNOWN_KEY",
      message: 'run has no option "control"; did you mean "controls"?',
    });
    learner.dispose();
  });
});

test.each<[Partial<RunOptions>, string]>([
  [{ onBrokenPromise: "ignore" as never }, 'onBrokenPromise must be one of throw, warn, not "ignore"'],
  [{ unlearned: "every" as never }, 'unlearned must be one of none, next, all, not "every"'],
  [{ checkpointSeconds: NaN }, "checkpointSeconds must be a number from 0 up, not NaN"],
  [{ seed: -1 }, "seed must be a whole number from 0 up, not -1"],
  [{ resume: "false" as never }, 'resume of run must be true or false, not "false"'],
])("run refuses %j before anything is trained", async (wrong, message) => {
  const learner = new SgdLearner(options);

  await expect(run(scenario, learner, { seed: 1, backend, ...wrong })).rejects.toMatchObject({
    code: "BAD_VALUE",
    message,
  });
  learner.dispose();
});

test.each([0.3, NaN, null, "abc", -1])(
  "a seed of %o is no seed 0 to whoever draws from it: scenarios, heads, learners",
  (wrong) => {
    const seed = wrong as number;
    const makers = [
      () => splitScenario(dataset, { seed }),
      () => splitScenario(dataset, { seed, validationShare: 0 }),
      () => permutedScenario(dataset, { seed }),
      () => new MultiHead({ ...options, seed }),
      () => new SgdLearner({ ...options, seed }),
      () => new JointLearner({ ...options, scenario, seed }),
    ];

    for (const make of makers)
      expect(make).toThrow(
        expect.objectContaining({
          code: "BAD_VALUE",
          message: expect.stringMatching(`^seed .* not ${wrong}$`),
        }),
      );
  },
);

describe("a schedule is refused when the learner is made, not when it learns:", () => {
  test.each<[Partial<Schedule>, RegExp]>([
    [{ lr: 1e-320 }, /^lr must be .* not 1e-320, which is 0 as the float32/],
    [{ lr: 1e39 }, /^lr must be .* which is Infinity/],
    [{ lrMin: 1e-320 }, /^lrMin must be/],
    [{ lrFactor: Infinity }, /^lrFactor must be a number above 1, not Infinity/],
    [{ lr: 1e-5 }, /^lr is 0\.00001 and lrMin 0\.0001.*nothing would be learned/],
    [{ epochs: 0 }, /^epochs must be/],
  ])("%j", (change, message) => {
    const schedule = { ...publishedSchedule, ...change };

    for (const make of [
      () => checkSchedule(schedule),
      () => new SgdLearner({ ...options, schedule }),
      () => new JointLearner({ ...options, scenario, schedule }),
    ])
      expect(make).toThrow(
        expect.objectContaining({ code: "BAD_VALUE", message: expect.stringMatching(message) }),
      );
  });
});
