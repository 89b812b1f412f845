import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRun } from "./report/read-run.ts";
import { defaultRunFolder } from "./run-place.ts";
import { summariseRun } from "./run-summary.ts";
import { readRunFile } from "./settings/run-file.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "milliner-runs-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("a run goes where there is none yet, and is resumed where the newest is", async () => {
  const place = (resume: boolean): Promise<string> => defaultRunFolder("split-mnist", 1, resume, folder);

  expect(await place(false)).toBe(join(folder, "split-mnist-seed-1"));
  expect(await place(true)).toBe(join(folder, "split-mnist-seed-1"));

  for (const taken of [
    "split-mnist-seed-1",
    "split-mnist-seed-1-2",
    "split-mnist-seed-1-10",
    "split-mnist-seed-11-40",
  ]) {
    mkdirSync(join(folder, taken));
  }

  expect(await place(false)).toBe(join(folder, "split-mnist-seed-1-11"));
  expect(await place(true)).toBe(join(folder, "split-mnist-seed-1-10"));
});

test("a folder of runs that is not there holds no run", async () => {
  expect(await defaultRunFolder("x", 0, false, join(folder, "none"))).toBe(join(folder, "none", "x-seed-0"));
});

test("a folder of several runs names them, in the order of their numbers, to every command", async () => {
  for (const run of ["seed-10", "seed-2", "notes"]) mkdirSync(join(folder, run));
  for (const run of ["seed-10", "seed-2"]) writeFileSync(join(folder, run, "run.yaml"), "");

  for (const read of [readRunFile, summariseRun, readRun]) {
    await expect(read(folder)).rejects.toMatchObject({
      code: "NOT_A_RUN",
      message: `${folder} holds the runs seed-2, seed-10; name one, such as ${join(folder, "seed-2")}`,
    });
  }
});

test("a run's folder that is not there, or a file, is called so to every command", async () => {
  const file = join(folder, "result.json");
  writeFileSync(file, "{}");

  for (const read of [readRunFile, summariseRun, readRun]) {
    const gone = join(folder, "gone");
    await expect(read(gone)).rejects.toMatchObject({
      code: "NOT_A_RUN",
      message: `${gone} does not exist; check the path`,
    });
    await expect(read(file)).rejects.toMatchObject({
      code: "NOT_A_RUN",
      message: `${file} is not a folder; name the run's folder`,
    });
  }
});

test("a run.yaml that is damaged is not asked for as one that a person wrote", async () => {
  for (const text of ["", "name: [", "hats\n"]) {
    writeFileSync(join(folder, "run.yaml"), text);

    await expect(readRunFile(folder)).rejects.toMatchObject({
      code: "DAMAGED",
      message: `${join(folder, "run.yaml")} is damaged, not what milliner wrote; put a copy of it back, or train again into another folder`,
    });
  }
});
