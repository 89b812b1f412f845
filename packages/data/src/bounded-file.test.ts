import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readBoundedFile } from "./bounded-file.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-bounded-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.each([0, 1, 65_535, 65_536, 200_000])(
  "a file of %i bytes is read where so many are allowed, and refused where it is one less",
  async (size) => {
    const path = join(folder, `of ${size}`);
    const content = Uint8Array.from({ length: size }, (_, i) => i % 251);
    await writeFile(path, content);

    const found = await readBoundedFile(path, size);

    expect(Buffer.compare(found, content)).toBe(0);
    expect(found.buffer.byteLength).toBe(size);
    await expect(readBoundedFile(path, size - 1)).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: expect.stringContaining(`has ${size} bytes, more than the limit of ${size - 1}`),
    });
  },
);

// Their size is 0 for who asks, and their bytes are made when they are read, more than a page of them.
test.runIf(process.platform === "linux")(
  "a file of /proc is read to its end and not beyond the limit",
  async () => {
    const path = "/proc/self/smaps";

    const whole = await readBoundedFile(path, 2 ** 27);

    expect(new TextDecoder().decode(whole)).toMatch(/^[0-9a-f]+-[0-9a-f]+ [^]*VmFlags:.*\n$/);
    expect(whole.length).toBeGreaterThan(2 ** 16);
    await expect(readBoundedFile(path, 2 ** 16)).rejects.toMatchObject({ code: "TOO_LARGE" });
  },
);

test.skipIf(process.platform === "win32")(
  "a pipe that nobody writes to is refused and not waited for",
  async () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);

    await expect(readBoundedFile(path, 10)).rejects.toMatchObject({
      code: "READ_FAILED",
      message: expect.stringContaining("is not a regular file"),
    });
  },
);
