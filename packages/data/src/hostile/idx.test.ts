import fc from "fast-check";
import { gzipSync } from "node:zlib";
import { describe, expect, inject, test } from "vitest";

import { DataError, type DataErrorCode } from "../data-error.ts";
import { idxImages, idxLabels, parseIdx, writeIdx } from "../idx.ts";

function header(type: number, ...sizes: readonly number[]): number[] {
  return [0, 0, type, sizes.length, ...sizes.flatMap((size) => [size >>> 24, size >>> 16, size >>> 8, size])];
}

const images = writeIdx({ shape: [2, 3, 2], data: new Uint8Array(12).fill(7) });
const packedImages = writeIdx({ shape: [2, 3, 2], data: new Uint8Array(12).fill(7) }, { gzip: true });

/** Every way to lie that was thought of: what it is, the bytes, the code, what the message has to say. */
const lies: readonly (readonly [
  name: string,
  file: ArrayLike<number>,
  code: DataErrorCode,
  message: RegExp,
])[] = [
  ["no bytes at all", [], "TRUNCATED", /is an empty file \(0 bytes\)/],
  ["half a magic number", [0, 0, 8], "TRUNCATED", /has 3 bytes/],
  ["another kind of file", [0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0], "BAD_MAGIC", /starts with 0xdeadbeef/],
  ["an image", [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10], "BAD_MAGIC", /is an image \(PNG\), not an IDX file/],
  [
    "a pointer of Git LFS",
    Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n"),
    "BAD_MAGIC",
    /is a Git LFS pointer.*`git lfs pull`/,
  ],
  ["a web page", Buffer.from("<!DOCTYPE html><title>404</title>"), "BAD_MAGIC", /is a web page/],
  ["little-endian magic", [1, 8, 0, 0, 0, 0, 0, 0], "BAD_MAGIC", /little-endian \(0\)/],
  ["an unknown type of elements", header(0x0a, 1), "BAD_MAGIC", /0x00000a01/],
  ["16-bit integers that are missing", header(0x0b, 2), "TRUNCATED", /promises 12 bytes \(2\) and has 8/],
  ["2^32 - 1 integers of 32 bits", header(0x0c, 2 ** 32 - 1), "TRUNCATED", /promises 17179869188 bytes/],
  ["labels that are floats", [...header(0x0d, 1), 0, 0, 0, 0], "UNSUPPORTED_TYPE", /labels as 32-bit floats/],
  ["32-bit floats", header(0x0d, 1, 1, 1), "UNSUPPORTED_TYPE", /32-bit floats/],
  ["64-bit floats", header(0x0e, 1, 1, 1), "UNSUPPORTED_TYPE", /64-bit floats/],
  ["no dimensions", header(0x08), "BAD_MAGIC", /0 dimensions/],
  ["two dimensions", header(0x08, 1, 1), "BAD_MAGIC", /2 dimensions/],
  ["255 dimensions", [0, 0, 8, 255], "BAD_MAGIC", /255 dimensions/],
  ["half a header", header(0x08, 2, 3, 2).slice(0, 13), "TRUNCATED", /inside its header of 16 bytes/],
  ["no labels", header(0x08, 0), "EMPTY", /is empty/],
  ["no images", header(0x08, 0, 28, 28), "EMPTY", /is empty \(0 x 28 x 28\)/],
  ["images without rows", header(0x08, 2, 0, 28), "BAD_SHAPE", /2 x 0 x 28/],
  ["images without columns", header(0x08, 2, 28, 0), "BAD_SHAPE", /2 x 28 x 0/],
  ["images without channels", header(0x08, 2, 28, 28, 0), "BAD_SHAPE", /2 x 28 x 28 x 0/],
  [
    "a header and nothing else",
    header(0x08, 2, 3, 2),
    "TRUNCATED",
    /promises 28 bytes \(2 x 3 x 2\) and has 16/,
  ],
  ["the last pixel missing", images.subarray(0, -1), "TRUNCATED", /promises 28 bytes .* and has 27/],
  ["a byte too many", [...images, 0], "TRAILING_BYTES", /goes on for 1 bytes after the 28/],
  ["2^32 - 1 labels", [...header(0x08, 2 ** 32 - 1), 1], "TRUNCATED", /promises 4294967303 bytes/],
  [
    "sizes whose product is 2^32",
    header(0x08, 2 ** 16, 2 ** 8, 2 ** 8),
    "TRUNCATED",
    /promises 4294967312 bytes/,
  ],
  [
    "sizes whose product is 2^64",
    header(0x08, 2 ** 16, 2 ** 16, 2 ** 16, 2 ** 16),
    "TRUNCATED",
    /promises more than 2\^53 bytes/,
  ],
  [
    "sizes of 2^32 - 1 each",
    header(0x08, ...Array<number>(4).fill(2 ** 32 - 1)),
    "TRUNCATED",
    /promises more than 2\^53 bytes/,
  ],
];

describe("plain files", () => {
  test.each(lies)("%s: one clear error", async (_, file, code, message) => {
    await expect(parseIdx(Uint8Array.from(file), "train-x")).rejects.toMatchObject({
      name: "DataError",
      code,
      message: expect.stringMatching(message),
    });
  });

  test.each(lies)("%s: the message begins with the file's name and ends as a sentence", async (_, file) => {
    await expect(parseIdx(Uint8Array.from(file), "train-x")).rejects.toThrow(/^train-x .*[.?]$/);
  });
});

describe("gzip files", () => {
  test.each(lies)("%s: as clear when it is packed", async (_, file, code) => {
    await expect(parseIdx(gzipSync(Uint8Array.from(file)), "train-x")).rejects.toMatchObject({
      name: "DataError",
      code,
      message: expect.stringMatching(/^train-x /),
    });
  });

  const packedLies: readonly (readonly [string, Uint8Array, DataErrorCode])[] = [
    ["only the two bytes that say gzip", new Uint8Array([0x1f, 0x8b]), "TRUNCATED"],
    ["an unknown compression method", new Uint8Array([0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2]), "BAD_GZIP"],
    ["cut in the middle", packedImages.subarray(0, packedImages.length - 12), "TRUNCATED"],
    ["cut inside the checksum", packedImages.subarray(0, packedImages.length - 6), "TRUNCATED"],
    ["a wrong checksum", packedImages.with(packedImages.length - 6, packedImages.at(-6)! ^ 1), "BAD_GZIP"],
    [
      "zeros and more after the end",
      Buffer.concat([packedImages, new Uint8Array(512), Buffer.of(1)]),
      "TRAILING_BYTES",
    ],
    ["text after the end", Buffer.concat([packedImages, Buffer.from("more")]), "BAD_GZIP"],
    ["a second file after the end", Buffer.concat([packedImages, packedImages]), "TRAILING_BYTES"],
  ];
  test.each(packedLies)("%s: one clear error", async (_, file, code) => {
    await expect(parseIdx(file, "train-x.gz")).rejects.toMatchObject({
      name: "DataError",
      code,
      message: expect.stringMatching(/^train-x\.gz .*\.$/),
    });
  });
});

describe("memory", () => {
  /** Bytes that typed arrays of this process hold, at most, while something is refused. */
  async function heldWhileRefusing(
    file: Uint8Array,
    code: DataErrorCode,
    maxBytes?: number,
  ): Promise<number> {
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }, 1);
    await expect(parseIdx(file, "bomb", { maxBytes })).rejects.toMatchObject({ name: "DataError", code });
    clearInterval(watch);
    return Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  const mebibyte = 2 ** 20;

  /**
   * A header, then so many MiB of zeros: members in a row are one file, so the test itself holds only one of
   * them.
   */
  function packedZeros(mebibytes: number, ...sizes: readonly number[]): Uint8Array {
    const member = gzipSync(new Uint8Array(mebibyte));
    return Buffer.concat([
      gzipSync(Uint8Array.from(header(0x08, ...sizes))),
      ...Array<Buffer>(mebibytes).fill(member),
    ]);
  }

  test("a bomb of 256 MiB behind a modest header is refused at its first byte too many", async () => {
    const bomb = packedZeros(256, 100, 10, 10);

    expect(await heldWhileRefusing(bomb, "TRAILING_BYTES")).toBeLessThan(8 * mebibyte);
  });

  test("a header of 2 GiB in a small gzip file takes no memory", async () => {
    const liar = gzipSync(Uint8Array.from([...header(0x08, 2 ** 21, 2 ** 5, 2 ** 5 - 1), 1, 2, 3]));

    expect(await heldWhileRefusing(liar, "TRUNCATED")).toBeLessThan(8 * mebibyte);
  });

  test("an honest file beyond the limit is refused before it is unpacked", async () => {
    const large = packedZeros(64, 64, 1024, 1024);

    expect(await heldWhileRefusing(large, "TOO_LARGE", 32 * mebibyte)).toBeLessThan(8 * mebibyte);
    expect((await parseIdx(large, "file", { maxBytes: 65 * mebibyte })).data.length).toBe(64 * mebibyte);
  });

  test.each([Number.NaN, -1, 0.5, 2 ** 31, Infinity])("a limit of %s is refused", async (maxBytes) => {
    await expect(parseIdx(images, "file", { maxBytes })).rejects.toMatchObject({ code: "BAD_OPTION" });
  });
});

/** A change to a file: at a place, so many bytes are taken away and others put in. */
const mutation = fc.record({
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.constantFrom(0, 1, 1, 4, 1000),
  inserted: fc.uint8Array({ maxLength: 4 }),
});

function mutate(
  file: Uint8Array,
  { place, removed, inserted }: typeof mutation extends fc.Arbitrary<infer T> ? T : never,
) {
  const at = Math.floor(place * file.length);
  return Uint8Array.from([...file.subarray(0, at), ...inserted, ...file.subarray(at + removed)]);
}

describe("mutations", () => {
  test("a mutated file is read consistently or refused with a DataError, never anything else", async () => {
    const seed = fc.constantFrom(
      images,
      packedImages,
      writeIdx({ shape: [40], data: new Uint8Array(40) }),
      writeIdx({ shape: [40], data: new Uint8Array(40) }, { gzip: true }),
      writeIdx({ shape: [2, 2, 2, 3], data: new Uint8Array(24) }),
    );
    const maxBytes = 2 ** 16;
    await fc.assert(
      fc.asyncProperty(seed, fc.array(mutation, { minLength: 1, maxLength: 3 }), async (file, mutations) => {
        const hostile = mutations.reduce(mutate, file);
        try {
          const array = await parseIdx(hostile, "file", { maxBytes });

          expect(array.data.length).toBe(array.shape.reduce((product, size) => product * size, 1));
          expect(array.data.length).toBeGreaterThan(0);
          expect(array.data.length).toBeLessThanOrEqual(maxBytes);
          if (array.shape.length === 1) expect(idxLabels(array, "file").length).toBe(array.shape[0]);
          else expect(idxImages(array, "file").count).toBe(array.shape[0]);
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
        }
      }),
      { numRuns: 1000 * inject("soak") },
    );
  });

  test("random bytes behind any header are read consistently or refused with a DataError", async () => {
    const size = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    const file = fc
      .tuple(
        fc.constantFrom(0x08, 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e),
        fc.array(size, { maxLength: 5 }),
        fc.uint8Array(),
        fc.boolean(),
      )
      .map(([type, sizes, data, gzip]) => {
        const bytes = Uint8Array.from([...header(type, ...sizes), ...data]);
        return gzip ? gzipSync(bytes) : bytes;
      });
    await fc.assert(
      fc.asyncProperty(file, fc.constantFrom(undefined, [-1e30, 1e30] as const), async (bytes, range) => {
        try {
          const array = await parseIdx(bytes, "file", { range });

          expect(array.data.length).toBe(array.shape.reduce((product, dimension) => product * dimension, 1));
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
        }
      }),
      { numRuns: 1000 * inject("soak") },
    );
  });
});
