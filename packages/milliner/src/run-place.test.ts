import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { defaultRunFolder } from "./run-place.ts";

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
