import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBoundedFile, readBoundedPieces, readFilePrefix } from "./bounded-file.ts";

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

test.each([
  [0, 4, []],
  [8, 4, [4, 4]],
  [9, 4, [4, 4, 1]],
  [3, 4, [3]],
])(
  "a file of %i bytes comes in pieces of %i bytes at most, none of them empty",
  async (size, largest, lengths) => {
    const path = join(folder, `pieces of ${size}`);
    const content = Uint8Array.from({ length: size }, (_, i) => i);
    await writeFile(path, content);

    const pieces = await readBoundedPieces(path, size, largest);

    expect(pieces.map(({ length }) => length)).toEqual(lengths);
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
    await expect(readBoundedPieces(path, size - 1, largest)).rejects.toMatchObject({ code: "TOO_LARGE" });
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

describe.skipIf(process.platform === "win32")("a pipe", () => {
  const pipe = (name: string): string => {
    const path = join(folder, name);
    execFileSync("mkfifo", [path]);
    return path;
  };

  test("that nobody writes to is refused and not waited for", async () => {
    const path = pipe("nobody");

    await expect(readBoundedFile(path, 10)).rejects.toMatchObject({
      code: "READ_FAILED",
      message: `${path} is a pipe that nobody writes to; start what writes to it first, or name a file.`,
    });
    await expect(readFilePrefix(path, 10)).rejects.toMatchObject({
      code: "READ_FAILED",
      message: expect.stringContaining("is a pipe, not a regular file"),
    });
  });

  test("that somebody writes to is read to its end, however it comes", async () => {
    const path = pipe("somebody");
    const content = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
    // Opened to read and write, it waits for nobody; what it writes beyond the pipe's size waits for who reads.
    const writer = await open(path, "r+");
    const written = writer.write(content.subarray(0, 10)).then(async () => {
      await writer.write(content.subarray(10));
      await writer.close();
    });

    const found = await readBoundedFile(path, content.length);
    await written;

    expect(Buffer.compare(found, content)).toBe(0);
  });

  test("with more than was said is refused without reading it all", async () => {
    const path = pipe("endless");
    const end = await open(path, "r+");
    const writer = spawn("cat", ["/dev/zero"], { stdio: ["ignore", end.fd, "ignore"] });
    await end.close(); // the child has its own

    await expect(readBoundedFile(path, 2 ** 20)).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: expect.stringContaining("more than the limit of 1048576"),
    });
    writer.kill();
  });
});

test.skipIf(process.platform === "win32").each([
  ["/dev/zero", "a device"],
  ["/dev/null", "a device"],
  [tmpdir(), "a folder"],
])("%s is refused as %s, whatever it would give", async (path, what) => {
  await expect(readBoundedFile(path, 2 ** 20)).rejects.toMatchObject({
    code: "READ_FAILED",
    message: `${path} is ${what}, not a regular file; name the file itself.`,
  });
});
