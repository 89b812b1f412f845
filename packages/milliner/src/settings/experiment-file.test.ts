import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { permutedMnist } from "../presets/permuted-mnist.ts";
import { presets } from "../presets/index.ts";
import { splitMnist } from "../presets/split-mnist.ts";
import { readExperimentFile } from "./experiment-file.ts";
import { settingsYaml } from "./run-file.ts";

const folder = mkdtempSync(join(tmpdir(), "milliner experiments "));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("a preset with changes is the preset with these changes, named like the file", async () => {
  const path = write("quick look.yaml", "preset: split-mnist\nepochs: 2 # a look\nsmax: 200\n");

  const experiment = await readExperimentFile(path);

  expect(experiment).toEqual({
    name: "quick look",
    settings: { ...splitMnist, epochs: 2, sMax: 200 },
    stated: ["epochs", "sMax"],
  });
});

test("a scenario of one's own has the preset's values of its kind, its own images, and the name it gives itself", async () => {
  const path = write(
    "own.yaml",
    "name: letters\nscenario:\n  kind: permuted\n  data: images\n  tasks: 3\ncontrols: [sgd]\n",
  );

  const experiment = await readExperimentFile(path);

  expect(experiment).toEqual({
    name: "letters",
    settings: { ...permutedMnist, dataset: null, data: join(folder, "images"), tasks: 3, controls: ["sgd"] },
    stated: ["scenario", "data", "tasks", "controls"],
  });
});

test.each(Object.keys(presets))(
  "what `milliner presets %s` prints is a file of the same settings",
  async (name) => {
    const path = write("printed.yaml", `name: ${name}\n${settingsYaml(presets[name]!)}`);

    expect(await readExperimentFile(path)).toMatchObject({ name, settings: presets[name] });
  },
);

describe("a mistake is named with its file and line", () => {
  test.each([
    [
      "preset: split-mnist\n\nepchs: 2\n",
      "UNKNOWN_KEY",
      'line 3: split-mnist has no key "epchs"; did you mean "epochs"?',
    ],
    [
      "preset: split-mnist\nepochs: [2]\n",
      "BAD_VALUE",
      "line 2: epochs must be a whole number from 1 to 1000000, not [2]",
    ],
    [
      "preset: splitmnist\n",
      "UNKNOWN_PRESET",
      'line 1: there is no preset "splitmnist"; did you mean "split-mnist"?',
    ],
    [
      "scenario:\n  kind: split\n  taks: 3\n",
      "UNKNOWN_KEY",
      'line 3: scenario has no key "taks"; did you mean "tasks"?',
    ],
    [
      "scenario:\n  kind: rotated\n",
      "BAD_VALUE",
      'line 2: scenario must be one of split, permuted, not "rotated"',
    ],
    [
      "presett: split-mnist\nscenario: split\n",
      "UNKNOWN_KEY",
      'line 1: a file of settings has no key "presett"; did you mean "preset"?',
    ],
    ["preset: split-mnist\nname: ../../etc\n", "BAD_VALUE", "line 2: name must have letters"],
    [
      "preset: split-mnist\nepochs: 2\nepochs: 3\n",
      "BAD_YAML",
      "line 3 is not YAML: it gives epochs a second time; keep one of the two",
    ],
    [
      "preset: split-mnist\n---\nepochs: 2\n",
      "BAD_YAML",
      'line 2 is not YAML: a second document begins there; keep one of them, without the lines "---"',
    ],
    [
      "preset: split-mnist\nscenario:\n\ttasks: 2\n",
      "BAD_YAML",
      "line 3 is not YAML: a tab indents it; indent with spaces",
    ],
    ["preset: split-mnist\n  epochs: 2\n", "BAD_YAML", 'is not YAML: there is a ":" too many'],
    [
      "preset: [split-mnist\n",
      "BAD_YAML",
      "is not YAML: it is indented as no line above it, or a bracket before it is open",
    ],
    ["preset: @split\n", "BAD_YAML", "line 1 is not YAML: a sign stands where it means something else"],
    [
      "preset: split-mnist\nepochs 2\n",
      "BAD_YAML",
      'line 2 is not YAML: something is missing: the ":" behind a key, or what closes a bracket or a quote',
    ],
    ['preset: "split-mnist\n', "BAD_YAML", "or what closes a bracket or a quote"],
    [
      'preset: split-mnist\ndata: "C:\\images"\n',
      "BAD_YAML",
      'line 2 is not YAML: a "\\" means something else in double quotes; write the value in single ones',
    ],
    ["preset: *none\n", "BAD_YAML", 'has an alias ("*name") of nothing'],
    [
      "preset: split-mnist\nsmax: 200\nepochs: 2\nsMax: 300\n",
      "CONFLICTING_OPTIONS",
      'line 4: "sMax" is the setting that ',
    ],
    [
      "scenario:\n  kind: split\n  tasks: 3\ntasks: 4\n",
      "CONFLICTING_OPTIONS",
      'line 3 gives as "scenario.tasks" already; leave one of them out',
    ],
    [
      "data: here\nscenario:\n  kind: split\n  data: there\n",
      "CONFLICTING_OPTIONS",
      'line 4: "scenario.data" is the setting that ',
    ],
    ["- split-mnist\n", "BAD_YAML", "is not a map of keys to values"],
    ["epochs: 2\n", "MISSING_KEY", "says neither what preset it changes nor what scenario it is"],
    ["", "BAD_YAML", "is not a map of keys to values"],
  ])("%j", async (text, code, message) => {
    const path = write("wrong.yaml", text);

    await expect(readExperimentFile(path)).rejects.toMatchObject({
      name: "ConfigError",
      code,
      message: expect.stringContaining(message) as string,
    });
    await expect(readExperimentFile(path)).rejects.toThrow(path);
  });

  test("aliases that unfold to a giant are refused", async () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]`,
    );
    const path = write("bomb.yaml", `preset: split-mnist\nl0: &l0 [a]\n${levels.join("\n")}\n`);

    await expect(readExperimentFile(path)).rejects.toMatchObject({ name: "ConfigError" });
  });

  test("a file that is not there or too large is refused before it is read", async () => {
    await expect(readExperimentFile(join(folder, "none.yaml"))).rejects.toMatchObject({
      code: "FILE_MISSING",
    });
    await expect(readExperimentFile(write("large.yaml", "#".repeat(2 ** 20 + 1)))).rejects.toMatchObject({
      code: "TOO_LARGE",
    });
    await expect(readExperimentFile(folder)).rejects.toMatchObject({ code: "READ_FAILED" });
  });
});
