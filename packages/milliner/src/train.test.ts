import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryUse } from "@milliner/core";
import { saveFolder } from "@milliner/data";
import { inspectModel } from "@milliner/onnx";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyDataset, tinySettings } from "../test/tiny-dataset.ts";
import { exportRun } from "./export-run.ts";
import { summariseRun } from "./run-summary.ts";
import { train } from "./train.ts";

const folder = mkdtempSync(join(tmpdir(), "milliner train "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dataset = tinyDataset();
const settings = { ...tinySettings, epochs: 3, controls: [] };
const options = { dataset, settings, threads: 1 };

const memory = join(folder, "memory");
beforeAll(() => train({ ...options, out: memory }));

test("images in memory are trained on, exported and verified without a file of theirs, and nothing is left in memory", async () => {
  const before = memoryUse();
  const out = join(folder, "another");

  const { result } = await train({ ...options, out });
  const exported = await exportRun(out, { dataset, threads: 1 });

  expect(result.bitExactOldLogits).toBe(true);
  expect(result.bitExactCheckedIn).toBe("checkpoint");
  expect(exported.tasks.map(({ ok, images, differs }) => [ok, images, differs])).toEqual([
    [true, 40, []],
    [true, 40, []],
    [true, 40, []],
  ]);
  expect(memoryUse()).toEqual(before);
});

test("a model that answers as its network does, but not as often right as its run was, does not pass, and says so", async () => {
  const claims = join(folder, "claims");
  cpSync(memory, claims, { recursive: true });
  // The run says of every task that it got no image right.
  for (const file of readdirSync(join(claims, "checkpoints")).filter((name) => name.endsWith(".json"))) {
    const path = join(claims, "checkpoints", file);
    const header = JSON.parse(readFileSync(path, "utf8")) as { record: { learned: { accuracy: number }[] } };
    for (const task of header.record.learned) task.accuracy = 0;
    writeFileSync(path, JSON.stringify(header));
  }

  const { tasks } = await exportRun(claims, { dataset, tasks: [0], threads: 1 });

  expect(tasks).toMatchObject([{ ok: false, differs: ["accuracy"], sameBitsAsMasked: true }]);
  expect(tasks[0]!.accuracy).toBeGreaterThan(0.4);
});

test("an exported model says what it is a model of", async () => {
  const out = join(folder, "model");

  const exported = await exportRun(memory, { out, tasks: [1], verify: "off" });

  const bytes = readFileSync(join(out, "task-1.onnx"));
  const { metadata, inputs, outputs, parameters } = inspectModel(bytes, "task-1.onnx");

  expect(metadata.get("milliner.task")).toBe("c, d");
  expect(metadata.get("milliner.classes")).toBe('["c","d"]');
  expect(metadata.get("milliner.transform")).toMatch(/^\[\{"kind":"normalise","mean":\[.*\}\]$/);
  expect(metadata.get("Image.NominalPixelRange")).toBe("NominalRange_0_255");
  expect(inputs).toEqual([{ name: "x", dtype: "uint8", shape: ["batch", 8, 8, 1] }]);
  expect(outputs[0]!.shape).toEqual(["batch", 2]);
  expect(parameters).toBe(exported.tasks[0]!.parameters);
});

test("without its images a run is exported unverified, or not at all", async () => {
  const run = join(folder, "memory");

  await expect(exportRun(run, { threads: 1 })).rejects.toMatchObject({
    name: "DataError",
    code: "FILE_MISSING",
  });
  const { tasks } = await exportRun(run, { tasks: [2], verify: "off", threads: 1 });

  expect(tasks).toMatchObject([{ task: 2, images: 0, ok: null }]);
});

test("a single task that is exported again keeps what is known of the others", async () => {
  const out = join(folder, "one by one");

  await exportRun(memory, { out, dataset, tasks: [0, 1] });
  await exportRun(memory, { out, dataset, tasks: [1, 2] });

  const { tasks } = JSON.parse(readFileSync(join(out, "verification.json"), "utf8")) as {
    tasks: readonly { task: number; ok: boolean }[];
  };
  expect(tasks.map(({ task, ok }) => [task, ok])).toEqual([
    [0, true],
    [1, true],
    [2, true],
  ]);
});

test("models are not strewn among other things, and lie again where they or notes on them lie", async () => {
  const out = join(folder, "served");
  mkdirSync(out);
  writeFileSync(join(out, "server.py"), "");

  await expect(exportRun(memory, { out, tasks: [0], verify: "off" })).rejects.toMatchObject({
    name: "ConfigError",
    code: "OTHER_FILES",
    message:
      `${out} holds other things (server.py), among which models would be strewn; choose a new or an empty folder, such as ` +
      join(out, "models"),
  });
  expect(readdirSync(out)).toEqual(["server.py"]);

  rmSync(join(out, "server.py"));
  await exportRun(memory, { out, tasks: [0], verify: "off" });
  writeFileSync(join(out, "notes.md"), "");
  await exportRun(memory, { out, tasks: [1], verify: "off" });
  expect(readdirSync(out).toSorted()).toEqual([
    "notes.md",
    "task-0.onnx",
    "task-1.onnx",
    "verification.json",
  ]);
});

test("a run goes neither into the folder of its images nor around it, and below it with a warning", async () => {
  const images = join(folder, "images");
  await saveFolder(images, dataset);
  const before = readdirSync(images).toSorted();
  const into = (out: string): Promise<unknown> =>
    train({ settings: { ...settings, epochs: 1, tasks: 2, data: images }, threads: 1, out, verify: false });

  await expect(into(images)).rejects.toMatchObject({ code: "OTHER_FILES" });
  await expect(into(folder)).rejects.toMatchObject({ code: "OTHER_FILES" });
  expect(readdirSync(images).toSorted()).toEqual(before);

  const below = join(images, "runs", "first");
  expect(await into(below)).toMatchObject({
    warnings: expect.arrayContaining([
      `the run's folder ${below} lies in that of the images, ${images}; name another one with --out, so that they stay as they are`,
    ]) as string[],
  });
});

test("a task that was not learned cannot be exported", async () => {
  await expect(exportRun(memory, { tasks: [3] })).rejects.toMatchObject({
    code: "TASK_UNKNOWN",
    message: expect.stringContaining("tasks 0 to 2, not task 3") as string,
  });
});

test("a run that was aborted goes on to the same bits", async () => {
  const out = join(folder, "aborted");
  const controller = new AbortController();
  const reason = new Error("enough");

  const aborted = train({
    ...options,
    out,
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === "epoch-ended" && event.task === 1 && event.epoch === 1) controller.abort(reason);
    },
  });
  await expect(aborted).rejects.toBe(reason);
  const resumed = await train({ dataset, out, resume: true, threads: 1 });
  const whole = await train({ ...options, out: join(folder, "whole") });

  expect(resumed.result.lockedHash).toBe(whole.result.lockedHash);
  expect(resumed.result.matrix).toEqual(whole.result.matrix);
});

test.each([
  ["the seed", { settings: { seed: 1 } }, "OTHER_RUN"],
  ["a setting", { settings: { lr: 1 } }, "OTHER_RUN"],
  ["the preset", { experiment: "permuted-mnist" }, "OTHER_RUN"],
  ["the device", { device: "reference" }, "OTHER_DEVICE"],
] as const)("%s of a run stays what it is when it is resumed", async (_, changed, code) => {
  const resumed = train({ dataset, ...changed, out: memory, resume: true });

  await expect(resumed).rejects.toMatchObject({ name: "ConfigError", code });
});

test.each<[string, (path: string) => void]>([
  ["gone", () => undefined],
  ["no program any more", (path) => writeFileSync(path, "half of it", { mode: 0o600 })],
])(
  "a run has its result where Node's own program is %s when it ends, with one warning that says so",
  async (how, put) => {
    const images = join(folder, "pictures");
    await saveFolder(images, dataset);
    const [node, gone] = [process.execPath, join(folder, `node that is ${how}`)];
    put(gone);
    const out = join(folder, `run whose node is ${how}`);
    const short = { ...settings, epochs: 1, tasks: 1, data: images };
    process.execPath = gone;
    const { result } = await train({ settings: short, out, threads: 1 }).finally(() => {
      process.execPath = node;
    });

    expect(result.bitExactCheckedIn).toBe("checkpoint");
    expect(result.warnings).toEqual([
      expect.stringMatching(/no fresh process could be started .*\(E[A-Z]+\).* was replaced since the run/),
    ]);
    expect(result.warnings[0]).toContain(gone);
    expect(JSON.parse(readFileSync(join(out, "result.json"), "utf8"))).toEqual(result);
  },
);

test("a result that was to be checked yet is not the end of a run: resumed, it goes on to its end", async () => {
  const out = join(folder, "checked later");
  cpSync(memory, out, { recursive: true });
  const path = join(out, "result.json");
  const result = JSON.parse(readFileSync(path, "utf8")) as object;
  const said = "in whatever words this was said then";
  writeFileSync(path, JSON.stringify({ ...result, isCheckPending: true, warnings: [said] }));

  expect(await summariseRun(out)).toMatchObject({ isDone: false });
  const resumed = await train({ dataset, out, resume: true, threads: 1 });

  expect(resumed).toMatchObject({ wasDone: false, result: { isCheckPending: false, warnings: [] } });
  expect(await summariseRun(out)).toMatchObject({ isDone: true });
});

/** A copy of a run whose `run.yaml` somebody has edited since. */
function edited(run: string, name: string, from: RegExp, to: string): string {
  const out = join(folder, name);
  cpSync(run, out, { recursive: true });
  const path = join(out, "run.yaml");
  const text = readFileSync(path, "utf8");
  expect(text).toMatch(from);
  writeFileSync(path, text.replace(from, to));
  return out;
}

const edits = [
  ["epochs", /^epochs: 3$/m, "epochs: 30", /run\.yaml has epochs 30, but .* with 3; put that back/],
  ["lr", /^lr: 0\.2$/m, "lr: 0.05", /run\.yaml has lr 0\.05, but .* with 0\.2; /],
  ["c", /^c: .*$/m, "c: 0", /run\.yaml has c 0, but /],
  ["controls", /^controls: \[\]$/m, "controls: [sgd]", /has controls \["sgd"\], but .* with \[\];/],
  [
    "normalisation",
    /mean: \[.*\]$/m,
    "mean: [0.5]",
    /run\.yaml has normalisation\.mean \[0\.5\], but .* with \[0\.\d+\];/,
  ],
] as const;

test("a run that was stopped within a task keeps the settings that it was begun with, whatever run.yaml says since", async () => {
  const stopped = join(folder, "stopped within its first task");
  const controller = new AbortController();
  const aborted = train({
    ...options,
    out: stopped,
    signal: controller.signal,
    onEvent: ({ type }) => (type === "epoch-ended" ? controller.abort(new Error("enough")) : undefined),
  });
  await expect(aborted).rejects.toThrow("enough");
  expect(readdirSync(join(stopped, "checkpoints"))).toContain("task-000.epoch-0001.json");

  for (const [key, from, to, message] of edits) {
    const out = edited(stopped, `stopped, then ${key}`, from, to);

    const resumed = train({ dataset, out, resume: true, threads: 1 });

    await expect(resumed, key).rejects.toMatchObject({
      name: "CheckpointError",
      code: "OTHER_RUN",
      message: expect.stringMatching(message),
    });
  }
});

test("a run that is done is neither printed nor exported under other settings than its own", async () => {
  for (const [key, from, to, message] of edits) {
    const out = edited(memory, `done, then ${key}`, from, to);
    const refused = { code: "OTHER_RUN", message: expect.stringMatching(message) };

    await expect(train({ dataset, out, resume: true, threads: 1 }), key).rejects.toMatchObject(refused);
    await expect(exportRun(out, { verify: "off", threads: 1 }), key).rejects.toMatchObject(refused);
  }
});

test("what a data set warns of is said once, and kept", async () => {
  const said: string[] = [];
  const warned = { ...dataset, warnings: ["tiny has been dyed."] };

  const { warnings } = await train({
    dataset: warned,
    settings: { ...settings, epochs: 1, tasks: 1 },
    threads: 1,
    out: join(folder, "warned"),
    onWarning: (message) => said.push(message),
  });

  expect(said).toEqual(["tiny has been dyed."]);
  expect(warnings).toEqual(said);
});

test("permuted tasks are all of the classes", async () => {
  const { result } = await train({
    ...options,
    experiment: "permuted-mnist",
    settings: { ...settings, tasks: 2, epochs: 1 },
    out: join(folder, "permuted"),
  });

  expect(result.scenario).toBe("permuted-tiny");
  expect(result.tasks).toHaveLength(2);
  expect(result.bitExactOldLogits).toBe(true);
});

test.each([
  ["train", () => train({ dataset, ofline: true } as never), "offline"],
  ["exportRun", () => exportRun("none", { task: [0] } as never), "tasks"],
])("an option of %s that is spelled wrong is refused, and the nearest named", async (_, call, meant) => {
  await expect(call()).rejects.toMatchObject({
    name: "ConfigError",
    code: "UNKNOWN_KEY",
    message: expect.stringContaining(`did you mean "${meant}"?`),
  });
});

test.each([
  [{ sMax: 1e-300 }, /^settings: sMax must be a number from 1 /],
  [{ c: 1e308 }, /^settings: c must be a number from 0 up, not 1e\+308/],
  [{ lr: 1e-320 }, /^settings: lr must be a number above 0, not 1e-320, which is 0 as the float32/],
])(
  "a setting %j that is nothing as a float32 is refused before there is a run",
  async (settings, message) => {
    const out = join(folder, `refused ${JSON.stringify(settings).length}`);

    await expect(train({ dataset, settings: { ...tinySettings, ...settings }, out })).rejects.toMatchObject({
      code: "BAD_VALUE",
      message: expect.stringMatching(message),
    });
    expect(existsSync(out)).toBe(false);
  },
);
