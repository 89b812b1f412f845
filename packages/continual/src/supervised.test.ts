import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  availableBackends,
  dropout,
  flatten,
  initialise,
  linear,
  memoryUse,
  network,
  tensor,
  tidy,
  type Backend,
  type Parameters,
} from "@milliner/core";
import { readBatch } from "./batches.ts";
import type { Batch } from "./fit.ts";
import { supervised, type SupervisedOptions } from "./supervised.ts";
import type { Split } from "./task.ts";

const images = [
  [0.5, -1, 2],
  [1, 0.25, -0.5],
];
const labels = [1, 0];
const split: Split = {
  size: 2,
  shape: [1, 1, 3],
  labels: Int32Array.from(labels),
  read: (indices, into) => {
    for (let i = 0; i < indices.length; i++) into.set(images[indices[i]!]!, 3 * i);
  },
};
/** The whole split as one batch; inside a `tidy`. */
function batchOf(backend: Backend, change: Partial<Batch> = {}): Batch {
  const place = { batch: 0, batches: 1, sample: 0, samples: 2, step: 0, lr: 0.5 };
  return { ...readBatch(split, Uint32Array.of(0, 1), backend), ...place, ...change };
}

/** One step of softmax regression from the formula: W - lr mean_n (p - onehot) x, in double precision. */
function steppedByHand(weight: readonly number[], bias: readonly number[], lr: number): readonly number[][] {
  const [w, b] = [[...weight], [...bias]];
  images.forEach((x, n) => {
    const scores = bias.map((start, c) =>
      x.reduce((sum, value, k) => sum + value * weight[3 * c + k]!, start),
    );
    const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    scores.forEach((score, c) => {
      const d = (Math.exp(score) / total - (c === labels[n] ? 1 : 0)) / images.length;
      b[c]! -= lr * d;
      x.forEach((value, k) => (w[3 * c + k]! -= lr * d * value));
    });
  });
  return [w, b];
}

const contents = (parameters: Parameters): ReadonlyMap<string, readonly number[]> =>
  new Map([...parameters].map(([name, { data }]) => [name, [...data]]));

let buffersBefore: number;
beforeEach(() => {
  buffersBefore = memoryUse().buffers;
});
afterEach(() => {
  expect(memoryUse().buffers, "buffers left behind").toBe(buffersBefore);
});

describe.each(availableBackends())("on the backend $name", (backend) => {
  const one = network([1, 1, 3], flatten(), linear(2, { name: "head" }));
  const two = network([1, 1, 3], flatten(), linear(4, { name: "body" }), linear(2, { name: "head" }));

  /** Runs with fresh parameters, and frees them. */
  function trained(
    of: typeof one,
    options: Partial<SupervisedOptions>,
    body: (trainable: ReturnType<typeof supervised>, parameters: Parameters) => void,
  ): void {
    const parameters = initialise(of, { backend, seed: 1 });
    try {
      const rest = { validation: split, backend, seed: 1, stepsBefore: 0 };
      body(supervised({ network: of, parameters, trained: parameters, ...rest, ...options }), parameters);
    } finally {
      for (const parameter of parameters.values()) parameter.dispose();
    }
  }

  test("a step moves weights against the gradient of the mean cross-entropy, by lr", () => {
    trained(one, {}, (trainable, parameters) => {
      const { data: weight } = parameters.get("head.weight")!;
      const { data: bias } = parameters.get("head.bias")!;
      const [expectedWeight, expectedBias] = steppedByHand([...weight], [...bias], 0.5);

      tidy(() => trainable.step(batchOf(backend)));

      weight.forEach((value, i) => expect(value).toBeCloseTo(expectedWeight![i]!, 6)); // float32
      bias.forEach((value, i) => expect(value).toBeCloseTo(expectedBias![i]!, 6));
    });
  });

  test("a step says the loss before it, as validation of the same images does", () => {
    trained(one, {}, (trainable) => {
      const { loss } = trainable.validate();

      expect(tidy(() => trainable.step(batchOf(backend)))).toBeCloseTo(loss, 6);
      expect(trainable.validate().loss).toBeLessThan(loss);
    });
  });

  test("only what is trained is written, and is the state that the schedule keeps", () => {
    const parameters = initialise(two, { backend, seed: 1 });
    const head = new Map([...parameters].filter(([name]) => name.startsWith("head.")));
    trained(two, { parameters, trained: head }, (trainable) => {
      const before = contents(parameters);
      tidy(() => trainable.step(batchOf(backend)));
      const after = contents(parameters);

      expect(after.get("body.weight")).toEqual(before.get("body.weight"));
      expect(after.get("body.bias")).toEqual(before.get("body.bias"));
      expect(after.get("head.weight")).not.toEqual(before.get("head.weight"));
      expect([...trainable.state().keys()]).toEqual(["head.weight", "head.bias"]);
    });
    for (const parameter of parameters.values()) parameter.dispose();
  });

  test("a loss that is not finite is returned, and its step not applied", () => {
    trained(one, {}, (trainable, parameters) => {
      parameters.get("head.weight")!.data.fill(3e38);
      const before = contents(parameters);

      expect(tidy(() => trainable.step(batchOf(backend)))).not.toSatisfy(Number.isFinite);
      expect(contents(parameters)).toEqual(before);
    });
  });

  test("dropout counts on from the steps of earlier tasks: step s of this is step s + stepsBefore of all", () => {
    const dropped = network([1, 1, 3], flatten(), dropout(0.5), linear(2, { name: "head" }));
    const loss = (stepsBefore: number, step: number): number => {
      let value = NaN;
      trained(dropped, { stepsBefore }, (trainable) => {
        value = tidy(() => trainable.step(batchOf(backend, { step })));
      });
      return value;
    };
    const losses = Array.from({ length: 12 }, (_, step) => loss(0, step));

    expect(Array.from({ length: 8 }, (_, step) => loss(4, step))).toEqual(losses.slice(4));
    expect(new Set(losses).size, "or dropout does nothing here").toBeGreaterThan(3);
  });

  test("a mask stands between the logits and both losses", () => {
    const even: SupervisedOptions["mask"] = (logits) =>
      tensor(new Float32Array(4), logits.shape, { backend });
    trained(one, { mask: even }, (trainable) => {
      expect(trainable.validate().loss).toBeCloseTo(Math.log(2), 6);
    });
  });
});
