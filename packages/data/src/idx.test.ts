import fc from "fast-check";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

import { checkLabels, type IdxArray, idxContent, idxImages, idxLabels, parseIdx, writeIdx } from "./idx.ts";

/** Labels, images of one channel, images of several: every shape that an IDX file here may have. */
const idxArray: fc.Arbitrary<IdxArray> = fc
  .tuple(fc.constantFrom(1, 3, 4), fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 4, maxLength: 4 }))
  .chain(([dimensions, sizes]) => {
    const shape = sizes.slice(0, dimensions);
    const elements = shape.reduce((product, size) => product * size, 1);
    return fc.uint8Array({ minLength: elements, maxLength: elements }).map((data) => ({ shape, data }));
  });

test("what is written is read back, plain and gzip", async () => {
  await fc.assert(
    fc.asyncProperty(idxArray, fc.boolean(), async (array, gzip) => {
      expect(await parseIdx(writeIdx(array, { gzip }), "file")).toEqual(array);
    }),
  );
});

test("labels are written as the published format says", () => {
  const file = writeIdx({ shape: [3], data: new Uint8Array([5, 0, 4]) });

  expect([...file]).toEqual([0x00, 0x00, 0x08, 0x01, 0x00, 0x00, 0x00, 0x03, 5, 0, 4]);
});

test("images of four dimensions are written as the published format says", () => {
  const file = writeIdx({ shape: [1, 2, 1, 3], data: new Uint8Array([1, 2, 3, 4, 5, 6]) });

  const header = [0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3];
  expect([...file]).toEqual([...header, 1, 2, 3, 4, 5, 6]);
});

test("a compressed file holds exactly the plain one", () => {
  const array = { shape: [2, 1, 2], data: new Uint8Array([9, 8, 7, 6]) };

  expect(new Uint8Array(gunzipSync(writeIdx(array, { gzip: true })))).toEqual(writeIdx(array));
});

test("a dimension beyond 16 bits keeps its high bytes", async () => {
  const array = { shape: [66_051], data: new Uint8Array(66_051).fill(1) }; // 0x00010203

  const file = writeIdx(array);

  expect([...file.subarray(4, 8)]).toEqual([0, 1, 2, 3]);
  expect((await parseIdx(file, "file")).shape).toEqual([66_051]);
});

test("the data of a plain file are a view of its bytes, wherever these lie in their buffer", async () => {
  const file = writeIdx({ shape: [2], data: new Uint8Array([3, 4]) });
  const buffer = new Uint8Array(file.length + 5);
  buffer.set(file, 5);

  const { data } = await parseIdx(buffer.subarray(5), "file");

  expect([...data]).toEqual([3, 4]);
  expect(data.buffer).toBe(buffer.buffer);
});

test("gzip members in a row are one file", async () => {
  const file = writeIdx({ shape: [4], data: new Uint8Array([1, 2, 3, 4]) });
  const packed = Buffer.concat([gzipSync(file.subarray(0, 9)), gzipSync(file.subarray(9))]);

  expect([...(await parseIdx(packed, "file")).data]).toEqual([1, 2, 3, 4]);
});

test("three dimensions are one channel, four are as many as the last says", () => {
  const grey = idxImages({ shape: [2, 3, 1], data: new Uint8Array(6) }, "file");
  const colour = idxImages({ shape: [2, 3, 1, 3], data: new Uint8Array(18) }, "file");

  expect(grey).toMatchObject({ shape: [3, 1, 1], count: 2 });
  expect(colour).toMatchObject({ shape: [3, 1, 3], count: 2 });
});

type Write = (view: DataView, at: number, value: number) => void;

/** The other types of elements: byte in the magic number, bytes an element, how one is written. */
const wholeTypes: readonly (readonly [name: string, type: number, bytes: number, write: Write])[] = [
  ["signed bytes", 0x09, 1, (view, at, value) => view.setInt8(at, value)],
  ["16-bit integers", 0x0b, 2, (view, at, value) => view.setInt16(at, value)],
  ["32-bit integers", 0x0c, 4, (view, at, value) => view.setInt32(at, value)],
];
const floatTypes: typeof wholeTypes = [
  ["32-bit floats", 0x0d, 4, (view, at, value) => view.setFloat32(at, value)],
  ["64-bit floats", 0x0e, 8, (view, at, value) => view.setFloat64(at, value)],
];

function fileOf(
  [, type, bytes, write]: (typeof wholeTypes)[number],
  shape: readonly number[],
  values: ArrayLike<number>,
): Uint8Array {
  const start = 4 + 4 * shape.length;
  const view = new DataView(new ArrayBuffer(start + bytes * values.length));
  view.setUint32(0, 256 * type + shape.length);
  shape.forEach((size, dimension) => view.setUint32(4 + 4 * dimension, size));
  Array.from(values, (value, i) => write(view, start + bytes * i, value));
  return new Uint8Array(view.buffer);
}

describe.each(wholeTypes)("%s", (...type) => {
  test("labels and images whose values are bytes are read as those, plain and gzip", async () => {
    const most = type[2] === 1 ? 127 : 255;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, max: most }), fc.boolean(), async (data, gzip) => {
        for (const shape of [[data.length], [1, data.length, 1]]) {
          const file = fileOf(type, shape, data);

          expect(await parseIdx(gzip ? gzipSync(file) : file, "file")).toEqual({ shape, data });
        }
      }),
    );
  });

  test.each([
    [[3], "LABEL_OUT_OF_RANGE", /^train has label -1 at index 2, .* from 0 to 255/],
    [[1, 3, 1], "VALUE_OUT_OF_RANGE", /^train has the pixel -1 at index 2, .* from 0 to 255/],
  ])("of shape %o, a value that is no byte is refused with its place", async (shape, code, message) => {
    await expect(parseIdx(fileOf(type, shape, [0, 1, -1]), "train")).rejects.toMatchObject({
      name: "DataError",
      code,
      message: expect.stringMatching(message),
    });
  });

  test("a range is for floats", async () => {
    await expect(parseIdx(fileOf(type, [1, 1, 1], [0]), "train", { range: [0, 1] })).rejects.toMatchObject({
      code: "BAD_OPTION",
    });
  });
});

describe.each(floatTypes)("%s", (...type) => {
  test("bytes that were scaled to a range come back as they were", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const range of [
      [0, 1],
      [-1, 1],
      [0, 255],
      [-0.5, 0.5],
    ] as const) {
      const scaled = Array.from(bytes, (value) => range[0] + (value / 255) * (range[1] - range[0]));

      const { data } = await parseIdx(fileOf(type, [1, 16, 16], scaled), "train", { range });

      expect(data).toEqual(bytes);
    }
  });

  test("without a range images are refused, and the message says how to name it", async () => {
    await expect(parseIdx(fileOf(type, [1, 2, 1], [0, 1]), "train")).rejects.toMatchObject({
      code: "UNSUPPORTED_TYPE",
      message: expect.stringMatching(new RegExp(`^train holds pixels as ${type[0]}; .*range: \\[0, 1\\]`)),
    });
  });

  test.each([2, -0.001, Number.NaN, -Infinity])("the pixel %s is outside of 0 to 1", async (pixel) => {
    const file = fileOf(type, [1, 2, 1], [0, pixel]);

    await expect(parseIdx(file, "train", { range: [0, 1] })).rejects.toMatchObject({
      code: "VALUE_OUT_OF_RANGE",
      message: expect.stringMatching(/^train has the pixel \S+ at index 1, but pixels run from 0 to 1/),
    });
  });

  test("labels are refused", async () => {
    await expect(parseIdx(fileOf(type, [2], [0, 1]), "labels")).rejects.toMatchObject({
      code: "UNSUPPORTED_TYPE",
      message: expect.stringMatching(/^labels holds labels as \d+-bit floats/),
    });
  });
});

describe("four dimensions with channels first", () => {
  test.each([1, 3])("%i of them are put behind the pixels, and a warning says so", (channels) => {
    const [count, height, width] = [2, 5, 6];
    const at = (image: number, channel: number, y: number, x: number): number =>
      ((image * channels + channel) * height + y) * width + x;
    const data = Uint8Array.from({ length: count * channels * height * width }, (_, i) => i);

    const { images, shape, warnings } = idxImages({ shape: [count, channels, height, width], data }, "train");

    expect(shape).toEqual([height, width, channels]);
    const expected: number[] = [];
    for (let image = 0; image < count; image++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          for (let channel = 0; channel < channels; channel++) expected.push(at(image, channel, y, x) % 256);
    expect([...images]).toEqual(expected);
    expect(warnings).toEqual([
      expect.stringMatching(`^train has 2 x ${channels} x 5 x 6 numbers: .* 2 images`),
    ]);
  });

  test.each([
    [2, 32, 32, 3],
    [2, 3, 32, 3],
    [2, 1, 3, 4],
    [2, 2, 32, 32],
    [2, 32, 3, 32],
  ])("%i x %i x %i x %i are not that", (...shape) => {
    const data = new Uint8Array(shape.reduce((product, size) => product * size, 1));

    expect(idxImages({ shape, data }, "train")).toEqual({ images: data, shape: shape.slice(1), count: 2 });
  });
});

test("labels and images that were swapped are told apart by their magic numbers", () => {
  const images = { shape: [1, 1, 1], data: new Uint8Array(1) };
  const labels = { shape: [1], data: new Uint8Array(1) };

  expect(() => idxLabels(images, "t10k-labels-idx1-ubyte")).toThrowError(
    expect.objectContaining({
      name: "DataError",
      code: "BAD_MAGIC",
      message: "t10k-labels-idx1-ubyte starts with 0x00000803 (images), not 0x00000801 (labels): swapped?",
    }),
  );
  expect(() => idxImages(labels, "train-images-idx3-ubyte")).toThrowError(
    expect.objectContaining({
      name: "DataError",
      code: "BAD_MAGIC",
      message:
        "train-images-idx3-ubyte starts with 0x00000801 (labels), not 0x00000803 or 0x00000804 (images): swapped?",
    }),
  );
});

test("the first label that is not below the number of classes is named with its place", () => {
  const labels = new Uint8Array([0, 9, 10, 255]);

  expect(() => idxLabels({ shape: [4], data: labels }, "train-labels", 10)).toThrowError(
    expect.objectContaining({
      code: "LABEL_OUT_OF_RANGE",
      message: expect.stringMatching(/^train-labels has label 10 at index 2, but there are 10 classes/),
    }),
  );
  expect(() => checkLabels(labels, "train-labels", 256)).not.toThrow();
});

test("labels that count from 1 beside names that count from 0 are an error that says so", () => {
  expect(() => checkLabels(new Uint8Array([1, 26, 2]), "train-labels", 26)).toThrowError(
    expect.objectContaining({
      code: "LABEL_OUT_OF_RANGE",
      message: expect.stringMatching(
        /^train-labels has label 26 at index 1, .*; no label is 0: .*before the others\.$/,
      ),
    }),
  );
});

test("what cannot be an IDX file is not written", () => {
  const cases: readonly IdxArray[] = [
    { shape: [], data: new Uint8Array(1) },
    { shape: [1, 1], data: new Uint8Array(1) },
    { shape: [0], data: new Uint8Array(0) },
    { shape: [1.5], data: new Uint8Array(1) },
    { shape: [2 ** 32], data: new Uint8Array(1) },
    { shape: [2, 2, 2], data: new Uint8Array(7) },
  ];

  for (const array of cases) {
    expect(() => writeIdx(array), String(array.shape)).toThrowError(
      expect.objectContaining({ code: "BAD_SHAPE" }),
    );
  }
});

test("content is recognised by its first four bytes alone", () => {
  expect(idxContent(new Uint8Array([0, 0, 8, 1]))).toBe("labels");
  expect(idxContent(new Uint8Array([0, 0, 8, 3]))).toBe("images");
  expect(idxContent(new Uint8Array([0, 0, 8, 4, 9]))).toBe("images");
  expect(idxContent(new Uint8Array([0, 0, 13, 3]))).toBe("images");
  for (const other of [
    [],
    [0, 0, 8],
    [0, 0, 8, 2],
    [0, 0, 8, 5],
    [0, 0, 10, 3],
    [1, 0, 8, 3],
    [0x1f, 0x8b, 8, 1],
  ]) {
    expect(idxContent(new Uint8Array(other)), String(other)).toBeUndefined();
  }
});
