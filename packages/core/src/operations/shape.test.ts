import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { ShapeError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { tensor, zeros } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { multiply } from "./elementwise.ts";
import { concat, flatten, reshape } from "./shape.ts";

const values = Array.from({ length: 12 }, (_, i) => (i - 5) / 4);

describe.each(availableBackends())("on $name", (backend) => {
  test("reshape and flatten keep the order of the elements, and their gradients are those of differences", () => {
    tidy(() => {
      const x = tensor(values, [2, 3, 2], { backend });

      expect(flatten(x).shape).toEqual([2, 6]);
      expect([...reshape(x, [4, 3]).data]).toEqual(values);
    });
    const input = [{ shape: [2, 3, 2], values }];
    checkGradient(([x], tape) => reshape(x!, [4, 3], tape), input, { backend });
    checkGradient(([x], tape) => flatten(x!, tape), input, { backend });
  });

  test("concat joins rows along the last dimension, and its gradients are those of differences", () => {
    tidy(() => {
      const parts = [tensor([1, 2, 3, 4], [2, 2], { backend }), tensor([5, 6], [2, 1], { backend })];

      const y = concat(parts);

      expect(y.shape).toEqual([2, 3]);
      expect([...y.data]).toEqual([1, 2, 5, 3, 4, 6]);
    });
    const inputs = [
      { shape: [2, 2], values: values.slice(0, 4) },
      { shape: [2, 1], values: values.slice(4, 6) },
    ];
    checkGradient(([a, b], tape) => concat([a!, b!, a!], tape), inputs, { backend });
    checkGradient(([a, b], tape) => concat([a!, multiply(b!, b!, tape)], tape), inputs, { backend });
  });
});

test("shapes that do not fit are refused with both", () => {
  const backend = referenceBackend;
  tidy(() => {
    expect(() => reshape(zeros([2, 3], { backend }), [4])).toThrow(ShapeError);
    expect(() => reshape(zeros([2, 3], { backend }), [4])).toThrow(
      expect.objectContaining({ code: "SHAPE_MISMATCH", message: expect.stringMatching(/\[2, 3\].*\[4\]/) }),
    );
    expect(() => concat([zeros([2, 3], { backend }), zeros([3, 3], { backend })])).toThrow(
      expect.objectContaining({
        code: "SHAPE_MISMATCH",
        message: expect.stringMatching(/\[2, 3\] and \[3, 3\]/),
      }),
    );
    expect(() => concat([])).toThrow(ShapeError);
  });
});
