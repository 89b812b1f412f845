import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { ShapeError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { tensor, zeros } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { multiply, scale } from "./elementwise.ts";
import { crossEntropy, mean, sum } from "./loss.ts";

describe.each(availableBackends())("on $name", (backend) => {
  const input = [{ shape: [3, 4], values: [1, -2, 0.5, 3, 0, 0.25, -1, 2, -0.5, 1.5, 4, -3] }];

  test("the gradients of sum and mean are those of differences", () => {
    checkGradient(([x], tape) => sum(multiply(x!, x!, tape), tape), input, { backend });
    checkGradient(([x], tape) => mean(multiply(x!, x!, tape), tape), input, { backend });
  });

  test("the gradient of crossEntropy is that of differences, also where something follows the loss", () => {
    const labels = Int32Array.of(3, 0, 2);
    checkGradient(([x], tape) => crossEntropy(x!, labels, tape), input, { backend });
    checkGradient(([x], tape) => scale(crossEntropy(x!, labels, tape), -2.5, tape), input, { backend });
  });

  test("crossEntropy of equal logits is the logarithm of the number of classes", () => {
    tidy(() => {
      const loss = crossEntropy(zeros([5, 10], { backend }), Int32Array.of(0, 1, 2, 3, 9));

      expect(loss.shape).toEqual([1]);
      expect(loss.item()).toBeCloseTo(Math.log(10), 6);
    });
  });

  test("sum and mean of known numbers", () => {
    tidy(() => {
      const x = tensor([1, 2, 3, 4], [2, 2], { backend });

      expect(sum(x).item()).toBe(10);
      expect(mean(x).item()).toBe(2.5);
    });
  });
});

test("labels that are too few, or out of range, are refused with their numbers", () => {
  const backend = referenceBackend;
  tidy(() => {
    const logits = zeros([2, 3], { backend });

    expect(() => crossEntropy(logits, Int32Array.of(1))).toThrow(ShapeError);
    expect(() => crossEntropy(logits, Int32Array.of(1))).toThrow(
      expect.objectContaining({ code: "SHAPE_MISMATCH", message: expect.stringMatching(/\[2, 3\] and 1/) }),
    );
    for (const label of [-1, 3]) {
      expect(() => crossEntropy(logits, Int32Array.of(0, label))).toThrow(
        expect.objectContaining({
          code: "LABEL_OUT_OF_RANGE",
          message: expect.stringMatching(`label ${label} at 1.*0..2`),
        }),
      );
    }
  });
});
