import type { Locks } from "../network/locks.ts";
import { checkKeys } from "../option-keys.ts";
import type { Gradients } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { adamStateNames, takeAdamSteps } from "./adam-step.ts";
import { checkBetas, checkEps, checkLr, checkWeightDecay } from "./hyperparameters.ts";
import type { Optimizer, OptimizerState } from "./optimizer.ts";
import { ParameterStates } from "./parameter-state.ts";

/** Settings of `AdamW`, with PyTorch's names and defaults. */
export interface AdamWOptions {
  /** Learning rate, > 0. PyTorch's default is 1e-3. */
  readonly lr: number;
  /** Shares of the mean of gradients and of the mean of their squares that are kept, each in [0, 1). Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the mean of squares, > 0. Default 1e-8. */
  readonly eps?: number;
  /** Share of the weight that a step of lr 1 takes away, >= 0. Default 0.01. */
  readonly weightDecay?: number;
}

/**
 * AdamW, as in PyTorch (`torch.optim.AdamW`): Adam with a weight decay that does not pass through the means. t counts the
 * steps of a parameter.
 *
 *     m = beta1 m + (1 - beta1) g
 *     v = beta2 v + (1 - beta2) g^2
 *     w = (1 - lr weightDecay) w - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
 *
 * Pending gradients of linear layers are applied inside the product's tiles. Of locked elements neither the weight nor its
 * means are written. Source: Loshchilov and Hutter 2019, algorithm 2.
 */
export class AdamW implements Optimizer {
  lr: number;
  readonly #betas: readonly [number, number];
  readonly #eps: number;
  readonly #weightDecay: number;
  readonly #states = new ParameterStates(adamStateNames);

  /** @throws ConfigError when a setting is outside its range */
  constructor(options: AdamWOptions) {
    checkKeys("AdamW", options, { lr: true, betas: true, eps: true, weightDecay: true });
    const { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 } = options;
    checkLr(lr);
    checkBetas(betas);
    checkEps(eps);
    checkWeightDecay(weightDecay);
    this.lr = lr;
    this.#betas = betas;
    this.#eps = eps;
    this.#weightDecay = weightDecay;
  }

  step(parameters: Iterable<readonly [string, Tensor]>, gradients: Gradients, locks?: Locks): void {
    const settings = {
      lr: this.lr,
      betas: this.#betas,
      eps: this.#eps,
      decay: 0,
      shrink: 1 - this.lr * this.#weightDecay,
    };
    takeAdamSteps(settings, this.#states, parameters, gradients, locks);
  }

  state(): OptimizerState {
    return this.#states.state();
  }

  load(state: OptimizerState): void {
    this.#states.load(state);
  }

  dispose(): void {
    this.#states.dispose();
  }
}
