import { expect, test } from "vitest";
import { availableBackends, initialise, linear, Locks, network, relu, tensor, tidy } from "@milliner/core";
import { disposeEmbeddings, initialEmbeddings } from "./embeddings.ts";
import { trainingStep } from "./training-step.ts";

test.each(availableBackends().map((backend) => [backend.name, backend] as const))(
  "a loss that is infinite while its gradients are not is returned, and nothing is written (%s)",
  (_, backend) => {
    const body = network([1], linear(1), relu(), linear(2, { name: "head" }));
    const parameters = initialise(body, { backend, seed: 1 });
    parameters.get("fc1.weight")!.data[0] = 1;
    parameters.get("fc1.bias")!.data[0] = 1;
    parameters.get("head.weight")!.data.set([0, 0]);
    // The wrong class wins by more than float32 holds: loss infinite, gradient (1, -1).
    parameters.get("head.bias")!.data.set([3e38, -3e38]);
    const embeddings = initialEmbeddings([{ name: "fc1", units: 1 }], 0, { seed: 1, backend });
    const contents = () => [...parameters.values(), ...embeddings.values()].map((one) => one.toArray());
    const before = contents();

    const loss = tidy(() => {
      const batch = {
        images: tensor([1], [1, 1], { backend }),
        labels: Int32Array.of(1),
        batch: 0,
        batches: 1,
        sample: 0,
        samples: 1,
        step: 0,
        lr: 0.1,
      };
      const options = {
        annealing: "linear",
        compensation: "windowed",
        sMax: 400,
        c: 0.75,
        seed: 1,
        step: 0,
      } as const;
      return trainingStep(
        { network: body, parameters, embeddings, used: new Map(), locks: new Locks() },
        batch,
        options,
      );
    });

    expect(loss).toBe(Infinity);
    expect(contents()).toEqual(before);
    for (const one of parameters.values()) one.dispose();
    disposeEmbeddings(embeddings);
  },
);
