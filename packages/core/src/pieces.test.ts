import { expect, test } from "vitest";
import { largestPieceBytes, pieces } from "./pieces.ts";

const sizes = (view: ArrayBufferView, largest?: number): number[] =>
  [...pieces(view, largest)].map(({ length }) => length);

test("the pieces of an array are views of its bytes, in order and none larger than asked for", () => {
  const array = Uint16Array.from({ length: 9 }, (_, i) => i * 257).subarray(1, 8);

  expect([...pieces(array, 5)].flatMap((piece) => [...piece])).toEqual([
    1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7,
  ]);
  expect(sizes(array, 5)).toEqual([5, 5, 4]);
  expect(sizes(array, 14)).toEqual([14]);
  expect(sizes(array, 1)).toEqual(Array.from({ length: 14 }, () => 1));
  expect(sizes(new Float32Array(0), 5)).toEqual([]);
  for (const piece of pieces(array, 5)) expect(piece.buffer).toBe(array.buffer);
});

test("an array above 2 GiB, and above 4, comes in pieces that a system takes", () => {
  const array = new Float32Array(2 ** 30 + 1); // zeros that nobody looks at take no memory

  expect(sizes(array)).toEqual([...Array.from({ length: 4 }, () => largestPieceBytes), 4]);
});
