import { ConfigError } from "@milliner/core";
import { describe, expect, test } from "vitest";
import { presets } from "../presets/index.ts";
import { splitMnist } from "../presets/split-mnist.ts";
import { assign, parseAssignment } from "./assignment.ts";
import { settingKeys, settingSpecs } from "./settings.ts";

function set(...texts: readonly string[]): ReturnType<typeof assign> {
  return assign(splitMnist, texts.map(parseAssignment), "split-mnist");
}

function refused(...texts: readonly string[]): ConfigError {
  try {
    set(...texts);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error(`${texts.join(" ")} was accepted`);
}

test.each(Object.keys(presets))("preset %s has a valid value for every key and no other", (name) => {
  const preset = presets[name]!;

  expect(Object.keys(preset).toSorted()).toEqual([...settingKeys].toSorted());
  for (const key of settingKeys)
    expect(settingSpecs[key].schema.safeParse(preset[key]).success, key).toBe(true);
});

describe("--set", () => {
  test("reads numbers, words, null and lists, and leaves the other keys alone", () => {
    const settings = set("epochs=3", "lr=1e-2", "protection=tight", "tasks=null", "controls=sgd,random-body");

    expect(settings).toEqual({
      ...splitMnist,
      epochs: 3,
      lr: 0.01,
      protection: "tight",
      tasks: null,
      controls: ["sgd", "random-body"],
    });
  });

  test("the last of two values counts, and smax is sMax", () => {
    expect(set("smax=200", "smax=300").sMax).toBe(300);
  });

  test.each([
    ["smax=200", "sMax=200", "smax"],
    ["sMax=300", "smax=200", "sMax"],
  ])(
    "%s %s is one setting under two names, which is refused whatever the values are",
    (first, second, name) => {
      const error = refused("epochs=2", first, second);

      expect(error.code).toBe("CONFLICTING_OPTIONS");
      expect(error.message).toBe(
        `--set: "${second.slice(0, 4)}" is the setting that --set gives as "${name}" already; leave one of them out`,
      );
    },
  );

  test.each(["controls=none", "controls=", "controls=[]"])("%s leaves the controls out", (text) => {
    expect(set(text).controls).toEqual([]);
  });

  test("an unknown key is an error that names the nearest one", () => {
    const error = refused("batchsize=3");

    expect(error.code).toBe("UNKNOWN_KEY");
    expect(error.message).toBe('--set: split-mnist has no key "batchsize"; did you mean "batchSize"?');
  });

  test.each([
    ["epochs=0", "epochs must be a whole number from 1 to 1000000, not 0"],
    ["epochs=many", 'epochs must be a whole number from 1 to 1000000, not "many"'],
    ["epochs=2.5", "epochs must be a whole number from 1 to 1000000, not 2.5"],
    ["lr=-1", "lr must be a number above 0, not -1"],
    ["lr=.inf", "lr must be a number above 0, not Infinity"],
    ["dropout=1", "dropout must be a number from 0 up to, but not, 1, not 1"],
    ["protection=max", 'protection must be one of min, tight, not "max"'],
    [
      "controls=sgd,ewc",
      'controls must be a list of different names out of random-body, sgd-frozen, sgd, joint, or none, not "sgd,ewc"',
    ],
    [
      "controls=sgd,sgd",
      'controls must be a list of different names out of random-body, sgd-frozen, sgd, joint, or none, not "sgd,sgd"',
    ],
    ["data=", 'data must be a folder, or null, not ""'],
    ["seed=-1", "seed must be a whole number from 0 up, not -1"],
  ])("%s is an error that says what is expected", (text, message) => {
    const error = refused(text);

    expect(error.code).toBe("BAD_VALUE");
    expect(error.message).toBe(`--set: ${message}`);
  });

  test.each(["epochs", "=3", ""])("%j is not an assignment", (text) => {
    expect(refused(text).code).toBe("BAD_ASSIGNMENT");
  });

  test("names of an object's own are no keys", () => {
    expect(refused("__proto__=1").code).toBe("UNKNOWN_KEY");
    expect(refused("constructor=1").code).toBe("UNKNOWN_KEY");
  });
});
