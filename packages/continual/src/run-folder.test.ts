import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CheckpointFolder, RunFolder, type CheckpointPlace } from "./run-folder.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-folder-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A folder of checkpoints in which each place has its two files, empty. */
async function filled(places: readonly CheckpointPlace[]): Promise<CheckpointFolder> {
  const checkpoints = new CheckpointFolder(folder);
  await checkpoints.prepare();
  for (const place of places) {
    await writeFile(checkpoints.file(place), "");
    await writeFile(checkpoints.file(place).replace(".json", ".safetensors"), "");
  }
  return checkpoints;
}

test("checkpoints are listed newest first: an end of a task is newer than what lies within it", async () => {
  const oldestFirst = [
    { task: 0, epoch: null },
    { task: 1, epoch: 2 },
    { task: 1, epoch: 10 },
    { task: 1, epoch: 12345 },
    { task: 1, epoch: null },
    { task: 2, epoch: 1 },
    { task: 1000, epoch: null },
  ];
  const checkpoints = await filled([...oldestFirst.slice(3), ...oldestFirst.slice(0, 3)]);

  expect(await checkpoints.places()).toEqual(oldestFirst.toReversed());
});

test("other files beside checkpoints are neither listed nor removed", async () => {
  const checkpoints = await filled([]);
  const others = ["task-1.json", "task-001.json.bak", "task-001.epoch-1.json", "notes.txt", "x.safetensors"];
  for (const name of others) await writeFile(join(checkpoints.path, name), "");
  await checkpoints.prepare();

  expect(await checkpoints.places()).toEqual([]);
  expect((await readdir(checkpoints.path)).sort()).toEqual(others.sort());
});

test("removing takes both files of each, and one that is not there is removed already", async () => {
  const checkpoints = await filled([
    { task: 0, epoch: null },
    { task: 1, epoch: 1 },
  ]);
  await checkpoints.remove([
    { task: 1, epoch: 1 },
    { task: 7, epoch: null },
  ]);

  expect((await readdir(checkpoints.path)).sort()).toEqual(["task-000.json", "task-000.safetensors"]);
});

test.each(["result.json", join("checkpoints", "task-000.json")])(
  "a folder that holds %s holds a run: it is refused, let go again, and can be resumed",
  async (name) => {
    await filled([]);
    await writeFile(join(folder, name), "{}");

    for (let i = 0; i < 2; i++)
      await expect(RunFolder.open(folder, false)).rejects.toMatchObject({ code: "RUN_EXISTS" });
    await (await RunFolder.open(folder, true)).close();
    expect(await readdir(folder)).not.toContain("run.lock");
  },
);
