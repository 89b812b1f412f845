import { mkdir, mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeFileAtomically } from "./atomic-file.ts";
import { createDataset, createImageSet } from "./dataset.ts";
import { downloadDataset } from "./download.ts";
import { loadFolder, saveFolder } from "./folder.ts";
import { makeFolder } from "./make-folder.ts";
import { mnist } from "./mnist.ts";

// What a call is given is meant as seen from where the process was then, wherever it has gone since.
const home = process.cwd();
let here = "";
let elsewhere = "";
beforeEach(async () => {
  const parent = await realpath(await mkdtemp(join(tmpdir(), "milliner-relative-")));
  [here, elsewhere] = [join(parent, "here"), join(parent, "elsewhere")];
  await mkdir(here);
  await mkdir(elsewhere);
  process.chdir(here);
});
afterEach(async () => {
  process.chdir(home);
  await rm(join(here, ".."), { recursive: true });
});

const set = createImageSet(
  { images: Uint8Array.from({ length: 8 }, (_, i) => i), shape: [2, 2, 1], count: 2 },
  Uint8Array.of(0, 1),
  ["a", "b"],
);
const dataset = createDataset("two", set, set);

/** What comes of a call after which the process goes elsewhere at once. */
async function leaving<T>(call: () => Promise<T>): Promise<T> {
  const called = call();
  process.chdir(elsewhere);
  return await called;
}

test("saveFolder writes where it was told to when it was called, and loadFolder reads there", async () => {
  await leaving(() => saveFolder("shapes", dataset));
  process.chdir(here);
  const loaded = await leaving(() => loadFolder("shapes"));

  expect((await readdir(join(here, "shapes"))).toSorted()).toEqual([
    "classes.txt",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
  ]);
  expect(loaded.train.images).toEqual(set.images);
  expect(loaded.name).toBe("shapes");
  expect(await readdir(elsewhere)).toEqual([]);
});

test("a file and a folder come where they were meant to", async () => {
  await leaving(() => Promise.all([writeFileAtomically("file", "content"), makeFolder("a/b/c")]));

  expect((await readdir(here, { recursive: true })).toSorted()).toEqual(["a", "a/b", "a/b/c", "file"]);
  expect(await readdir(elsewhere)).toEqual([]);
});

test("downloadDataset looks into the cache that it was told of when it was called", async () => {
  const looked = leaving(() => downloadDataset(mnist, { cacheFolder: "cache", offline: true }));

  await expect(looked).rejects.toMatchObject({
    code: "OFFLINE",
    message: expect.stringContaining(join(here, "cache", "mnist")),
  });
});
