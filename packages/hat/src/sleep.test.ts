import fc from "fast-check";
import { describe, expect, inject, test, vi } from "vitest";
import {
  availableBackends,
  Bits,
  channelSpaces,
  concat,
  conv2d,
  dropout,
  extend,
  flatten,
  initialise,
  inputName,
  linear,
  Locks,
  maxPool2d,
  memoryUse,
  network,
  outputShape,
  relu,
  residual,
  sequential,
  Stream,
  tensor,
  tidy,
  UnitMasks,
  type Backend,
  type Network,
  type Tensor,
} from "@milliner/core";
import { run } from "@milliner/continual";
import { syntheticScenario } from "@milliner/continual/testing";
import { annealings, type Annealing } from "./annealing.ts";
import type { Compensation } from "./compensation.ts";
import { usedUnits } from "./cumulative.ts";
import { disposeEmbeddings, initialEmbeddings } from "./embeddings.ts";
import { Hat } from "./hat.ts";
import { protect, protections, type Protection } from "./protection.ts";
import { Sleep, type Part } from "./sleep.ts";
import { trainingStep } from "./training-step.ts";

const [sMax, rows, batches] = [400, 6, 8];

const bodies: Readonly<Record<string, Network>> = {
  mlp: network([12], dropout(0.2), linear(70), relu(), dropout(0.5), linear(53), relu(), dropout(0.5)),
  convolutional: network(
    [6, 6, 2],
    conv2d(37, 3, { padding: 1 }),
    relu(),
    dropout(0.2),
    maxPool2d(2),
    conv2d(20, 2),
    relu(),
    flatten(),
    dropout(0.3),
    linear(40),
    relu(),
  ),
  branched: network(
    [9],
    linear(34),
    residual(sequential(linear(60), relu(), dropout(0.4), linear(34))),
    relu(),
    concat(sequential(linear(21), relu()), sequential(linear(18), relu())),
    linear(33),
    relu(),
  ),
};

interface Case {
  readonly body: Network;
  readonly annealing: Annealing;
  readonly compensation: Compensation;
  readonly protection: Protection;
  readonly earlierTasks: number;
  readonly seed: number;
}

const cases = fc.record({
  body: fc.constantFrom(...Object.values(bodies)),
  annealing: fc.constantFrom(...annealings),
  compensation: fc.constantFrom<Compensation>("windowed", "official", "straight", "off"),
  protection: fc.constantFrom(...protections),
  earlierTasks: fc.integer({ min: 0, max: 2 }),
  seed: fc.nat(1e6),
});

// Two epochs of a task, and every bit that they leave: losses, parameters, embeddings.
function trained(
  backend: Backend,
  { body, seed, earlierTasks, ...options }: Case,
  sleep: Sleep | undefined,
): number[] {
  const whole = extend(body, linear(3, { name: "head" }));
  const spaces = channelSpaces(body).spaces.filter(({ name }) => name !== inputName);
  const masks = new UnitMasks(spaces);
  for (let task = 0; task < earlierTasks; task++) {
    const random = (name: string, units: number): Float32Array =>
      new Stream(seed, `${task}/${name}`).uniform(units, 0, 1);
    masks.set(
      task,
      new Map(
        spaces.map(({ name, units }) => {
          const draws = random(name, units);
          return [name, Bits.from(units, (i) => draws[i]! < 0.3)];
        }),
      ),
    );
  }
  const parameters = initialise(whole, { backend, seed });
  const embeddings = initialEmbeddings(spaces, earlierTasks, { seed, backend });
  const locks = earlierTasks === 0 ? new Locks() : protect(body, masks, options.protection);
  const model = { network: whole, parameters, embeddings, used: usedUnits(masks), locks, sleep };
  const losses: number[] = [];
  for (let step = 0; step < 2 * batches; step++) {
    const pixels = new Stream(seed, "images").uniform(
      rows * whole.inputShape.reduce((a, b) => a * b),
      -1,
      1,
      step,
    );
    tidy(() => {
      const images = tensor(pixels, [rows, ...whole.inputShape], { backend });
      const labels = Int32Array.from({ length: rows }, (_, i) => i % 3);
      const at = { batch: step % batches, batches, sample: 0, samples: rows * batches, step, lr: 0.1 };
      losses.push(trainingStep(model, { images, labels, ...at }, { ...options, sMax, c: 0.75, seed, step }));
    });
  }
  sleep?.wake();
  const bits = [...parameters.values(), ...embeddings.values()].flatMap(({ data }) => [
    ...new Uint32Array(data.slice().buffer),
  ]);
  for (const one of parameters.values()) one.dispose();
  disposeEmbeddings(embeddings);
  return [...losses, ...bits];
}

describe.each(availableBackends())("on the backend $name", (backend) => {
  test("leaving out units that sleep changes no bit, whatever the network, the slope, the rule and the locks", () => {
    fc.assert(
      fc.property(cases, (one) => {
        expect(trained(backend, one, new Sleep())).toEqual(trained(backend, one, undefined));
      }),
      { numRuns: (backend.name === "reference" ? 6 : 40) * inject("soak") },
    );
  });
});

const [{ backend }] = [{ backend: availableBackends()[0]! }];

interface Scene {
  readonly network: Network;
  readonly parameters: Map<string, Tensor>;
  readonly gatesAt: (s: number) => Map<string, Tensor>;
}

// Gates of which half are 0 from s = 50 on: e = -1 and 1 in turns, in runs of 32 so that nothing is widened.
function scene(): Scene {
  const body = network([8], linear(64), relu(), linear(128), relu());
  const parameters = initialise(body, { backend, seed: 1 });
  const gatesAt = (s: number): Map<string, Tensor> =>
    new Map(
      ["fc1", "fc2"].map((name) => {
        const units = name === "fc1" ? 64 : 128;
        const awake = (i: number): boolean => s < 50 || i % 64 < 32;
        return [
          name,
          tensor(
            Float32Array.from({ length: units }, (_, i) => (awake(i) ? 1 : 0)),
            [units],
            { backend },
          ),
        ];
      }),
    );
  return { network: body, parameters, gatesAt };
}

test("units that sleep are neither read nor written: their weights may be anything", () =>
  tidy(() => {
    const { network: body, parameters, gatesAt } = scene();
    const asleep = parameters.get("fc1.weight")!.data.subarray(32 * 8);
    asleep.fill(NaN);
    const before = asleep.slice();
    const sleep = new Sleep();

    const part = sleep.awake({ network: body, parameters, locks: new Locks() }, gatesAt(400), 1000);
    const weights = part.parameters.get("fc1.weight")!;
    weights.data.fill(5);
    sleep.wake();

    expect(weights.shape).toEqual([32, 8]);
    expect(outputShape(part.network)).toEqual([64]);
    expect(part.numbers?.size).toBe(0);
    expect(
      parameters
        .get("fc1.weight")!
        .data.subarray(0, 32 * 8)
        .every((w) => w === 5),
    ).toBe(true);
    expect(asleep).toEqual(before);
    for (const one of parameters.values()) one.dispose();
  }));

test("a plan is made when the work on sleepers has cost as much as it will, and dropped when one of them wakes", () =>
  tidy(() => {
    const { network: body, parameters, gatesAt } = scene();
    const model = { network: body, parameters, locks: new Locks() };
    const sleep = new Sleep();
    const widths = (gates: Map<string, Tensor>): number =>
      sleep.awake(model, gates, 4).parameters.get("fc2.weight")!.shape[1]!;

    const asleep = Array.from({ length: 40 }, () => widths(gatesAt(400)));

    const first = asleep.indexOf(32);
    expect(first).toBeGreaterThan(0);
    expect(asleep.slice(first).every((width) => width === 32)).toBe(true);
    expect(widths(gatesAt(1))).toBe(64);
    sleep.dispose();
    for (const one of parameters.values()) one.dispose();
  }));

test("HAT learns the same with and without sleep, and holds no memory of it", async () => {
  const awake = vi.spyOn(Sleep.prototype, "awake");
  const scenario = syntheticScenario();
  const body = network(
    [4, 4, 1],
    flatten(),
    dropout(0.1),
    linear(96),
    relu(),
    dropout(0.3),
    linear(64),
    relu(),
  );
  const schedule = { epochs: 3, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 2, lrMin: 1e-4 };
  const buffers = memoryUse().buffers;
  const results = [];
  for (const sleep of [true, false]) {
    const learner = new Hat({ body, backend, seed: 3, schedule, c: 0.5, sleep });
    awake.mockClear();
    const result = await run(scenario, learner, { seed: 3, backend });
    const parts = awake.mock.results.map(({ value }) => value as Part);
    expect(parts.some(({ numbers }) => numbers !== undefined)).toBe(sleep);
    results.push([result.lockedHash, result.matrix, result.bitExactOldLogits]);
    learner.dispose();
  }

  expect(results[0]).toEqual(results[1]);
  expect(memoryUse().buffers).toBe(buffers);
  awake.mockRestore();
});
