import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { NumericError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { forward } from "../network/forward.ts";
import { conv2d, flatten, linear, maxPool2d, network, relu, type Network } from "../network/network.ts";
import { initialise } from "../network/parameters.ts";
import { crossEntropy } from "../operations/loss.ts";
import { Stream } from "../philox.ts";
import { Tape } from "../tape.ts";
import { tensor } from "../tensor.ts";
import { Adam } from "./adam.ts";
import { AdamW } from "./adamw.ts";
import type { Optimizer } from "./optimizer.ts";
import { Sgd } from "./sgd.ts";

const shape = [5, 5, 1] as const;
const networks: Readonly<Record<string, Network>> = {
  "a pooled convolution": network(shape, conv2d(3, 2), relu(), maxPool2d(2), flatten(), linear(2)),
  "a convolution of two": network(shape, conv2d(30, 2), relu(), conv2d(4, 2), relu(), flatten(), linear(2)),
  "an MLP": network(shape, flatten(), linear(60), relu(), linear(50), relu(), linear(2)),
};
const optimizers: Readonly<Record<string, () => Optimizer>> = {
  Sgd: () => new Sgd({ lr: 0.1 }),
  "Sgd with momentum": () => new Sgd({ lr: 0.1, momentum: 0.9 }),
  Adam: () => new Adam({ lr: 0.01 }),
  AdamW: () => new AdamW({ lr: 0.01, weightDecay: 0.1 }),
};

describe.each(availableBackends())("on $name", (backend) => {
  test.each(
    Object.entries(networks).flatMap(([name, body]) =>
      Object.entries(optimizers).map(([optimizer, make]) => ({ name, body, optimizer, make })),
    ),
  )(
    "$optimizer refuses by name to step $name by an image with one pixel that is no number, and writes nothing",
    ({ body, make }) => {
      for (const images of [4, 40]) {
        for (const bad of [NaN, Infinity]) {
          tidy(() => {
            const parameters = initialise(body, { backend, seed: 1 });
            const optimizer = make();
            const step = (x: Float32Array): void => {
              const tape = new Tape();
              const labels = Int32Array.from({ length: images }, (_, i) => i % 2);
              const logits = forward(body, parameters, tensor(x, [images, ...shape], { backend }), { tape });
              optimizer.step(parameters, tape.backward(crossEntropy(logits, labels, tape)));
            };
            const x = new Stream(2, "x").uniform(images * 25, -1, 1);
            step(x);
            const before = new Map([...parameters].map(([name, leaf]) => [name, leaf.toArray()]));
            const state = (): unknown =>
              [...optimizer.state().arrays].map(([name, array]) => [name, array.data.slice()]);
            const stateBefore = state();
            x[images * 25 - 13] = bad; // the middle of the last image

            expect(() => step(x)).toThrow(
              expect.objectContaining({
                code: "NON_FINITE_GRADIENT",
                message: expect.stringMatching(/"(conv1|fc1|linear1)\.(weight|bias)"/),
              }),
            );
            expect(() => step(x)).toThrow(NumericError);

            for (const [name, leaf] of parameters) expect(leaf.toArray()).toEqual(before.get(name));
            expect(state()).toEqual(stateBefore);
            optimizer.dispose();
          });
        }
      }
    },
  );

  test.each(Object.entries(optimizers))(
    "%s writes nothing whichever of many parameters has a gradient that is no number",
    (_, make) => {
      // 18 parameters: more than one sum of squares takes at a time.
      const deep = network([2], ...Array.from({ length: 9 }, () => linear(2)));
      const parameters = initialise(deep, { backend, seed: 1 });
      const optimizer = make();
      for (const bad of [undefined, ...parameters.keys()]) {
        tidy(() => {
          const tape = new Tape();
          const x = tensor([1, 2, 3, 4], [2, 2], { backend });
          const loss = crossEntropy(forward(deep, parameters, x, { tape }), Int32Array.of(0, 1), tape);
          const gradients = tape.backward(loss);
          if (bad !== undefined) gradients.get(parameters.get(bad)!)!.data.fill(NaN, 1);
          const before = [...parameters.values()].map((leaf) => leaf.toArray());
          const step = (): void => optimizer.step(parameters, gradients);

          if (bad === undefined) return step(); // so that there is a state to be written
          expect(step).toThrow(
            expect.objectContaining({
              code: "NON_FINITE_GRADIENT",
              message: expect.stringContaining(`"${bad}"`),
            }),
          );
          expect([...parameters.values()].map((leaf) => leaf.toArray())).toEqual(before);
        });
      }
      optimizer.dispose();
      for (const leaf of parameters.values()) leaf.dispose();
    },
  );
});
