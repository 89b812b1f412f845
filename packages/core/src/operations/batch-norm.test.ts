import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { ConfigError, ShapeError } from "../errors.ts";
import { memoryUse, tidy } from "../memory.ts";
import { Stream } from "../philox.ts";
import { Tape } from "../tape.ts";
import { tensor, zeros } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { batchNorm } from "./batch-norm.ts";

function uniform(name: string, count: number, seed = 0): Float32Array {
  return new Stream(seed, name).uniform(count, -2, 2);
}

/** `(x - mean) / sqrt(variance + eps)` of each channel in double, with the statistics of x. */
function normalised(x: Float32Array, channels: number, eps: number): number[] {
  const rows = x.length / channels;
  return Array.from(x, (v, at) => {
    const values = Array.from({ length: rows }, (_, row) => x[row * channels + (at % channels)]!);
    const mean = values.reduce((sum, value) => sum + value, 0) / rows;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows;
    return (v - mean) / Math.sqrt(variance + eps);
  });
}

// Inputs that batch norm leaves 1/4 or more away from the ReLU's kink: central differences may not step over it.
function awayFromKink(rows: number, gamma: Float32Array, beta: Float32Array): Float32Array {
  for (let seed = 0; ; seed++) {
    const x = uniform("x", rows * gamma.length, seed);
    const y = normalised(x, gamma.length, 1e-5).map(
      (v, at) => v * gamma[at % gamma.length]! + beta[at % gamma.length]!,
    );
    if (y.every((v) => Math.abs(v) >= 1 / 4)) return x;
  }
}

describe.each(availableBackends())("on $name", (backend) => {
  test("training normalises every channel by the batch, whatever its shape", () => {
    for (const shape of [
      [2, 3],
      [5, 4, 3, 7],
      [130, 33],
    ]) {
      tidy(() => {
        const channels = shape.at(-1)!;
        const x = tensor(
          uniform(
            "x",
            shape.reduce((a, b) => a * b),
          ),
          shape,
          { backend },
        );
        const gamma = tensor(uniform("gamma", channels), [channels], { backend });
        const beta = tensor(uniform("beta", channels), [channels], { backend });

        const y = batchNorm(x, gamma, beta, { training: true, eps: 1e-3 });

        expect(y.shape).toEqual(shape);
        normalised(x.data, channels, 1e-3).forEach((v, at) => {
          const expected = v * gamma.data[at % channels]! + beta.data[at % channels]!;
          expect(Math.abs(y.data[at]! - expected), `element ${at}`).toBeLessThan(1e-5);
        });
      });
    }
  });

  test("running statistics move as PyTorch's: by momentum, and with the unbiased variance", () => {
    tidy(() => {
      const x = tensor([1, 2, 3, 4, 5, 9], [3, 2], { backend });
      const [gamma, beta] = [tensor([1, 1], [2], { backend }), zeros([2], { backend })];
      const runningMean = tensor([0, 1], [2], { backend });
      const runningVariance = tensor([1, 2], [2], { backend });

      batchNorm(x, gamma, beta, { runningMean, runningVariance, training: true });

      // Means 3 and 5, unbiased variances 4 and 13.
      [0.3, 0.9 + 0.5].forEach((v, i) => expect(runningMean.data[i]).toBeCloseTo(v, 6));
      [0.9 + 0.4, 1.8 + 1.3].forEach((v, i) => expect(runningVariance.data[i]).toBeCloseTo(v, 6));
    });
  });

  test("evaluation normalises by the running statistics and leaves them alone", () => {
    tidy(() => {
      const x = tensor([1, 2, 3, 4], [2, 2], { backend });
      const [gamma, beta] = [tensor([2, 1], [2], { backend }), tensor([0.5, -1], [2], { backend })];
      const runningMean = tensor([1, 1], [2], { backend });
      const runningVariance = tensor([4, 1], [2], { backend });
      const options = { runningMean, runningVariance };

      const y = batchNorm(x, gamma, beta, options);
      const positive = batchNorm(x, gamma, beta, { ...options, relu: true });

      [0.5, 0, 2.5, 2].forEach((v, i) => expect(y.data[i]).toBeCloseTo(v, 4));
      expect(positive.toArray()).toEqual(y.data.map((v) => Math.max(v, 0)));
      expect([...runningMean.data, ...runningVariance.data]).toEqual([1, 1, 4, 1]);
    });
  });

  test("the gradients are those of differences: in training, in evaluation, and behind a ReLU", () => {
    const [gamma, beta] = [Float32Array.of(1.5, -0.75, 1), Float32Array.of(0.25, 1, -0.5)];
    const inputs = [
      { shape: [6, 3], values: awayFromKink(6, gamma, beta) },
      { shape: [3], values: gamma },
      { shape: [3], values: beta },
    ];
    for (const relu of [false, true]) {
      checkGradient(([x, g, b], tape) => batchNorm(x!, g!, b!, { training: true, relu }, tape), inputs, {
        backend,
      });
    }
    checkGradient(
      ([x, g, b], tape) => {
        const runningMean = tensor([0.25, -0.5, 0], [3], { backend });
        const runningVariance = tensor([1, 0.5, 2], [3], { backend });
        return batchNorm(x!, g!, b!, { runningMean, runningVariance }, tape);
      },
      inputs,
      { backend },
    );
  });

  test("without a tape nothing but the result stays in memory", () => {
    tidy(() => {
      const x = tensor(uniform("x", 12), [4, 3], { backend });
      const [gamma, beta] = [zeros([3], { backend }), zeros([3], { backend })];
      const before = memoryUse().buffers;

      batchNorm(x, gamma, beta, { training: true });
      batchNorm(x, gamma, beta, { training: true }, new Tape());

      expect(memoryUse().buffers).toBe(before + 2);
    });
  });
});

describe("mistakes are refused with the numbers", () => {
  const backend = referenceBackend;
  const three = zeros([3], { backend });
  const x = zeros([4, 3], { backend });

  test("shapes that do not fit", () => {
    expect(() => batchNorm(zeros([3], { backend }), three, three, { training: true })).toThrow(ShapeError);
    expect(() => batchNorm(x, zeros([2], { backend }), three, { training: true })).toThrow(
      expect.objectContaining({
        code: "SHAPE_MISMATCH",
        message: expect.stringMatching(/batchNorm: gamma has shape \[2\], expected \[3\]/),
      }),
    );
    expect(() =>
      batchNorm(x, three, three, { runningMean: three, runningVariance: zeros([3, 1], { backend }) }),
    ).toThrow(/runningVariance has shape \[3, 1\]/);
  });

  test("one value per channel has no variance to train by", () => {
    expect(() => batchNorm(zeros([1, 3], { backend }), three, three, { training: true })).toThrow(
      /more than one value per channel.*\[1, 3\]/,
    );
  });

  test("evaluation without running statistics, and values out of range", () => {
    expect(() => batchNorm(x, three, three)).toThrow(ConfigError);
    expect(() => batchNorm(x, three, three, { training: true, runningMean: three })).toThrow(
      /runningVariance/,
    );
    expect(() => batchNorm(x, three, three, { training: true, eps: 0 })).toThrow(/eps.*not 0/);
    expect(() => batchNorm(x, three, three, { training: true, momentum: 2 })).toThrow(/momentum.*not 2/);
  });
});
