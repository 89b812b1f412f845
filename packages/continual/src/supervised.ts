import {
  checkKeys,
  forward,
  Sgd,
  Tape,
  type OptionKeys,
  type Backend,
  type Network,
  type Parameters,
  type Tensor,
} from "@milliner/core";
import { crossEntropy } from "@milliner/core/operations";
import { evaluate } from "./evaluate.ts";
import type { Batch, Trainable } from "./fit.ts";
import type { Split } from "./task.ts";

/** What is trained by cross-entropy, and on what it is judged. */
export interface SupervisedOptions {
  readonly network: Network;
  /** All that the network reads. */
  readonly parameters: Parameters;
  /** Those that are trained; the others are not written. */
  readonly trained: Parameters;
  readonly validation: Split;
  readonly backend: Backend;
  /** Draws dropout. */
  readonly seed: number;
  /** Steps before the first of this task, so that no two tasks draw the same dropout. */
  readonly stepsBefore: number;
  /**
   * What lies before `network` and is not trained: it runs without a tape, and its output is what `network` reads. Default:
   * nothing.
   */
  readonly frozen?: Network;
  /** What the loss sees instead of the logits; for heads side by side. Default: the logits. */
  readonly mask?: (logits: Tensor, labels: Int32Array, tape?: Tape) => Tensor;
}

const supervisedKeys: OptionKeys<SupervisedOptions> = {
  network: true,
  parameters: true,
  trained: true,
  validation: true,
  backend: true,
  seed: true,
  stepsBefore: true,
  frozen: true,
  mask: true,
};

/** Plain supervised training for `fit`: mean cross-entropy of a batch, one step of SGD. */
export function supervised(options: SupervisedOptions): Trainable {
  checkKeys("supervised", options, supervisedKeys);
  const { network, parameters, trained, validation, backend, seed, stepsBefore, frozen } = options;
  const mask = options.mask ?? ((logits: Tensor) => logits);
  return {
    step({ images, labels, step, lr }: Batch): number {
      const training = { seed, step: stepsBefore + step };
      const tape = new Tape();
      const x = frozen === undefined ? images : forward(frozen, parameters, images, { training });
      const logits = forward(network, parameters, x, { tape, training });
      const loss = crossEntropy(mask(logits, labels, tape), labels, tape);
      if (!Number.isFinite(loss.item())) return loss.item(); // refused by fit, before anything is applied
      // Not `using`: where there is no Symbol.dispose (in a `node:vm` context of Node 20, as under Jest), it throws.
      const gradients = tape.backward(loss);
      try {
        new Sgd({ lr }).step(trained, gradients);
      } finally {
        gradients.dispose();
      }
      return loss.item();
    },
    validate() {
      return evaluate(validation, backend, (images, labels) => {
        const x = frozen === undefined ? images : forward(frozen, parameters, images);
        return mask(forward(network, parameters, x), labels);
      });
    },
    state: () => trained,
  };
}
