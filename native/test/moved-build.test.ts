import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { removeMovedBuild } from "../scripts/moved-build.mjs";

const folder = mkdtempSync(join(tmpdir(), "milliner moved "));
afterAll(() => rmSync(folder, { recursive: true }));

test("a build that was configured elsewhere is removed, one of these sources stays", () => {
  const [before, after] = [join(folder, "before"), join(folder, "after")];
  mkdirSync(before);
  writeFileSync(
    join(before, "CMakeLists.txt"),
    "cmake_minimum_required(VERSION 3.20)\nproject(empty NONE)\n",
  );
  const configured = spawnSync("cmake", ["-S", before, "-B", join(before, "build")]);
  expect(configured.status, String(configured.stderr)).toBe(0);

  removeMovedBuild(join(before, "build"), before);
  const stays = existsSync(join(before, "build"));
  renameSync(before, after);
  removeMovedBuild(join(after, "build"), after);
  removeMovedBuild(join(after, "build"), after); // there is none: nothing to do

  expect(stays).toBe(true);
  expect(existsSync(join(after, "build"))).toBe(false);
});
