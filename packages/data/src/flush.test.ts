import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { flush, flushContentSync, flushFolder, unsyncedWarning } from "./flush.ts";

const answer = vi.hoisted(() => ({ code: "" }));
vi.mock(import("node:fs"), async (original) => {
  const files = await original();
  const refusal = (): Error => Object.assign(new Error(answer.code), { code: answer.code });
  return {
    ...files,
    fsync: ((fd: number, done: (error: Error | null) => void) =>
      answer.code === "" ? files.fsync(fd, done) : done(refusal())) as typeof files.fsync,
    fdatasyncSync: (fd: number) => {
      if (answer.code !== "") throw refusal();
      files.fdatasyncSync(fd);
    },
  };
});

let folder = "";
let fd = -1;
beforeEach(async () => {
  answer.code = "";
  folder = await mkdtemp(join(tmpdir(), "milliner-flush-"));
  await writeFile(join(folder, "file"), "x");
  fd = openSync(join(folder, "file"), "r+");
});
afterEach(async () => {
  closeSync(fd);
  await rm(folder, { recursive: true, force: true });
});

/** What each way of flushing says. */
async function answers(): Promise<unknown[]> {
  return [await flush(fd), flushContentSync(fd), await flushFolder(folder)];
}

test("a disk that says when data are safe refuses nothing", async () => {
  expect(await answers()).toEqual([null, null, null]);
});

test.runIf(process.platform === "linux")("a file that the system cannot sync is no failure", async () => {
  const device = openSync("/dev/null", "r+");

  expect([await flush(device), flushContentSync(device)]).toEqual(["EINVAL", "EINVAL"]);
  closeSync(device);
});

// What AIX answers for folders alone: github.com/nodejs/node/pull/21298
test("a system that syncs no folders is no failure, a file that is not open is one", async () => {
  answer.code = "EBADF";

  expect(await flushFolder(folder)).toBe(process.platform === "win32" ? null : "EBADF");
  await expect(flush(fd)).rejects.toMatchObject({ code: "EBADF" });
  expect(() => flushContentSync(fd)).toThrow(expect.objectContaining({ code: "EBADF" }));
});

describe.each(["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EPERM", "ERR_ACCESS_DENIED"])(
  "a disk that answers %s",
  (code) => {
    test("cannot say when data are safe, which is no failure", async () => {
      answer.code = code;

      expect(await answers()).toEqual([code, code, process.platform === "win32" ? null : code]);
    });
  },
);

describe.each(["EIO", "ENOSPC", "EDQUOT", "EROFS"])("a disk that answers %s", (code) => {
  test("has lost the data: that is a failure", async () => {
    answer.code = code;

    await expect(flush(fd)).rejects.toMatchObject({ code });
    expect(() => flushContentSync(fd)).toThrow(expect.objectContaining({ code }));
    if (process.platform !== "win32") await expect(flushFolder(folder)).rejects.toMatchObject({ code });
  });
});

test.each([
  ["EINVAL", "its disk does not say", "choose a folder on a local disk"],
  ["ERR_ACCESS_DENIED", "Node's permission model does not let its disk say", "leave that off"],
])("the warning for %s names the place, who does not say it, and what to do", (code, who, remedy) => {
  expect(unsyncedWarning("/share/run", code)).toBe(
    `/share/run: ${who} when data are safe (${code}); a power cut may take what is newest, so ${remedy} where that matters`,
  );
});
