import fc from "fast-check";
import { expect, inject, test } from "vitest";
import { selectBackend } from "../backend/registry.ts";
import { Bits } from "../bits.ts";
import { ConfigError, NumericError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { LockBits, Locks } from "../network/locks.ts";
import { crossEntropy, sum } from "../operations/loss.ts";
import { conv2d } from "../operations/conv2d.ts";
import { linear } from "../operations/linear.ts";
import { multiply, scale } from "../operations/elementwise.ts";
import { Stream } from "../philox.ts";
import { Tape, type Gradients } from "../tape.ts";
import { tensor, type Tensor } from "../tensor.ts";
import { checkFinite } from "./check-finite.ts";
import { clipGlobalNorm, gradientNorm, gradientNormBound } from "./gradient-norm.ts";
import { Sgd } from "./sgd.ts";

const backend = selectBackend();

function leaf(shape: readonly number[], seed: number): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(new Stream(seed, "leaf").uniform(count, -1, 1), shape, { backend, requiresGrad: true });
}

function gradientsOf(w: Tensor, b: Tensor, seed: number): Gradients {
  const tape = new Tape();
  const [m, k] = w.shape as [number, number];
  const x = tensor(new Stream(seed, "x").uniform(8 * k, -1, 1), [8, k], { backend });
  const labels = Int32Array.from({ length: 8 }, (_, i) => i % m);
  return tape.backward(crossEntropy(linear(x, w, { bias: b }, tape), labels, tape));
}

function randomLocks(w: Tensor, seed: number): LockBits {
  const bits = new LockBits(w.shape);
  const draws = new Stream(seed, "locks").uniform(bits.rows * bits.columns, 0, 1);
  for (let row = 0; row < bits.rows; row++) {
    bits.lockRow(
      row,
      Bits.from(bits.columns, (j) => draws[row * bits.columns + j]! < 0.4),
    );
  }
  return bits;
}

test("a pending gradient and a materialised one give the same step, bit for bit", () => {
  fc.assert(
    fc.property(
      fc.nat(1e6),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 70 }),
      (seed, m, k) => {
        tidy(() => {
          const fused = [leaf([m, k], seed), leaf([m], seed)] as const;
          const apart = [leaf([m, k], seed), leaf([m], seed)] as const;
          const locks = new Locks();
          locks.set("w", randomLocks(fused[0], seed));

          for (const [w, b] of [fused, apart]) {
            const gradients = gradientsOf(w, b, seed);
            if (w === apart[0]) gradients.get(w);
            new Sgd({ lr: 0.1 }).step(
              [
                ["w", w],
                ["b", b],
              ],
              gradients,
              locks,
            );
          }

          expect(apart[0].data).toEqual(fused[0].data);
          expect(apart[1].data).toEqual(fused[1].data);
        });
      },
    ),
    { numRuns: 30 * inject("soak") },
  );
});

test("the weight of a convolution steps inside its product, with the bits of a step from the gradient", () => {
  fc.assert(
    fc.property(
      fc.nat(1e6),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 20 }),
      (seed, m, c) => {
        tidy(() => {
          const [fused, apart] = [leaf([m, 3, 2, c], seed), leaf([m, 3, 2, c], seed)];
          const locks = new Locks();
          locks.set("w", randomLocks(fused, seed));
          for (const w of [fused, apart]) {
            const tape = new Tape();
            const x = tensor(new Stream(seed, "x").uniform(2 * 30 * c, -1, 1), [2, 6, 5, c], { backend });
            const y = conv2d(x, w, { relu: true, padding: [1, 0] }, tape);
            const gradients = tape.backward(sum(multiply(y, y, tape), tape));
            if (w === apart) gradients.get(w);
            else expect(gradients.pending(w)?.kind).toBe("conv2d");
            new Sgd({ lr: 0.1 }).step([["w", w]], gradients, locks);
            gradients.dispose();
          }

          expect(fused.toArray()).toEqual(apart.toArray());
        });
      },
    ),
    { numRuns: 40 * inject("soak") },
  );
});

test("a step moves every free element and no locked one", () => {
  tidy(() => {
    const w = leaf([9, 37], 3);
    const b = leaf([9], 3);
    const before = w.toArray();
    const bits = randomLocks(w, 4);
    const locks = new Locks();
    locks.set("w", bits);

    new Sgd({ lr: 0.5 }).step(
      [
        ["w", w],
        ["b", b],
      ],
      gradientsOf(w, b, 5),
      locks,
    );

    w.data.forEach((value, i) => {
      const locked = bits.isLocked(Math.floor(i / 37), i % 37);
      expect(Object.is(value, before[i]!)).toBe(locked);
    });
  });
});

test("a gradient that is not finite is refused before anything is written", () => {
  tidy(() => {
    const w = leaf([2], 1);
    const free = leaf([2], 2);
    const before = free.toArray();
    const tape = new Tape();
    const factors = tensor([Infinity, 1], [2], { backend });
    const loss = sum(multiply(free, multiply(w, factors, tape), tape), tape);
    const gradients = tape.backward(loss);

    expect(() =>
      new Sgd({ lr: 1 }).step(
        [
          ["free", free],
          ["w", w],
        ],
        gradients,
      ),
    ).toThrow(NumericError);
    expect(free.data).toEqual(before);
  });
});

test("a product that overflows is found although it is pending, and finite factors are not looked at twice", () => {
  tidy(() => {
    const w = leaf([1, 1], 1);
    const pendingOf = (dy: number): Gradients => {
      const tape = new Tape();
      const x = tensor([3e38], [1, 1], { backend });
      return tape.backward(scale(sum(linear(x, w, {}, tape), tape), dy, tape));
    };

    expect(() => checkFinite([["w", w]], pendingOf(2))).toThrow(/gradient of "w" is not finite/);
    const fine = pendingOf(1e-10);
    checkFinite([["w", w]], fine);
    expect(fine.pending(w)).toBeDefined();
  });
});

test("a step that takes a free weight beyond float32 is refused, and one that would take a locked one is not made", () => {
  tidy(() => {
    const w = tensor([1, 1], [2, 1], { backend, requiresGrad: true });
    const x = tensor([1], [1, 1], { backend });
    const gradients = (): Gradients => {
      const tape = new Tape();
      return tape.backward(scale(sum(linear(x, w, {}, tape), tape), 2e37, tape));
    };
    const both = new Locks();
    const bits = new LockBits(w.shape);
    for (const row of [0, 1]) bits.lockRow(row, Bits.ones(1));
    both.set("w", bits);

    expect(() => new Sgd({ lr: 100 }).step([["w", w]], gradients())).toThrow(
      expect.objectContaining({
        code: "NON_FINITE_STEP",
        message: expect.stringContaining('element 0 of "w"'),
      }),
    );
    new Sgd({ lr: 100 }).step([["w", w]], gradients(), both);

    expect([...w.data]).toEqual([1, 1]);
  });
});

test("a product of two parameters is stepped from their old values, whatever their order", () => {
  tidy(() => {
    for (const order of [
      ["x", "w"],
      ["w", "x"],
    ] as const) {
      const leaves = {
        x: tensor([1, 2], [1, 2], { backend, requiresGrad: true }),
        w: tensor([3, 4], [1, 2], { backend, requiresGrad: true }),
      };
      const tape = new Tape();
      const gradients = tape.backward(sum(linear(leaves.x, leaves.w, {}, tape), tape));

      new Sgd({ lr: 0.5 }).step(
        order.map((name) => [name, leaves[name]] as const),
        gradients,
      );

      expect([[...leaves.x.data], [...leaves.w.data]]).toEqual([
        [-0.5, 0],
        [2.5, 3],
      ]);
    }
  });
});

test("the bound of a norm is never below the norm", () => {
  fc.assert(
    fc.property(fc.nat(1e6), (seed) => {
      tidy(() => {
        const [w, b] = [leaf([5, 7], seed), leaf([5], seed)];
        const gradients = gradientsOf(w, b, seed);
        const bound = gradientNormBound(gradients, w);

        expect(bound).toBeGreaterThanOrEqual(gradientNorm(gradients, w) * (1 - 1e-5));
      });
    }),
  );
});

test("clipping scales the common norm down to the limit, and leaves small gradients pending", () => {
  tidy(() => {
    const [w, b] = [leaf([5, 7], 1), leaf([5], 1)];
    const parameters = [
      ["w", w],
      ["b", b],
    ] as const;
    const norm = (gradients: Gradients): number =>
      Math.hypot(gradientNorm(gradients, w), gradientNorm(gradients, b));
    const small = gradientsOf(w, b, 1);
    clipGlobalNorm(parameters, small, 1e4);
    const large = gradientsOf(w, b, 1);

    clipGlobalNorm(parameters, large, 1e-3);

    expect(small.pending(w)).toBeDefined();
    expect(norm(large) / 1e-3).toBeCloseTo(1, 2);
  });
});

test("clipping to a norm that is none is refused, where it would have clipped nothing", () => {
  tidy(() => {
    const [w, b] = [leaf([5, 7], 1), leaf([5], 1)];
    for (const maxNorm of [NaN, 0, -1, "5", true, null]) {
      expect(() => clipGlobalNorm([["w", w]], gradientsOf(w, b, 1), maxNorm as number)).toThrow(
        `the largest norm must be a number above 0, not ${maxNorm}`,
      );
    }
  });
});

test("a learning rate that is not positive , or is none as a float32, is refused", () => {
  for (const lr of [0, -1, NaN, Infinity, 1e-320, 1e39]) expect(() => new Sgd({ lr })).toThrow(ConfigError);
});
