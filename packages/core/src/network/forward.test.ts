import { describe, expect, test } from "vitest";
import type { Kernels } from "../backend/backend.ts";
import { availableBackends } from "../backend/registry.ts";
import { tidy } from "../memory.ts";
import { conv2d as convolve } from "../operations/conv2d.ts";
import { maxPool2d as pool } from "../operations/max-pool2d.ts";
import { Stream } from "../philox.ts";
import { tensor } from "../tensor.ts";
import { forward } from "./forward.ts";
import { conv2d, maxPool2d, network, relu } from "./network.ts";
import { initialise } from "./parameters.ts";

describe.each(availableBackends())("on $name", (real) => {
  test.each([
    { stride: 2, calls: 0 },
    { stride: 1, calls: 1 },
  ])("windows of 2 x 2 with stride $stride call the pooling kernel $calls times", ({ stride, calls }) => {
    let pooled = 0;
    const kernels: Kernels = {
      ...real.kernels,
      maxPool2dForward: (...args) => {
        pooled++;
        real.kernels.maxPool2dForward(...args);
      },
    };
    const backend = { ...real, kernels, allocate: (bytes: number) => real.allocate(bytes) };
    const body = network([7, 6, 2], conv2d(5, 2), relu(), maxPool2d(2, { stride }));
    tidy(() => {
      const parameters = initialise(body, { backend, seed: 1 });
      const [weight, bias] = [parameters.get("conv1.weight")!, parameters.get("conv1.bias")!];
      const x = tensor(new Stream(2, "x").uniform(3 * 7 * 6 * 2, -1, 1), [3, 7, 6, 2], { backend });

      const y = forward(body, parameters, x);

      expect(pooled).toBe(calls);
      const expected = pool(convolve(x, weight, { bias, relu: true }), [2, 2], [stride, stride]);
      expect(y.shape).toEqual(expected.shape);
      expect([...y.data]).toEqual([...expected.data]);
    });
  });
});
