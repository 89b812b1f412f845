import fc from "fast-check";
import { expect, inject, test } from "vitest";
import {
  Bits,
  channelSpaces,
  conv2d,
  elements,
  flatten,
  forward,
  initialise,
  inputName,
  linear,
  maxPool2d,
  network,
  parameterSpecs,
  relu,
  selectBackend,
  Stream,
  tensor,
  tidy,
  UnitMasks,
  type Network,
} from "@milliner/core";
import { randomNetwork } from "@milliner/core/testing";
import { hardGates } from "./gates.ts";
import { protect, taskElements, type Protection } from "./protection.ts";

const backend = selectBackend();

const bodies: readonly Network[] = [
  network([7], linear(9), relu(), linear(11), relu()),
  network([6, 6, 2], conv2d(5, 3), relu(), maxPool2d(2), flatten(), linear(8), relu()),
];

interface Case {
  readonly body: Network;
  readonly masks: UnitMasks;
  readonly seed: number;
}

function randomCase(body: Network, tasks: number, density: number, seed: number): Case {
  const spaces = channelSpaces(body).spaces.filter(({ name }) => name !== inputName);
  const masks = new UnitMasks(spaces);
  for (let task = 0; task < tasks; task++) {
    const bits = spaces.map(({ name, units }) => {
      const draws = new Stream(seed, `${name}/${task}`).uniform(units, 0, 1);
      return [name, Bits.from(units, (i) => i === task % units || draws[i]! < density)] as const;
    });
    masks.set(task, new Map(bits));
  }
  return { body, masks, seed };
}

const casesOf = (body: fc.Arbitrary<Network>): fc.Arbitrary<Case> =>
  fc
    .record({
      body,
      tasks: fc.integer({ min: 1, max: 4 }),
      density: fc.double({ min: 0.1, max: 0.6, noNaN: true }),
      seed: fc.nat(1e6),
    })
    .map((drawn) => randomCase(drawn.body, drawn.tasks, drawn.density, drawn.seed));
const cases = casesOf(fc.constantFrom(...bodies));
const anyCase = casesOf(fc.noShrink(fc.nat(1e9)).map((seed) => randomNetwork(seed)));
const rules = fc.constantFrom<Protection[]>("min", "tight");

// By hand and by element, from the masks alone: which unit an element's row and column belong to, written out per layer.
function bruteForceCount({ body, masks }: Case, rule: Protection): number {
  const convolutional = body.nodes.some(({ layer }) => layer.kind === "conv2d");
  const columnUnit: Record<string, (column: number) => [string, number] | undefined> = convolutional
    ? { "conv1.weight": () => undefined, "fc1.weight": (c) => ["conv1", c % 5] }
    : { "fc1.weight": () => undefined, "fc2.weight": (c) => ["fc1", c] };
  const on = (task: number, space: string, unit: number): boolean => masks.get(task).get(space)!.get(unit);
  let count = 0;
  for (const spec of parameterSpecs(body)) {
    const space = spec.node.name;
    const columns = elements(spec.shape.slice(1));
    for (let i = 0; i < spec.shape[0]!; i++) {
      for (let j = 0; j < columns; j++) {
        const pre = columnUnit[spec.name]?.(j);
        const post = masks.tasks.map((task) => on(task, space, i));
        const before = masks.tasks.map((task) => pre === undefined || on(task, ...pre));
        const locked =
          rule === "min"
            ? post.includes(true) && before.includes(true)
            : post.some((used, t) => used && before[t]!);
        if (locked) count += 1;
      }
    }
  }
  return count;
}

test("equation (C): the number of locked elements is that of a brute-force count from the masks, and some are free", () => {
  fc.assert(
    fc.property(cases, rules, (given, rule) => {
      const locks = protect(given.body, given.masks, rule);

      expect(locks.count()).toBe(bruteForceCount(given, rule));
      expect(locks.count()).toBeLessThan(
        parameterSpecs(given.body).reduce((sum, spec) => sum + elements(spec.shape), 0) + 1,
      );
    }),
  );
});

test("sparse masks leave elements free", () => {
  const given = randomCase(bodies[0]!, 2, 0.2, 1);
  const all = parameterSpecs(given.body).reduce((sum, spec) => sum + elements(spec.shape), 0);

  for (const rule of ["min", "tight"] as const)
    expect(protect(given.body, given.masks, rule).count()).toBeLessThan(all);
});

test("tight locks are the union of the tasks' elements, and a subset of those of min", () => {
  fc.assert(
    fc.property(cases, ({ body, masks }) => {
      const tight = protect(body, masks, "tight");
      const min = protect(body, masks, "min");
      const each = masks.tasks.map((task) => taskElements(body, masks.get(task)));

      for (const { name } of parameterSpecs(body)) {
        const words = tight.get(name)!.words;
        words.forEach((word, w) => {
          expect(word).toBe(each.reduce((union, locks) => union | locks.get(name)!.words[w]!, 0) >>> 0);
          expect(word & ~min.get(name)!.words[w]!).toBe(0);
        });
      }
    }),
  );
});

function outputs(
  given: Case,
  parameters: ReturnType<typeof initialise>,
  images: Float32Array,
): Float32Array[] {
  const { body, masks } = given;
  return masks.tasks.map((task) =>
    tidy(() => {
      const x = tensor(images, [4, ...body.inputShape], { backend });
      return forward(body, parameters, x, { gates: hardGates(masks.get(task), backend) }).toArray();
    }),
  );
}

test("perturbing every free weight of any network leaves all old outputs bit-identical, under both rules", () => {
  fc.assert(
    fc.property(anyCase, rules, (given, rule) => {
      const parameters = initialise(given.body, { backend, seed: given.seed });
      const images = new Stream(given.seed, "images").uniform(4 * elements(given.body.inputShape), -1, 1);
      const before = outputs(given, parameters, images);
      const locks = protect(given.body, given.masks, rule);

      for (const [name, t] of parameters) {
        const noise = new Stream(given.seed, `noise/${name}`).uniform(t.data.length, -1e3, 1e3);
        const bits = locks.get(name)!;
        noise.forEach((value, i) => {
          if (!bits.isLocked(Math.floor(i / bits.columns), i % bits.columns)) t.data[i] = value;
        });
      }
      const after = outputs(given, parameters, images);

      before.forEach((values, task) =>
        values.forEach((value, i) => expect(Object.is(after[task]![i], value)).toBe(true)),
      );
      for (const t of parameters.values()) t.dispose();
    }),
    { numRuns: 300 * inject("soak") },
  );
});

test("perturbing any weight locked by tight, its input unit alive, changes some old task's pre-activation", () => {
  // No ReLU behind the first layer's units here, so that every unit in use is alive on the probe set.
  const body = network([5], linear(6), linear(7));
  fc.assert(
    fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 3 }), (seed, tasks) => {
      const given = randomCase(body, tasks, 0.4, seed);
      const parameters = initialise(body, { backend, seed });
      const images = new Stream(seed, "images").uniform(4 * 5, -1, 1);
      const before = outputs(given, parameters, images);
      const locks = protect(body, given.masks, "tight");
      const weight = parameters.get("fc2.weight")!;
      const bits = locks.get("fc2.weight")!;

      for (let i = 0; i < weight.data.length; i++) {
        if (!bits.isLocked(Math.floor(i / bits.columns), i % bits.columns)) continue;
        const old = weight.data[i]!;
        weight.data[i] = old + 1;
        const after = outputs(given, parameters, images);
        weight.data[i] = old;
        expect(
          after.some((values, task) => values.some((value, k) => !Object.is(value, before[task]![k]))),
        ).toBe(true);
      }
      for (const t of parameters.values()) t.dispose();
    }),
    { numRuns: 15 * inject("soak") },
  );
});
