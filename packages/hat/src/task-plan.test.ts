import fc from "fast-check";
import { expect, inject, test } from "vitest";
import {
  availableBackends,
  channelSpaces,
  conv2d,
  extend,
  flatten,
  forward,
  initialise,
  inputName,
  linear,
  maxPool2d,
  memoryUse,
  network,
  relu,
  Sgd,
  Stream,
  Tape,
  tensor,
  tidy,
  type Network,
  type Tensor,
} from "@milliner/core";
import { crossEntropy } from "@milliner/core/operations";
import { TaskPlan } from "./task-plan.ts";

const [backend] = availableBackends();
if (backend === undefined) throw new Error("no backend");

const bodies: Readonly<Record<string, Network>> = {
  mlp: network([12], linear(70), relu(), linear(53), relu()),
  convolutional: network(
    [6, 6, 2],
    conv2d(37, 3, { padding: 1 }),
    relu(),
    maxPool2d(2),
    flatten(),
    linear(40),
    relu(),
  ),
};

/** Gates of all spaces of a body, about as many of them open as `open` says. */
function drawnGates(body: Network, seed: number, open: number): Map<string, Tensor> {
  return new Map(
    channelSpaces(body)
      .spaces.filter(({ name }) => name !== inputName)
      .map(({ name, units }) => {
        const draws = new Stream(seed, name).uniform(units, 0, 1);
        return [
          name,
          tensor(
            draws.map((draw) => (draw < open ? draw : 0)),
            [units],
            { backend: backend! },
          ),
        ];
      }),
  );
}

function drawnImages(shape: readonly number[], n: number, seed: number): Tensor {
  const count = n * shape.reduce((product, side) => product * side, 1);
  return tensor(new Stream(seed, "images").uniform(count, -1, 1), [n, ...shape], { backend: backend! });
}

test("whatever changes between the batches, the logits are those of the masked network, bit for bit", () => {
  const change = fc.constantFrom("nothing", "sgd", "write", "replace", "gates", "network");
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(bodies)),
      fc.nat(1e6),
      fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10),
      fc.array(fc.tuple(change, fc.integer({ min: 1, max: 200 })), { minLength: 2, maxLength: 8 }),
      (name, seed, open, batches) => {
        const plan = new TaskPlan();
        tidy(() => {
          const body = bodies[name]!;
          const head = extend(body, linear(3, { name: "head" }));
          // The second reads the same parameters.
          const heads = [head, extend(head, relu())];
          const parameters = new Map(initialise(head, { backend: backend!, seed }));
          let [whole, gates] = [heads[0]!, drawnGates(body, seed, open)];
          batches.forEach(([what, n], i) => {
            const images = drawnImages(whole.inputShape, n, seed + i);
            if (what === "sgd") {
              const tape = new Tape();
              const loss = crossEntropy(
                forward(whole, parameters, images, { tape, gates }),
                new Int32Array(n),
                tape,
              );
              using gradients = tape.backward(loss);
              new Sgd({ lr: 0.1 }).step(parameters, gradients);
            }
            const [first] = parameters.keys();
            const weight = parameters.get(first!)!;
            if (what === "write") {
              weight.data[0] = i + 2;
              weight.written();
            }
            if (what === "replace")
              parameters.set(first!, tensor(weight.data.map(Math.cos), weight.shape, { backend: backend! }));
            if (what === "gates") gates = drawnGates(body, seed + i + 1, open);
            if (what === "network") whole = heads[i % 2]!;

            const logits = plan.logits(whole, parameters, images, gates);

            expect(logits.toArray()).toEqual(forward(whole, parameters, images, { gates }).toArray());
          });
          for (const one of parameters.values()) one.dispose();
        });
        plan.dispose();
      },
    ),
    { numRuns: 60 * inject("soak") },
  );
});

test("a plan is made when it has paid, serves later batches, and is freed", () => {
  const body = bodies["mlp"]!;
  const whole = extend(body, linear(3, { name: "head" }));
  const parameters = initialise(whole, { backend: backend!, seed: 1 });
  const before = memoryUse().buffers;
  const plan = new TaskPlan();
  const use = (n: number): number => {
    tidy(() => void plan.logits(whole, parameters, drawnImages([12], n, 1), drawnGates(body, 1, 0.3)).data);
    return memoryUse().buffers - before;
  };

  expect(use(1)).toBe(0);
  expect(use(500)).toBe(6); // weight and bias of three layers
  expect(use(1)).toBe(6);
  parameters.get("fc1.weight")!.written();
  expect(use(1)).toBe(0);

  expect(use(500)).toBeGreaterThan(0);
  plan.dispose();
  expect(memoryUse().buffers).toBe(before);
  for (const one of parameters.values()) one.dispose();
});
