import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, parse } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolder } from "./make-folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-folders-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a folder is made with those above it, once or by several at the same time", async () => {
  const path = join(folder, "a", "b", "c");

  await Promise.all(Array.from({ length: 8 }, () => makeFolder(path)));
  await makeFolder(path);

  expect((await stat(path)).isDirectory()).toBe(true);
});

test("a folder that is there is left alone, behind a link too, and so is the root", async () => {
  await mkdir(join(folder, "a"));
  await symlink("a", join(folder, "link"));

  await makeFolder(join(folder, "link"));
  await makeFolder(join(folder, "link", "b"));
  await makeFolder(parse(folder).root);

  expect((await stat(join(folder, "a", "b"))).isDirectory()).toBe(true);
});

test("a file in the way is an error, at the end of the path and within it", async () => {
  await writeFile(join(folder, "file"), "");

  await expect(makeFolder(join(folder, "file"))).rejects.toMatchObject({ code: "EEXIST" });
  await expect(makeFolder(join(folder, "file", "a", "b"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

// Node's own recursive mkdir never comes back from this: the test would run into its time limit.
test.runIf(process.platform === "linux")("below /proc it is an error that comes back", async () => {
  await expect(makeFolder("/proc/milliner/run")).rejects.toMatchObject({ code: "ENOENT" });
});
