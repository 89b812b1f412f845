import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

import { asideSuffix, ensureFolder, writeFailure, writeFileAtomically } from "./atomic-file.ts";
import { pidNamespace } from "./pid-namespace.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-data-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("the file is there whole, alone, in folders that were made for it", async () => {
  await ensureFolder(join(folder, "a", "b"));
  await writeFileAtomically(join(folder, "a", "b", "file"), new Uint8Array([1, 2]));

  expect([...(await readFile(join(folder, "a", "b", "file")))]).toEqual([1, 2]);
  expect(await readdir(join(folder, "a", "b"))).toEqual(["file"]);
});

test.each<[what: string, content: string | Uint8Array | readonly Uint8Array[], expected: string]>([
  ["a text", "hä", "hä"],
  ["pieces, one behind the other", [Uint8Array.of(97), new Uint8Array(0), Uint8Array.of(98, 99)], "abc"],
  ["no piece", [], ""],
])("what is written may be %s", async (_, content, expected) => {
  const path = join(folder, "file");
  await writeFileAtomically(path, "an older one, and longer");

  expect(await writeFileAtomically(path, content)).toBe(null);
  expect(await readFile(path, "utf8")).toBe(expected);
  expect(await readdir(folder)).toEqual(["file"]);
});

test("what a killed process left of the file is removed, what is being written and other files are not", async () => {
  const path = join(folder, "file");
  const machineOf = (namespace: string | null): string =>
    createHash("sha256").update(`${hostname()}\n${namespace}`).digest("hex").slice(0, 8);
  const host = machineOf(pidNamespace());
  const container = machineOf("pid:[1]");
  const nobody = 4_194_305; // above the largest number of a process that Linux gives
  const aside = (name: string, machine: string, pid: number): string =>
    `.${name}.${machine}-${pid}-${randomUUID()}${asideSuffix}`;
  const left = aside("file", host, nobody);
  const forgotten = aside("file", "00000000", process.pid);
  const kept = [
    aside("file", host, process.pid),
    aside("file", "00000000", nobody),
    aside("file", container, nobody),
    aside("file.txt", host, nobody),
    "file.part",
  ];
  for (const name of [left, forgotten, ...kept]) await writeFile(join(folder, name), "half");
  await utimes(join(folder, forgotten), 0, 0);

  await writeFileAtomically(path, "whole");

  expect((await readdir(folder)).toSorted()).toEqual([...kept, "file"].toSorted());
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

  for (const write of [
    () => writeFileAtomically(join(folder, "file", "below"), new Uint8Array(1)),
    () => ensureFolder(join(folder, "file", "below")),
  ])
    await expect(write()).rejects.toMatchObject({ name: "DataError", code: "WRITE_FAILED" });
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

test.each(["ENOSPC", "EDQUOT"])("%s is a full disk", (code) => {
  const failure = writeFailure("a/file", Object.assign(new Error(), { code }), "try again");

  expect(failure).toEqual({
    code: "DISK_FULL",
    message: `a/file cannot be written, the disk is full (${code}); free some space and try again`,
  });
});
