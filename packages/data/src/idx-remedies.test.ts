import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

import { createImageSet } from "./dataset.ts";
import { parseIdx } from "./idx.ts";

/** An IDX file of any type and number of dimensions, its elements as bytes. */
function fileOf(
  type: number,
  shape: readonly number[],
  elements: ArrayLike<number>,
  swapped: "nothing" | "sizes" | "header" = "nothing",
): Uint8Array {
  const start = 4 + 4 * shape.length;
  const view = new DataView(new ArrayBuffer(start + elements.length));
  view.setUint32(0, 256 * type + shape.length, swapped === "header");
  shape.forEach((size, i) => view.setUint32(4 + 4 * i, size, swapped !== "nothing"));
  const bytes = new Uint8Array(view.buffer);
  bytes.set(Uint8Array.from(elements), start);
  return bytes;
}

describe.each(["sizes", "header"] as const)("little-endian %s", (swapped) => {
  test.each([
    ["plain", (file: Uint8Array) => file],
    ["gzip", (file: Uint8Array) => gzipSync(file)],
  ])("are named, %s", async (_, packed) => {
    const file = packed(fileOf(8, [60, 28, 28], new Uint8Array(60 * 28 * 28), swapped));

    await expect(parseIdx(file, "train")).rejects.toMatchObject({
      code: swapped === "sizes" ? "BAD_SHAPE" : "BAD_MAGIC",
      message: expect.stringMatching(
        /^train has its .* written little-endian .*60 x 28 x 28.*; write .* big-endian.*\.$/,
      ),
    });
  });
});

test("sizes that fit in neither order are not blamed on it, and no number is shown that nobody can read", async () => {
  const file = fileOf(8, [2 ** 31, 2 ** 31, 2 ** 31], [1, 2, 3]);

  await expect(parseIdx(file, "train")).rejects.toMatchObject({
    code: "TRUNCATED",
    message: expect.stringMatching(
      /^train promises more than 2\^53 bytes .* and has 19; get the file again\.$/,
    ),
  });
});

test.each([
  [[2], "LABEL_OUT_OF_RANGE", "label"],
  [[1, 2, 1], "VALUE_OUT_OF_RANGE", "pixel"],
])("signed bytes below 0 of shape %o are unsigned bytes of another type code", async (shape, code, what) => {
  await expect(parseIdx(fileOf(9, shape, [1, 205]), "train")).rejects.toMatchObject({
    code,
    message: expect.stringMatching(
      new RegExp(
        `^train has .*${what} -51 at index 1, .*unsigned bytes .*write type code 0x08 in place of 0x09`,
      ),
    ),
  });
});

test("an Int8Array with a pixel below 0 is cured by the same bytes as Uint8Array", () => {
  const images = { images: Int8Array.of(1, -51), shape: [1, 2, 1], count: 1 } as const;

  expect(() => createImageSet(images, [0], ["a"])).toThrow(/pixel -51 at index 1, .*as a Uint8Array/);
});

const digits = [3, 0, 7];
const oneHot = digits.flatMap((digit) => Array.from({ length: 10 }, (_, i) => (i === digit ? 1 : 0)));
const qmnist = digits.flatMap((digit) => [0, 0, 0, digit, ...new Uint8Array(28).fill(1)]);
test.each([
  [
    "QMNIST's columns",
    "qmnist-train-labels-idx2-int",
    fileOf(12, [3, 8], qmnist),
    /the class is the first of 8 columns: write that column as idx1/,
  ],
  [
    "other columns of labels",
    "train-labels-idx2-ubyte",
    fileOf(8, [3, 2], [3, 9, 0, 9, 7, 9]),
    /2 columns: write that of the classes as idx1/,
  ],
  [
    "one-hot labels",
    "train-labels-idx2-ubyte",
    fileOf(8, [3, 10], oneHot),
    /one 1 a row \(one-hot\): write the index of each 1 as idx1/,
  ],
  ["packed one-hot labels", "y", gzipSync(fileOf(8, [3, 10], oneHot)), /one 1 a row \(one-hot\)/],
  [
    "flat images",
    "train-images-idx2-ubyte",
    fileOf(8, [3, 784], new Uint8Array(2352).fill(9)),
    /2 dimensions, as flat images have \(3 x 784\): write height and width as two dimensions/,
  ],
])("%s are two dimensions with a remedy of their own", async (_, name, file, remedy) => {
  await expect(parseIdx(file, name)).rejects.toMatchObject({
    code: "BAD_MAGIC",
    message: expect.stringMatching(remedy),
  });
});

test("how to name a range is said as code and as command write it", async () => {
  const file = fileOf(13, [1, 1, 1], [0, 0, 0, 0]);

  await expect(parseIdx(file, "train")).rejects.toThrow(
    "range: [0, 1] in code, --set 'range=[0,1]' in the command",
  );
});
