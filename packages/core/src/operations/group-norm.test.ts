import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { ConfigError } from "../errors.ts";
import { memoryUse, tidy } from "../memory.ts";
import { Stream } from "../philox.ts";
import { elements, tensor, zeros, type Shape } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { groupNorm } from "./group-norm.ts";
import { layerNorm } from "./layer-norm.ts";

function uniform(name: string, count: number): Float32Array {
  return new Stream(0, name).uniform(count, -2, 2);
}

/** Group normalisation in double, from the formula. */
function inDouble(
  x: Float32Array,
  shape: Shape,
  groups: number,
  gamma: Float32Array,
  beta: Float32Array,
): number[] {
  const channels = shape.at(-1)!;
  const example = elements(shape.slice(1));
  const group = (at: number): string =>
    `${Math.floor(at / example)} ${Math.floor(((at % channels) * groups) / channels)}`;
  const members = new Map<string, number[]>();
  x.forEach((v, at) => members.set(group(at), [...(members.get(group(at)) ?? []), v]));
  return Array.from(x, (v, at) => {
    const values = members.get(group(at))!;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return ((v - mean) / Math.sqrt(variance + 1e-5)) * gamma[at % channels]! + beta[at % channels]!;
  });
}

describe.each(availableBackends())("on $name", (backend) => {
  test("every group of every example is normalised by itself", () => {
    for (const [shape, groups] of [
      [[3, 6], 2],
      [[2, 3, 5, 8], 4],
      [[2, 70, 33], 1],
      [[3, 4, 36], 36],
    ] as const) {
      tidy(() => {
        const channels = shape.at(-1)!;
        const x = tensor(uniform("x", elements(shape)), shape, { backend });
        const gamma = tensor(uniform("gamma", channels), [channels], { backend });
        const beta = tensor(uniform("beta", channels), [channels], { backend });

        const y = groupNorm(x, groups, gamma, beta);

        expect(y.shape).toEqual(shape);
        inDouble(x.data, shape, groups, gamma.data, beta.data).forEach((v, at) =>
          expect(Math.abs(y.data[at]! - v), `element ${at} of [${shape.join(", ")}]`).toBeLessThan(2e-5),
        );
      });
    }
  });

  test("layerNorm normalises over the shape of gamma, one dimension or several", () => {
    for (const [shape, own] of [
      [[4, 37], [37]],
      [
        [2, 3, 4, 5],
        [4, 5],
      ],
    ] as const) {
      tidy(() => {
        const count = elements(own);
        const x = tensor(uniform("x", elements(shape)), shape, { backend });
        const gamma = tensor(uniform("gamma", count), own, { backend });
        const beta = tensor(uniform("beta", count), own, { backend });

        const y = layerNorm(x, gamma, beta);

        expect(y.shape).toEqual(shape);
        inDouble(x.data, [x.data.length / count, count], 1, gamma.data, beta.data).forEach((v, at) =>
          expect(Math.abs(y.data[at]! - v), `element ${at}`).toBeLessThan(2e-5),
        );
      });
    }
  });

  test("the gradients of groupNorm are those of differences, with positions and without", () => {
    for (const shape of [
      [2, 6],
      [2, 3, 6],
    ]) {
      checkGradient(
        ([x, gamma, beta], tape) => groupNorm(x!, 2, gamma!, beta!, { eps: 0.25 }, tape),
        [
          { shape, values: uniform("x", elements(shape)) },
          { shape: [6], values: uniform("gamma", 6) },
          { shape: [6], values: uniform("beta", 6) },
        ],
        { backend },
      );
    }
  });

  test("the gradients of layerNorm too", () => {
    checkGradient(
      ([x, gamma, beta], tape) => layerNorm(x!, gamma!, beta!, {}, tape),
      [
        { shape: [3, 2, 4], values: uniform("x", 24) },
        { shape: [2, 4], values: uniform("gamma", 8) },
        { shape: [2, 4], values: uniform("beta", 8) },
      ],
      { backend },
    );
  });

  test("without a tape nothing but the result stays in memory", () => {
    tidy(() => {
      const [x, gamma] = [zeros([4, 6], { backend }), zeros([6], { backend })];
      const before = memoryUse().buffers;

      groupNorm(x, 3, gamma, gamma);
      layerNorm(x, gamma, gamma);

      expect(memoryUse().buffers).toBe(before + 2);
    });
  });
});

test("what does not fit is refused with the numbers", () => {
  tidy(() => {
    const backend = referenceBackend;
    const [x, six] = [zeros([2, 6], { backend }), zeros([6], { backend })];

    expect(() => groupNorm(x, 4, six, six)).toThrow(
      expect.objectContaining({
        code: "SHAPE_MISMATCH",
        message: expect.stringMatching(/6 channels.*4 groups/),
      }),
    );
    expect(() => groupNorm(six, 1, six, six)).toThrow(/\[n, \.\.\., channels\].*\[6\]/);
    expect(() => groupNorm(x, 2, six, zeros([5], { backend }))).toThrow(/beta has shape \[5\]/);
    expect(() => groupNorm(x, 2, six, six, { eps: -1 })).toThrow(ConfigError);
    expect(() => layerNorm(x, zeros([5], { backend }), six)).toThrow(/\[5\].*\[2, 6\]/);
    expect(() => layerNorm(x, six, x)).toThrow(/beta has shape \[2, 6\], expected \[6\]/);
    expect(() => layerNorm(x, six, six, { eps: NaN })).toThrow(/eps.*NaN/);
  });
});
