import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { lockRun } from "./run-lock.ts";

const refusal = vi.hoisted(() => ({ code: "" }));
vi.mock(import("node:fs/promises"), async (original) => ({
  ...(await original()),
  // As FAT and some network folders answer.
  link: () => Promise.reject(Object.assign(new Error(refusal.code), { code: refusal.code })),
}));

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-links-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe.each(["EPERM", "ENOTSUP", "ENOSYS"])("where there are no hard links (%s)", (code) => {
  beforeEach(() => void (refusal.code = code));

  test("a run that has the folder keeps every other out until it lets go, and leaves nothing", async () => {
    const lock = await lockRun(folder);

    expect(await readdir(folder)).toEqual(["run.lock"]);
    await expect(lockRun(folder)).rejects.toMatchObject({ code: "RUN_LOCKED" });
    await lock.release();
    await (await lockRun(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  });

  test("of twenty that come at once exactly one gets it", async () => {
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockRun(folder)));

    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "RUN_LOCKED" });
  });
});

test("any other refusal of the link is told", async () => {
  refusal.code = "EIO";

  await expect(lockRun(folder)).rejects.toMatchObject({
    name: "CheckpointError",
    code: "WRITE_FAILED",
    message: expect.stringMatching(/run\.lock cannot be written \(EIO\)/),
  });
  expect(await readdir(folder)).toEqual([]);
});
