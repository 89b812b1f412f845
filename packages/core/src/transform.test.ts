import { expect, test } from "vitest";
import { ConfigError } from "./errors.ts";
import { imageReader, pixelLookup, type Transform } from "./transform.ts";

type Shape = Parameters<typeof imageReader>[1];

function read(transform: Transform, shape: Shape, image: readonly number[]): number[] {
  const into = new Float32Array(image.length);
  imageReader(transform, shape)(Uint8Array.from(image), into);
  return [...into];
}

/** Values are the bytes, up to the rounding of float32. */
const plain = { kind: "normalise", mean: [0], std: [1 / 255] } as const;

test("normalises in double, rounded to float32 once: (byte / 255 - mean) / std", () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);

  const found = read([{ kind: "normalise", mean: [0.1307], std: [0.3081] }], [16, 16, 1], bytes);

  expect(found).toEqual(bytes.map((byte) => Math.fround((byte / 255 - 0.1307) / 0.3081)));
});

test("moves a pixel with all its channels, and normalises each channel by its own figures", () => {
  const normalise = { kind: "normalise", mean: [0, 100 / 255], std: [1 / 255, 2 / 255] } as const;

  const found = read(
    [{ kind: "permute", permutation: [2, 0, 1] }, normalise],
    [1, 3, 2],
    [0, 100, 1, 102, 2, 104],
  );

  expect(found.map(Math.round)).toEqual([2, 2, 0, 0, 1, 1]);
});

test("does its steps in their order", () => {
  const [turn, swap] = [
    { kind: "permute", permutation: [1, 2, 0] },
    { kind: "permute", permutation: [1, 0, 2] },
  ] as const;

  const found = [
    [turn, swap, plain],
    [swap, turn, plain],
  ].map((steps) => read(steps, [1, 3, 1], [10, 20, 30]).map(Math.round));

  // turn: 20 30 10, then swap; swap: 20 10 30, then turn.
  expect(found).toEqual([
    [30, 20, 10],
    [10, 30, 20],
  ]);
});

test("without a step the bytes are the numbers, each in its place", () => {
  expect(read([], [1, 2, 2], [0, 7, 254, 255])).toEqual([0, 7, 254, 255]);
  expect(pixelLookup([], [1, 2, 2]).pixels).toBeNull();
});

test("is data: JSON holds it", () => {
  const transform: Transform = [
    { kind: "permute", permutation: [1, 0] },
    { ...plain, mean: [0.1] },
  ];

  const again = JSON.parse(JSON.stringify(transform)) as Transform;

  expect(read(again, [2, 1, 1], [3, 200])).toEqual(read(transform, [2, 1, 1], [3, 200]));
});

test.each([
  [[{ kind: "permute", permutation: [0, 1, 2] }], "BAD_PERMUTATION", /permutation of 6 pixels/],
  [[{ kind: "permute", permutation: [0, 1, 2, 3, 4, 4] }], "BAD_PERMUTATION", /each of 0\.\.5 once/],
  [[{ kind: "permute", permutation: [0, 1, 2, 3, 4, 6] }], "BAD_PERMUTATION", /each of 0\.\.5 once/],
  [[{ kind: "permute", permutation: [0, 1, 2, 3, 4, 0.5] }], "BAD_PERMUTATION", /each of 0\.\.5 once/],
  [[{ kind: "normalise", mean: [0], std: [NaN] }], "BAD_NORMALISATION", /not \[0\] and \[NaN\]/],
  [[{ kind: "normalise", mean: [Infinity], std: [1] }], "BAD_NORMALISATION", /not \[Infinity\] and \[1\]/],
  [[{ kind: "normalise", mean: [0], std: [0] }], "BAD_NORMALISATION", /positive std for each of 1 channels/],
  [[{ kind: "normalise", mean: [0, 0], std: [1, 1] }], "BAD_NORMALISATION", /each of 1 channels/],
  [
    [{ kind: "normalise", mean: [0], std: [1e-60] }],
    "BAD_NORMALISATION",
    /std of 1e-60 make numbers beyond float32/,
  ],
  [[plain, plain], "BAD_TRANSFORM", /"normalise" follows "normalise"/],
  [
    [plain, { kind: "permute", permutation: [0, 1, 2, 3, 4, 5] }],
    "BAD_TRANSFORM",
    /"permute" follows "normalise"/,
  ],
  [[{ kind: "rotate", degrees: 90 }], "BAD_TRANSFORM", /not \{"kind":"rotate","degrees":90\}/],
])("%j is refused for images of 2 x 3 pixels", (transform, code, message) => {
  const make = (): unknown => pixelLookup(transform as unknown as Transform, [2, 3, 1]);

  expect(make).toThrow(ConfigError);
  expect(make).toThrow(expect.objectContaining({ code }));
  expect(make).toThrow(message);
});
