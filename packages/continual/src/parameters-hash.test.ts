import { afterEach, beforeEach, expect, test } from "vitest";
import { createHash } from "node:crypto";
import { availableBackends, keep, tensor, type Tensor } from "@milliner/core";
import { hashParameters } from "./parameters-hash.ts";

const backend = availableBackends()[0]!;
let a: Tensor;
let b: Tensor;
beforeEach(() => {
  a = keep(tensor([1, 2, 3, 4], [2, 2], { backend }));
  b = keep(tensor([5], [1], { backend }));
});
afterEach(() => {
  a.dispose();
  b.dispose();
});

test("is the SHA-256 of name, shape and little-endian bytes of each, which another program can compute", () => {
  const bytes = Buffer.alloc(20);
  [1, 2, 3, 4, 5].forEach((value, i) => bytes.writeFloatLE(value, 4 * i));
  const expected = createHash("sha256")
    .update('["a",[2,2]]\n')
    .update(bytes.subarray(0, 16))
    .update('["b",[1]]\n')
    .update(bytes.subarray(16))
    .digest("hex");

  expect(
    hashParameters([
      ["a", a],
      ["b", b],
    ]),
  ).toBe(expected);
});

test("names, shapes, order and the last bit of any value count", () => {
  const plain = hashParameters([
    ["a", a],
    ["b", b],
  ]);
  const flat = keep(tensor([1, 2, 3, 4], [4], { backend }));
  const others = [
    hashParameters([
      ["a", a],
      ["c", b],
    ]),
    hashParameters([
      ["a", flat],
      ["b", b],
    ]),
    hashParameters([
      ["b", b],
      ["a", a],
    ]),
    hashParameters([["a", a]]),
  ];
  flat.dispose();
  b.data[0] = -0;
  others.push(
    hashParameters([
      ["a", a],
      ["b", b],
    ]),
  );
  b.data[0] = 0;
  others.push(
    hashParameters([
      ["a", a],
      ["b", b],
    ]),
  );

  expect(new Set([plain, ...others]).size, "0 and -0 are other bits").toBe(7);
});
