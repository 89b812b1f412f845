import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { tidy } from "../memory.ts";
import { Stream } from "../philox.ts";
import { tensor, zeros } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { globalAveragePool } from "./global-average-pool.ts";

describe.each(availableBackends())("on $name", (backend) => {
  test("every channel's mean over the image, written out", () => {
    tidy(() => {
      const x = tensor([1, 10, 2, 20, 3, 30, 6, 60, 5, 5, 5, 5, 5, 5, 5, 5], [2, 2, 2, 2], { backend });

      const y = globalAveragePool(x);

      expect(y.shape).toEqual([2, 2]);
      expect([...y.data]).toEqual([3, 30, 5, 5]);
    });
  });

  test("the gradient is that of differences", () => {
    const values = new Stream(0, "x").uniform(2 * 3 * 2 * 5, -1, 1);

    checkGradient(([x], tape) => globalAveragePool(x!, tape), [{ shape: [2, 3, 2, 5], values }], { backend });
  });
});

test("what has no positions is refused with its shape", () => {
  tidy(() => {
    const backend = referenceBackend;

    expect(() => globalAveragePool(zeros([2, 8], { backend }))).toThrow(
      expect.objectContaining({ code: "SHAPE_MISMATCH", message: expect.stringContaining("[2, 8]") }),
    );
    expect(() => globalAveragePool(zeros([2, 0, 4, 8], { backend }))).toThrow(/\[2, 0, 4, 8\]/);
  });
});
