import { describe, expect, test } from "vitest";
import { ConfigError, flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { publishedSchedule } from "@milliner/continual";
import { syntheticScenario, testContext } from "@milliner/continual/testing";
import { Hat } from "./hat.ts";
import { officialDefaults, officialStep } from "./official.ts";
import type { HatOptions } from "./options.ts";
import { compressibilityFor } from "./pull.ts";

const backend = selectBackend();
const body = network([4, 4, 1], flatten(), linear(16), relu());
const schedule = { ...publishedSchedule, epochs: 2, batchSize: 8 };

function hat(options: Partial<HatOptions>): Hat {
  return new Hat({ body, backend, seed: 1, schedule, ...options });
}

test("a setting that is spelled wrong is refused, and the nearest named", () => {
  const { smax: _, ...wrong } = { smax: 5, ...officialDefaults };

  expect(() => hat({ smax: 5 } as never)).toThrow(
    expect.objectContaining({
      name: "ConfigError",
      code: "UNKNOWN_KEY",
      message: 'Hat has no option "smax"; did you mean "sMax"?',
    }),
  );
  expect(() => officialStep({} as never, {} as never, { ...wrong, clipnorm: 1 } as never)).toThrow(
    'officialStep has no option "clipnorm"; did you mean "clipNorm"?',
  );
  expect(() => compressibilityFor(0.1, { lr: 1, batches: 1, freeunits: 1 } as never)).toThrow(
    'compressibilityFor has no option "freeunits"; did you mean "freeUnits"?',
  );
});

test("a text in place of true or false is refused, which would have been true", () => {
  expect(() => hat({ sleep: "false" as never })).toThrow(
    expect.objectContaining({
      code: "BAD_VALUE",
      message: 'sleep of Hat must be true or false, not "false"',
    }),
  );
});

test.each([
  [{ sMax: NaN }, /^sMax must be/],
  [{ c: -1 }, /^c must be/],
  [{ embeddingClamp: 0 }, /^embeddingClamp must be/],
])("the published step refuses %j by name", (wrong, message) => {
  expect(() => officialStep({} as never, {} as never, { ...officialDefaults, ...wrong })).toThrow(message);
});

test("a learner says every setting that decides its bits and that no checkpoint holds otherwise", () => {
  const learner = hat({ protection: "tight", sleep: false });

  expect(learner.settings).toEqual({
    seed: 1,
    schedule,
    sMax: 400,
    c: 0.75,
    protection: "tight",
    compensation: "windowed",
    annealing: "linear",
  });
  learner.dispose();
});

test.each<[Partial<HatOptions>, RegExp]>([
  [{ sMax: 1e-300 }, /^sMax must be a number from 1 up to 9\.22e\+18, not 1e-300$/],
  [{ sMax: 0.5 }, /^sMax must be a number/],
  [{ sMax: 1e19 }, /^sMax must be a number/],
  [{ sMax: 1e39 }, /^sMax must be a number/],
  [{ c: 1e308 }, /^c must be a number from 0 up, not 1e\+308, which is Infinity as the float32/],
  [{ c: 1e-320 }, /^c must be a number from 0 up, not 1e-320, which is 0 as the float32/],
  [{ c: 1e37, sMax: 400 }, /^c 1e\+37, sMax 400 and lr 0\.05 make steps of the embeddings beyond float32/],
  [{ seed: 0.3 }, /^seed must be a whole number from 0 to \d+, not 0\.3$/],
  [{ seed: null as never }, /^seed must be a whole number from 0 to \d+, not null$/],
  [{ schedule: { ...schedule, lr: 5e-5 } }, /^lr is 0\.00005 and lrMin 0\.0001, below which a task ends/],
  [{ schedule: { ...schedule, lr: 1e-320 } }, /^lr must be a number above 0, not 1e-320, which is 0/],
])("%j is refused by its name, value and range", (options, message) => {
  expect(() => hat(options)).toThrow(ConfigError);
  expect(() => hat(options)).toThrow(
    expect.objectContaining({ code: "BAD_VALUE", message: expect.stringMatching(message) }),
  );
});

describe("settings at the end of their range are computed with, and what fails is told by name:", () => {
  test.each<[Partial<HatOptions>, string | null]>([
    [{ sMax: 1, c: 0 }, null],
    [{ sMax: 2 ** 63, c: 0 }, null],
    [{ sMax: 400, c: 1e35 }, "CLOSED_LAYER"],
  ])("%j: %s", async (options, code) => {
    const learner = hat(options);
    const learned = learner.learn(syntheticScenario().tasks[0]!, testContext());

    if (code === null) await expect(learned).resolves.toMatchObject({ epochs: 2 });
    else await expect(learned).rejects.toMatchObject({ code });
    learner.dispose();
  });
});
