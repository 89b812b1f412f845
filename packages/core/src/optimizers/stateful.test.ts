import fc from "fast-check";
import { describe, expect, inject, test } from "vitest";
import { selectBackend } from "../backend/registry.ts";
import { Bits } from "../bits.ts";
import { CheckpointError, ConfigError, NumericError, ShapeError } from "../errors.ts";
import { memoryUse, tidy } from "../memory.ts";
import { LockBits, Locks } from "../network/locks.ts";
import { scale } from "../operations/elementwise.ts";
import { linear } from "../operations/linear.ts";
import { crossEntropy, sum } from "../operations/loss.ts";
import { Stream } from "../philox.ts";
import { Tape, type Gradients } from "../tape.ts";
import { tensor, type Tensor } from "../tensor.ts";
import { Adam } from "./adam.ts";
import { AdamW } from "./adamw.ts";
import { clipGlobalNorm } from "./gradient-norm.ts";
import type { Optimizer } from "./optimizer.ts";
import { Sgd } from "./sgd.ts";

const backend = selectBackend();

interface Moved {
  w: number;
  first: number;
  second: number;
}

// Each optimizer, and the formula of PyTorch's documentation for one element in step t.
const optimizers: readonly {
  readonly name: string;
  readonly make: () => Optimizer;
  readonly arrays: readonly string[];
  readonly formula: (moved: Moved, g: number, t: number) => Moved;
}[] = [
  {
    name: "SGD with weight decay",
    make: () => new Sgd({ lr: 0.1, weightDecay: 0.05 }),
    arrays: [],
    formula: ({ w }, g) => ({ w: w - 0.1 * (g + 0.05 * w), first: 0, second: 0 }),
  },
  {
    name: "SGD with momentum",
    make: () => new Sgd({ lr: 0.1, momentum: 0.9 }),
    arrays: ["momentum_buffer"],
    formula: ({ w, first }, g) => {
      const buffer = 0.9 * first + g;
      return { w: w - 0.1 * buffer, first: buffer, second: 0 };
    },
  },
  {
    name: "SGD with Nesterov's momentum and weight decay",
    make: () => new Sgd({ lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.05 }),
    arrays: ["momentum_buffer"],
    formula: ({ w, first }, gradient) => {
      const g = gradient + 0.05 * w;
      const buffer = 0.9 * first + g;
      return { w: w - 0.1 * (g + 0.9 * buffer), first: buffer, second: 0 };
    },
  },
  {
    name: "Adam with weight decay",
    make: () => new Adam({ lr: 0.01, betas: [0.8, 0.9], eps: 1e-3, weightDecay: 0.05 }),
    arrays: ["exp_avg", "exp_avg_sq"],
    formula: (moved, gradient, t) => {
      const g = gradient + 0.05 * moved.w;
      const first = 0.8 * moved.first + 0.2 * g;
      const second = 0.9 * moved.second + 0.1 * g * g;
      const [mean, square] = [first / (1 - 0.8 ** t), second / (1 - 0.9 ** t)];
      return { w: moved.w - (0.01 * mean) / (Math.sqrt(square) + 1e-3), first, second };
    },
  },
  {
    name: "AdamW with PyTorch's defaults",
    make: () => new AdamW({ lr: 1e-3 }),
    arrays: ["exp_avg", "exp_avg_sq"],
    formula: (moved, g, t) => {
      const first = 0.9 * moved.first + 0.1 * g;
      const second = 0.999 * moved.second + 0.001 * g * g;
      const [mean, square] = [first / (1 - 0.9 ** t), second / (1 - 0.999 ** t)];
      return {
        w: moved.w * (1 - 1e-3 * 0.01) - (1e-3 * mean) / (Math.sqrt(square) + 1e-8),
        first,
        second,
      };
    },
  },
];

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

function named(w: Tensor, b: Tensor): readonly (readonly [string, Tensor])[] {
  return [
    ["w", w],
    ["b", b],
  ];
}

function randomLocks(shapes: Readonly<Record<string, readonly number[]>>, seed: number): Locks {
  const locks = new Locks();
  const stream = new Stream(seed, "locks");
  for (const [name, shape] of Object.entries(shapes)) {
    const bits = new LockBits(shape);
    const draws = stream.uniform(bits.rows * bits.columns, 0, 1);
    for (let row = 0; row < bits.rows; row++) {
      bits.lockRow(
        row,
        Bits.from(bits.columns, (j) => draws[row * bits.columns + j]! < 0.4),
      );
    }
    locks.set(name, bits);
  }
  return locks;
}

// A loss whose gradient for every element of w is `g`.
function constantGradients(w: Tensor, g: number): Gradients {
  const tape = new Tape();
  const x = tensor(new Float32Array(w.shape[1]!).fill(1), [1, w.shape[1]!], { backend });
  return tape.backward(scale(sum(linear(x, w, {}, tape), tape), g, tape));
}

test.each(optimizers)("$name follows its formula for several steps", ({ make, formula, arrays }) => {
  tidy(() => {
    const [w, b] = [leaf([5, 37], 1), leaf([5], 2)];
    const optimizer = make();
    const expected = [w, b].map((one) =>
      [...one.data].map((value): Moved => ({ w: value, first: 0, second: 0 })),
    );

    for (let t = 1; t <= 4; t++) {
      const gradients = gradientsOf(w, b, t);
      const g = [w, b].map((one) => gradients.get(one)!.toArray());
      optimizer.step(named(w, b), gradients);
      expected.forEach((moves, p) => moves.forEach((moved, i) => (moves[i] = formula(moved, g[p]![i]!, t))));
    }

    const state = optimizer.state();
    named(w, b).forEach(([name, one], p) => {
      one.data.forEach((value, i) => expect(value).toBeCloseTo(expected[p]![i]!.w, 5));
      arrays.forEach((array, a) =>
        state.arrays
          .get(`${name}.${array}`)!
          .data.forEach((value, i) =>
            expect(value).toBeCloseTo(a === 0 ? expected[p]![i]!.first : expected[p]![i]!.second, 6),
          ),
      );
    });
    expect(state.arrays.size).toBe(2 * arrays.length);
    optimizer.dispose();
  });
});

test.each(optimizers)(
  "$name has the same bits in the tile and from a materialised gradient, and leaves locked elements and their state alone",
  ({ make, arrays }) => {
    fc.assert(
      fc.property(
        fc.nat(1e6),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 70 }),
        fc.boolean(),
        (seed, m, k, isLocked) => {
          tidy(() => {
            const locks = isLocked ? randomLocks({ w: [m, k], b: [m] }, seed) : undefined;
            const run = (isMaterialised: boolean): readonly Float32Array[] => {
              const [w, b] = [leaf([m, k], seed), leaf([m], seed)];
              const optimizer = make();
              for (let t = 0; t < 3; t++) {
                const gradients = gradientsOf(w, b, seed + t);
                if (isMaterialised) gradients.get(w);
                else expect(gradients.pending(w)).toBeDefined();
                optimizer.step(named(w, b), gradients, locks);
              }
              const { arrays: state } = optimizer.state();
              const result = [
                w.toArray(),
                b.toArray(),
                ...[...state.values()].map(({ data }) => data.slice()),
              ];
              optimizer.dispose();
              return result;
            };

            const [fused, apart] = [run(false), run(true)];

            expect(fused).toEqual(apart);
            const bits = locks?.get("w");
            const before = leaf([m, k], seed).data;
            const written = before.findIndex(
              (value, i) =>
                bits?.isLocked(Math.floor(i / k), i % k) === true &&
                !(Object.is(fused[0]![i], value) && arrays.every((_, a) => Object.is(fused[2 + a]![i], 0))),
            );
            expect(written).toBe(-1);
          });
        },
      ),
      { numRuns: 10 * inject("soak") },
    );
  },
);

test.each(optimizers)(
  "$name goes on from its saved state with the bits of a run that was not cut",
  ({ make }) => {
    tidy(() => {
      const train = (w: Tensor, b: Tensor, optimizer: Optimizer, from: number, to: number): void => {
        for (let t = from; t < to; t++) optimizer.step(named(w, b), gradientsOf(w, b, t));
      };
      const [w, b] = [leaf([6, 11], 1), leaf([6], 2)];
      const [first, second] = [make(), make()];
      train(w, b, first, 0, 3);
      const { steps, arrays } = first.state();
      const saved = {
        steps: JSON.parse(JSON.stringify(steps)) as Record<string, number>,
        arrays: new Map([...arrays].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }])),
      };
      const [w2, b2] = named(w, b).map(([, one]) =>
        tensor(one.data, one.shape, { backend, requiresGrad: true }),
      ) as [Tensor, Tensor];
      train(w, b, first, 3, 6);

      second.load(saved);
      expect(second.state()).toEqual({ steps, arrays: saved.arrays });
      train(w2, b2, second, 3, 6);

      expect([w2.data, b2.data]).toEqual([w.data, b.data]);
      first.dispose();
      second.dispose();
    });
  },
);

test("momentum that would take a weight or its velocity beyond float32 is refused before anything is written", () => {
  tidy(() => {
    const w = leaf([1, 3], 1);
    const before = w.toArray();
    const optimizer = new Sgd({ lr: 1e-30, momentum: 0.99 });
    const step = (): void => optimizer.step([["w", w]], constantGradients(w, 1.5e38));
    step();
    step();
    const [stepped, velocity] = [
      w.toArray(),
      optimizer.state().arrays.get("w.momentum_buffer")!.data.slice(),
    ];

    expect(step).toThrow(
      expect.objectContaining({
        code: "NON_FINITE_STEP",
        message: expect.stringContaining('element 0 of "w"'),
      }),
    );

    expect(w.data).toEqual(stepped);
    expect(w.data).not.toEqual(before);
    expect(optimizer.state().arrays.get("w.momentum_buffer")!.data).toEqual(velocity);
    expect(optimizer.state().steps).toEqual({ w: 2 });
    optimizer.dispose();
  });
});

test.each(optimizers)(
  "$name refuses a gradient that is not finite, for any of the parameters, and changes nothing",
  ({ make }) => {
    tidy(() => {
      const [a, b] = [leaf([2, 2], 1), leaf([2, 2], 2)];
      const before = [a.toArray(), b.toArray()];
      const optimizer = make();
      const tape = new Tape();
      const x = tensor([3e38, 1], [1, 2], { backend });
      const loss = sum(linear(linear(x, a, {}, tape), b, {}, tape), tape);
      const gradients = tape.backward(scale(loss, 10, tape));

      expect(() =>
        optimizer.step(
          [
            ["b", b],
            ["a", a],
          ],
          gradients,
        ),
      ).toThrow(NumericError);

      expect([a.data, b.data]).toEqual(before);
      optimizer.dispose();
    });
  },
);

test("a square beyond float32 is refused, and not where it is locked", () => {
  tidy(() => {
    const w = leaf([1, 2], 1);
    const optimizer = new Adam({ lr: 0.1 });
    const locks = new Locks();
    const bits = new LockBits(w.shape);
    bits.lockRow(0, Bits.ones(2));
    locks.set("w", bits);

    expect(() => optimizer.step([["w", w]], constantGradients(w, 1e30))).toThrow(
      /exp_avg_sq of "w" beyond float32/,
    );
    optimizer.step([["w", w]], constantGradients(w, 1e30), locks);

    expect(w.data).toEqual(leaf([1, 2], 1).data);
    optimizer.dispose();
  });
});

test("the state outlives the tidy of a step, and dispose frees it and starts anew", () => {
  const { buffers } = memoryUse();
  const w = leaf([4, 5], 1);
  const optimizer = new AdamW({ lr: 0.1 });

  for (let t = 0; t < 3; t++) tidy(() => optimizer.step([["w", w]], constantGradients(w, 1)));

  expect(memoryUse().buffers).toBe(buffers + 3);
  expect(optimizer.state().steps).toEqual({ w: 3 });
  optimizer.dispose();
  w.dispose();
  expect(memoryUse().buffers).toBe(buffers);
  expect(optimizer.state()).toEqual({ steps: {}, arrays: new Map() });
});

test("a parameter of another shape under a known name is refused", () => {
  tidy(() => {
    const [small, large] = [leaf([2, 3], 1), leaf([3, 3], 1)];
    const optimizer = new Sgd({ lr: 0.1, momentum: 0.9 });
    optimizer.step([["w", small]], constantGradients(small, 1));

    expect(() => optimizer.step([["w", large]], constantGradients(large, 1))).toThrow(ShapeError);
    optimizer.dispose();
  });
});

test("state that is not this optimizer's, or not whole, is refused and the old state kept", () => {
  tidy(() => {
    const w = leaf([1, 2], 1);
    const optimizer = new Adam({ lr: 0.1 });
    optimizer.step([["w", w]], constantGradients(w, 1));
    const one = { shape: [2], data: Float32Array.of(1, 1) };
    const arrays = (mean: unknown, square: unknown): ReadonlyMap<string, typeof one> =>
      new Map([
        ["v.exp_avg", mean as typeof one],
        ["v.exp_avg_sq", square as typeof one],
      ]);
    const lies = [
      { steps: { v: 1 }, arrays: new Map([["v.momentum_buffer", one]]) },
      { steps: {}, arrays: arrays(one, one) },
      { steps: { u: 1 }, arrays: arrays(one, one) },
      { steps: { v: 0 }, arrays: arrays(one, one) },
      { steps: { v: 1.5 }, arrays: arrays(one, one) },
      { steps: { v: 1 }, arrays: arrays(one, { shape: [3], data: one.data }) },
      { steps: { v: 1 }, arrays: arrays({ shape: [2], data: Float32Array.of(NaN, 0) }, one) },
      { steps: { v: 1 }, arrays: arrays(one, { shape: [2], data: Float32Array.of(0, -1) }) },
      { steps: { v: 1 }, arrays: arrays({ shape: [2], data: new Float64Array(2) }, one) },
    ];

    for (const lie of lies) expect(() => optimizer.load(lie)).toThrow(CheckpointError);

    expect(optimizer.state().steps).toEqual({ w: 1 });
    optimizer.dispose();
  });
});

test("settings outside their range are refused", () => {
  const lr = 0.1;
  for (const make of [
    () => new Sgd({ lr, momentum: -0.1 }),
    () => new Sgd({ lr, momentum: Infinity }),
    () => new Sgd({ lr, nesterov: true }),
    () => new Sgd({ lr, weightDecay: -1 }),
    () => new Adam({ lr: 0 }),
    () => new Adam({ lr, betas: [1, 0.9] }),
    () => new Adam({ lr, betas: [0.9, NaN] }),
    () => new Adam({ lr, eps: 0 }),
    () => new AdamW({ lr, weightDecay: NaN }),
    () => new AdamW({ lr: NaN }),
  ]) {
    expect(make).toThrow(ConfigError);
  }
});

describe.each([
  { name: "SGD", make: () => new Sgd({ lr: 0.1 }) },
  { name: "SGD with momentum", make: () => new Sgd({ lr: 0.1, momentum: 0.9 }) },
  { name: "Adam", make: () => new Adam({ lr: 0.1 }) },
  { name: "AdamW", make: () => new AdamW({ lr: 0.1 }) },
])("$name refuses, and changes nothing,", ({ make }) => {
  test("a learning rate that has become none since it was made", () => {
    tidy(() => {
      const [w, b] = [leaf([4, 3], 1), leaf([4], 1)];
      const before = w.toArray();
      const optimizer = make();

      for (const lr of [-0.1, 0, NaN, Infinity, 1e-320, "0.1", null]) {
        optimizer.lr = lr as number;
        expect(() => optimizer.step(named(w, b), gradientsOf(w, b, 1)), String(lr)).toThrow(
          expect.objectContaining({ name: "ConfigError", code: "BAD_LR" }),
        );
      }

      expect(w.toArray()).toEqual(before);
      optimizer.dispose();
    });
  });

  test("one tensor under two names: a lock of one would not hold under the other", () => {
    tidy(() => {
      const [w, b] = [leaf([4, 3], 1), leaf([4], 1)];
      const before = w.toArray();
      const optimizer = make();
      const locks = new Locks();
      const bits = new LockBits(w.shape);
      bits.lockRow(0, Bits.ones(3));
      locks.set("tied", bits);

      const step = (): void => optimizer.step([...named(w, b), ["tied", w]], gradientsOf(w, b, 1), locks);

      expect(step).toThrow(expect.objectContaining({ name: "ConfigError", code: "SAME_TENSOR" }));
      expect(step).toThrow(/^"w" and "tied" are one tensor, /);
      expect(w.toArray()).toEqual(before);
      optimizer.dispose();
    });
  });

  test("one parameter twice, and two tensors under one name", () => {
    tidy(() => {
      const [w, b] = [leaf([4, 3], 1), leaf([4], 1)];
      const optimizer = make();

      expect(() => optimizer.step([...named(w, b), ["w", w]], gradientsOf(w, b, 1))).toThrow(
        expect.objectContaining({
          code: "SAME_TENSOR",
          message: expect.stringMatching(/^"w" is given twice/),
        }),
      );
      const one = [
        ["w", w],
        ["w", b],
      ] as const;
      expect(() => optimizer.step(one, gradientsOf(w, b, 1))).toThrow(
        expect.objectContaining({ code: "DUPLICATE_NAME", message: expect.stringContaining('called "w"') }),
      );
      optimizer.dispose();
    });
  });
});

test("a name of a tensor that the loss does not depend on is nobody's second name", () => {
  tidy(() => {
    const [w, b, idle] = [leaf([4, 3], 1), leaf([4], 1), leaf([2], 1)];
    const before = idle.toArray();
    const optimizer = new Sgd({ lr: 0.1 });

    optimizer.step([...named(w, b), ["idle", idle], ["idle too", idle]], gradientsOf(w, b, 1));

    expect(idle.toArray()).toEqual(before);
  });
});

test("a common norm is not made of one tensor twice", () => {
  tidy(() => {
    const [w, b] = [leaf([4, 3], 1), leaf([4], 1)];
    const gradients = gradientsOf(w, b, 1);

    expect(() => clipGlobalNorm([...named(w, b), ["tied", w]], gradients, 1e-3)).toThrow(
      expect.objectContaining({ code: "SAME_TENSOR" }),
    );
    expect(gradients.pending(w), "nothing was scaled").toBeDefined();
  });
});
