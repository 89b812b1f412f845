import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CheckpointError } from "@milliner/core";
import { makeFolder, writeError, writeFileAtomically } from "./atomic-file.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-atomic-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a file has its new content, and nothing is left beside it", async () => {
  const path = join(folder, "a.json");
  await writeFileAtomically(path, "first, and longer");
  await writeFileAtomically(path, Uint8Array.of(104, 105));

  expect(await readFile(path, "utf8")).toBe("hi");
  expect(await readdir(folder)).toEqual(["a.json"]);
});

test("writers of one file at once do not meet: each ends, and one of them has written it, whole", async () => {
  const path = join(folder, "report.html");
  const contents = ["a", "b", "c", "d"].map((letter) => letter.repeat(1 << 20));

  await Promise.all(contents.map((content) => writeFileAtomically(path, content)));

  expect(contents).toContain(await readFile(path, "utf8"));
  expect(await readdir(folder)).toEqual(["report.html"]);
});

test("whoever reads while it is replaced sees the old or the new content, whole", async () => {
  const path = join(folder, "a.json");
  const contents = ["a", "b"].map((letter) => letter.repeat(1 << 18));
  await writeFileAtomically(path, contents[0]!);
  let done = false;
  const writing = (async () => {
    for (let i = 1; i <= 20; i++) await writeFileAtomically(path, contents[i % 2]!);
    done = true;
  })();
  let reads = 0;
  while (!done) {
    expect(contents.includes(await readFile(path, "utf8"))).toBe(true);
    reads += 1;
  }
  await writing;

  expect(reads).toBeGreaterThan(0);
});

test("a place that cannot be written to is named, what was there stays, and nothing is left beside it", async () => {
  const path = join(folder, "a.json");
  await mkdir(path);

  await expect(writeFileAtomically(path, "x")).rejects.toThrow(
    expect.objectContaining({ code: "WRITE_FAILED", message: expect.stringContaining(path) }),
  );
  await expect(writeFileAtomically(join(folder, "none", "a"), "x")).rejects.toMatchObject({
    code: "WRITE_FAILED",
    message: expect.stringContaining("ENOENT"),
  });
  expect(await readdir(folder)).toEqual(["a.json"]);
});

test("a folder below a file cannot be made: the path and the reason are told", async () => {
  await writeFile(join(folder, "file"), "");

  await expect(makeFolder(join(folder, "file", "run"))).rejects.toMatchObject({
    code: "WRITE_FAILED",
    message: expect.stringMatching(/run is a file or lies below one/),
  });
});

test.each(["ENOSPC", "EDQUOT"])("%s is a full disk, and the cause is kept", (code) => {
  const cause = Object.assign(new Error(), { code });
  const error = writeError("run/a.json", cause);

  expect(error).toBeInstanceOf(CheckpointError);
  expect(error).toMatchObject({ code: "DISK_FULL", cause });
  expect(error.message).toMatch(/^run\/a\.json cannot be written, the disk is full .* and run it again/);
});

test("a limit on the size of a file is not a full disk: its sentence names it", () => {
  const cause = Object.assign(new Error(), { code: "EFBIG" });
  const error = writeError("run/a.json", cause);

  expect(error).toMatchObject({ code: "FILE_SIZE_LIMIT", cause });
  expect(error.message).toMatch(
    /^run\/a\.json cannot be written, .*limit on the size of a file \(EFBIG\).*ulimit -f/,
  );
});
