import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { saveFolder } from "@milliner/data";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { tinyDataset, tinySettings } from "../test/tiny-dataset.ts";
import { exportRun } from "./export-run.ts";
import { openRun } from "./learned-run.ts";
import { writeReport } from "./report/write-report.ts";
import { summariseRun } from "./run-summary.ts";
import { readExperimentFile } from "./settings/experiment-file.ts";
import { train } from "./train.ts";

// What a call is given is meant as seen from where the process was then, wherever it has gone since.
const home = process.cwd();
const parent = realpathSync(mkdtempSync(join(tmpdir(), "milliner relative ")));
const [here, elsewhere] = [join(parent, "here"), join(parent, "elsewhere")] as const;
const settings = { ...tinySettings, epochs: 1, tasks: 2, controls: [], data: "images" };

beforeAll(async () => {
  mkdirSync(elsewhere);
  await saveFolder(join(here, "images"), tinyDataset());
});
afterAll(() => {
  process.chdir(home);
  rmSync(parent, { recursive: true });
});
beforeEach(() => process.chdir(here));
afterEach(() => expect(readdirSync(elsewhere)).toEqual([]));

async function leaving<T>(call: () => Promise<T>): Promise<T> {
  const called = call();
  process.chdir(elsewhere);
  return await called;
}

test("a run and its images stay where they were when train was called, named or not", async () => {
  const named = await leaving(() => train({ settings, out: "run", threads: 1, verify: false }));
  process.chdir(here);
  const nameless = await leaving(() => train({ settings, threads: 1, verify: false }));

  expect(named).toMatchObject({ folder: join(here, "run"), settings: { data: join(here, "images") } });
  expect(nameless.folder).toBe(join(here, "runs", "split-mnist-seed-0"));
  expect(readdirSync(nameless.folder)).toContain("result.json");
});

test("a run is opened, summed up, reported and exported where it was when that was asked for", async () => {
  await train({ settings, out: "read", threads: 1, verify: false });

  const { hat, checkpoint } = await leaving(() => openRun("read", { threads: 1 }, () => undefined));
  hat.dispose();
  process.chdir(here);
  const summary = await leaving(() => summariseRun("read"));
  process.chdir(here);
  const report = await leaving(() => writeReport("read"));
  process.chdir(here);
  const exported = await leaving(() =>
    exportRun("read", { out: "models", data: "images", verify: "off", threads: 1 }),
  );

  expect(checkpoint).toBe(join(here, "read", "checkpoints", "task-001.json"));
  expect(summary).toMatchObject({ run: "read", isDone: true });
  expect(report).toBe(join(here, "read", "report.html"));
  expect(exported.folder).toBe(join(here, "models"));
  expect(readdirSync(join(here, "models"))).toEqual(["task-0.onnx", "task-1.onnx", "verification.json"]);
});

test("the images of a file of settings lie beside it", async () => {
  writeFileSync("mine.yaml", "preset: split-mnist\ndata: images\n");

  const experiment = await leaving(() => readExperimentFile("mine.yaml"));

  expect(experiment.settings.data).toBe(join(here, "images"));
});
