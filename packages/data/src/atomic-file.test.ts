import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

import { writeFileAtomically } from "./atomic-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-data-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("the file is there whole, alone, in folders that were made for it", async () => {
  await writeFileAtomically(join(folder, "a", "b", "file"), new Uint8Array([1, 2]));

  expect([...(await readFile(join(folder, "a", "b", "file")))]).toEqual([1, 2]);
  expect(await readdir(join(folder, "a", "b"))).toEqual(["file"]);
});

test("writers of the same file do not mix: one of them wins, whole", async () => {
  const contents = Array.from({ length: 8 }, (_, writer) => new Uint8Array(100_000).fill(writer));

  await Promise.all(contents.map((content) => writeFileAtomically(join(folder, "file"), content)));

  const result = await readFile(join(folder, "file"));
  expect(new Set(result).size).toBe(1);
  expect(result.length).toBe(100_000);
  expect(await readdir(folder)).toEqual(["file"]);
});

test("what cannot be written leaves nothing behind and names the file", async () => {
  await mkdir(join(folder, "file")); // a folder where the file should go: the rename fails, after all was written

  await expect(writeFileAtomically(join(folder, "file"), new Uint8Array(1))).rejects.toMatchObject({
    name: "DataError",
    code: "WRITE_FAILED",
    message: expect.stringContaining(join(folder, "file")),
    cause: expect.anything(),
  });
  expect(await readdir(folder)).toEqual(["file"]);
});

test("a path below a file is refused and leaves nothing behind", async () => {
  await writeFileAtomically(join(folder, "file"), new Uint8Array(1));

  await expect(writeFileAtomically(join(folder, "file", "below"), new Uint8Array(1))).rejects.toMatchObject({
    code: "WRITE_FAILED",
  });
  expect(await readdir(folder)).toEqual(["file"]);
});

test("handles that cannot bring themselves to the disk are no obstacle, as under Yarn's Plug'n'Play", async () => {
  const handle = await open(folder, "r");
  const prototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
  await handle.close();
  const { sync } = prototype;
  prototype.sync = () => Promise.reject(new Error("Method not implemented."));
  try {
    await writeFileAtomically(join(folder, "file"), new Uint8Array(1));
  } finally {
    prototype.sync = sync;
  }

  expect(await readdir(folder)).toEqual(["file"]);
});

test.skipIf(process.platform === "win32")(
  "a limit on the size of a file is not a full disk: its sentence names it, and nothing is left behind",
  async () => {
    const written = fileURLToPath(new URL("../dist/atomic-file.js", import.meta.url));
    const script = `
      const { writeFileAtomically } = await import(${JSON.stringify(written)});
      await writeFileAtomically(process.argv[1], new Uint8Array(100_000)).catch(({ name, code, message }) =>
        console.log(JSON.stringify({ name, code, message })));`;
    // The limit's signal would end the process; ignored, writing fails.
    const shell = `trap '' XFSZ; ulimit -f 64; exec "$0" "$@"`;
    const path = join(folder, "file");

    const args = ["-c", shell, process.execPath, "--input-type=module", "-e", script, path];
    const error = JSON.parse(execFileSync("sh", args, { encoding: "utf8" })) as object;

    expect(error).toMatchObject({
      name: "DataError",
      code: "FILE_SIZE_LIMIT",
      message: expect.stringMatching(
        /file cannot be written, .*limit on the size of a file \(EFBIG\).*ulimit -f/,
      ),
    });
    expect(await readdir(folder)).toEqual([]);
  },
);
