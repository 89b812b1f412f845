import { expect, test } from "vitest";
import type { Backend } from "../backend/backend.ts";
import { referenceBackend } from "../backend/reference.ts";
import { memoryUse, tidy } from "../memory.ts";
import { forward } from "../network/forward.ts";
import { linear as linearLayer, network } from "../network/network.ts";
import { initialise } from "../network/parameters.ts";
import { onBackend, tensor, type Tensor } from "../tensor.ts";
import { batchNorm } from "./batch-norm.ts";
import { conv2d } from "./conv2d.ts";
import { add, applyGate, multiply } from "./elementwise.ts";
import { groupNorm } from "./group-norm.ts";
import { layerNorm } from "./layer-norm.ts";
import { linear } from "./linear.ts";
import { concat } from "./shape.ts";

const backend = referenceBackend;
const another: Backend = { ...referenceBackend, precision: "bf16" };

const of = (shape: readonly number[], on: Backend = backend): Tensor =>
  tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape, { backend: on });

/** Every operation of several tensors, each of which may be the one on another backend. */
const operations: Readonly<
  Record<string, readonly [shapes: readonly number[][], (...t: Tensor[]) => Tensor]>
> = {
  linear: [[[2, 3], [4, 3], [4], [4]], (x, w, bias, gate) => linear(x!, w!, { bias, gate })],
  conv2d: [[[2, 3, 3, 1], [4, 2, 2, 1], [4], [4]], (x, w, bias, gate) => conv2d(x!, w!, { bias, gate })],
  add: [
    [
      [2, 3],
      [2, 3],
    ],
    (a, b) => add(a!, b!),
  ],
  multiply: [
    [
      [2, 3],
      [2, 3],
    ],
    (a, b) => multiply(a!, b!),
  ],
  applyGate: [[[2, 3], [3]], (h, gate) => applyGate(h!, gate!)],
  concat: [
    [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    (...parts) => concat(parts),
  ],
  batchNorm: [
    [[2, 3], [3], [3], [3], [3]],
    (x, gamma, beta, runningMean, runningVariance) =>
      batchNorm(x!, gamma!, beta!, { runningMean, runningVariance }),
  ],
  groupNorm: [[[2, 4], [4], [4]], (x, gamma, beta) => groupNorm(x!, 2, gamma!, beta!)],
  layerNorm: [[[2, 4], [4], [4]], (x, gamma, beta) => layerNorm(x!, gamma!, beta!)],
};

test.each(Object.entries(operations))(
  "%s refuses tensors of two backends, whichever is elsewhere",
  (name, [shapes, call]) => {
    const before = memoryUse().buffers;
    tidy(() => {
      for (const odd of shapes.keys()) {
        const mixed = shapes.map((shape, i) => of(shape, i === odd ? another : backend));
        expect(() => call(...mixed), `argument ${odd}`).toThrow(
          expect.objectContaining({
            name: "ConfigError",
            code: "MIXED_BACKENDS",
            message: expect.stringMatching(
              `^${name} computes .* reference in (float32|bf16) and .* on reference in `,
            ),
          }),
        );
      }
      expect(call(...shapes.map((shape) => of(shape, another))).backend, "all of them are elsewhere").toBe(
        another,
      );
    });
    expect(memoryUse().buffers).toBe(before);
  },
);

test("a network refuses an image on another backend than its parameters, and takes it where they are", () => {
  tidy(() => {
    const net = network([3], linearLayer(2));
    const parameters = initialise(net, { backend, seed: 1 });
    const image = of([1, 3], another);

    expect(() => forward(net, parameters, image)).toThrow(
      expect.objectContaining({ code: "MIXED_BACKENDS" }),
    );
    expect(forward(net, parameters, onBackend(image, backend)).toArray()).toEqual(
      forward(net, parameters, of([1, 3])).toArray(),
    );
    for (const parameter of parameters.values()) parameter.dispose();
  });
});

test("onBackend copies what is elsewhere, and nothing else", () => {
  tidy(() => {
    const t = tensor([1, -2, NaN], [3], { backend });
    const moved = onBackend(t, another);

    expect(onBackend(t, backend)).toBe(t);
    expect([moved.backend, moved.shape, [...moved.data]]).toEqual([another, t.shape, [1, -2, NaN]]);
    expect(moved.data.buffer).not.toBe(t.data.buffer);
  });
});
