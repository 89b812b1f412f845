import { describe, expect, test } from "vitest";
import { availableBackends } from "./backend/registry.ts";
import { referenceBackend } from "./backend/reference.ts";
import { ShapeError } from "./errors.ts";
import { memoryUse } from "./memory.ts";
import { elements, sameShape, Tensor, tensor, zeros } from "./tensor.ts";

const backend = referenceBackend;

describe.each(availableBackends())("on $name", (on) => {
  test("holds a copy of its values, and gives copies out", () => {
    const values = [1, 2, 3, 4, 5, 6];
    const t = tensor(values, [2, 3], { backend: on });
    values[0] = 9;

    const copy = t.toArray();
    copy[1] = 9;

    expect([...t.data]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(t.shape).toEqual([2, 3]);
    t.dispose();
  });

  test("zeros are zeros in memory that was used before", () => {
    tensor(new Float32Array(50).fill(7), [50], { backend: on }).dispose();

    const t = zeros([50], { backend: on });

    expect(t.data.every((v) => v === 0)).toBe(true);
    t.dispose();
  });

  test("a disposed tensor has no data, and disposing it again frees nothing twice", () => {
    const before = memoryUse();
    const t = zeros([2, 3], { backend: on });
    expect(memoryUse().buffers).toBe(before.buffers + 1);

    t.dispose();
    t.dispose();

    expect(t.disposed).toBe(true);
    expect(memoryUse()).toEqual(before);
    expect(() => t.data).toThrow(/shape \[2, 3\] has been disposed/);
    expect(() => t.item()).toThrow(TypeError);
  });

  test("a block with `using` frees at its end, also by an error", () => {
    const before = memoryUse();
    const inBlock = (): void => {
      using t = zeros([4], { backend: on });
      expect(t.data.length).toBe(4);
      throw new Error("out");
    };

    expect(inBlock).toThrow("out");

    expect(memoryUse()).toEqual(before);
  });
});

test("its shape cannot be changed from outside", () => {
  const shape = [2, 3];
  const t = zeros(shape, { backend });

  shape[0] = 5;

  expect(t.shape).toEqual([2, 3]);
  expect(() => ((t.shape as number[])[0] = 5)).toThrow(TypeError);
  t.dispose();
});

test("an impossible shape, or values that do not fill it, are refused with the numbers; nothing is allocated", () => {
  const before = memoryUse();

  for (const shape of [[-1], [1.5], [NaN, 2], [2 ** 60]]) {
    expect(() => new Tensor(shape, { backend })).toThrow(
      expect.objectContaining({
        name: "ShapeError",
        code: "BAD_SHAPE",
        message: expect.stringContaining(shape.join(", ")),
      }),
    );
  }
  expect(() => tensor([1, 2, 3], [2, 2], { backend })).toThrow(
    expect.objectContaining({
      code: "SHAPE_MISMATCH",
      message: expect.stringMatching(/\[2, 2\] has 4 .* 3 values/),
    }),
  );
  expect(memoryUse()).toEqual(before);
});

test("item gives the one element, and refuses several with the shape", () => {
  const one = tensor([2.5], [1, 1], { backend });
  const two = zeros([2], { backend });

  expect(one.item()).toBe(2.5);
  expect(() => two.item()).toThrow(ShapeError);
  expect(() => two.item()).toThrow(
    expect.objectContaining({ code: "NOT_A_SCALAR", message: expect.stringContaining("[2]") }),
  );
  one.dispose();
  two.dispose();
});

test("elements and sameShape know scalars and zeros", () => {
  expect(elements([])).toBe(1);
  expect(elements([3, 0, 2])).toBe(0);
  expect(sameShape([2, 3], [2, 3])).toBe(true);
  expect(sameShape([2, 3], [3, 2])).toBe(false);
  expect(sameShape([2], [2, 1])).toBe(false);
});
