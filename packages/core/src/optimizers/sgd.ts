import { ConfigError } from "../errors.ts";
import type { Locks } from "../network/locks.ts";
import { checkKeys } from "../option-keys.ts";
import type { Gradients } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { checkFinite, safeBound } from "./check-finite.ts";
import { gradientNormBound, norm } from "./gradient-norm.ts";
import { checkLr, checkMomentum, checkWeightDecay } from "./hyperparameters.ts";
import type { Optimizer, OptimizerState } from "./optimizer.ts";
import { ParameterStates, type ParameterState } from "./parameter-state.ts";
import { takeSteps, type ParameterStep } from "./parameter-step.ts";
import { steppedParameters } from "./stepped-parameters.ts";

/** Settings of `Sgd`, with PyTorch's names and defaults. */
export interface SgdOptions {
  /** Learning rate, > 0. */
  readonly lr: number;
  /** Share of the velocity that is kept, >= 0. Default 0: plain SGD, without state. */
  readonly momentum?: number;
  /** Steps along the velocity of the next step (needs momentum). Default false. */
  readonly nesterov?: boolean;
  /** Factor of the weight that is added to its gradient, >= 0. Default 0. */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent, with momentum and weight decay as in PyTorch (`torch.optim.SGD` with dampening 0):
 *
 *     g = g + weightDecay w
 *     v = momentum v + g
 *     w = w - lr v            nesterov: w - lr (g + momentum v)
 *
 * Each product with its sum is one fused multiply-add; plain SGD is one per element. Pending gradients of linear layers, and
 * with plain SGD of convolutions, are applied inside the product's tiles. Of locked elements neither the weight nor its velocity is written.
 */
export class Sgd implements Optimizer {
  lr: number;
  readonly #momentum: number;
  readonly #nesterov: boolean;
  readonly #weightDecay: number;
  readonly #states: ParameterStates;

  /** @throws ConfigError when a setting is outside its range */
  constructor(options: SgdOptions) {
    checkKeys("Sgd", options, { lr: true, momentum: true, nesterov: "switch", weightDecay: true });
    const { lr, momentum = 0, nesterov = false, weightDecay = 0 } = options;
    checkLr(lr);
    checkWeightDecay(weightDecay);
    checkMomentum(momentum);
    if (nesterov && momentum === 0) {
      throw new ConfigError("BAD_MOMENTUM", `nesterov needs a momentum above 0, such as 0.9`);
    }
    this.lr = lr;
    this.#momentum = momentum;
    this.#nesterov = nesterov;
    this.#weightDecay = weightDecay;
    this.#states = new ParameterStates(momentum > 0 ? ["momentum_buffer"] : []);
  }

  step(parameters: Iterable<readonly [string, Tensor]>, gradients: Gradients, locks?: Locks): void {
    checkLr(this.lr); // it may have been changed since
    const list = steppedParameters(parameters, gradients);
    if (this.#momentum === 0 && this.#weightDecay === 0) {
      checkFinite(list, gradients, this.lr, locks);
      takeSteps(
        list.map(([name, leaf]) => plainStep(name, leaf, this.lr)),
        gradients,
        locks,
      );
      return;
    }
    const moved = list.map(([name, leaf]) => this.#movedStep(name, leaf, gradients));
    takeSteps(
      moved.map(({ step }) => step),
      gradients,
      locks,
    );
    for (const { step, state, bound } of moved) {
      if (state === undefined) continue;
      state.steps += 1;
      if (step.isSafe) state.bound = bound;
      else this.#states.measure(state);
    }
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

  #movedStep(
    name: string,
    leaf: Tensor,
    gradients: Gradients,
  ): { step: ParameterStep; state: ParameterState | undefined; bound: number } {
    const state = this.#momentum > 0 ? this.#states.of(name, leaf) : undefined;
    const decayed = this.#weightDecay === 0 ? 0 : this.#weightDecay * norm(leaf);
    const gradient = gradientNormBound(gradients, leaf) + decayed;
    // The margin of 2^-20 covers the roundings of one step.
    const bound = (this.#momentum * (state?.bound ?? 0) + gradient) * (1 + 2 ** -20);
    const along = this.#nesterov ? this.#momentum * bound + gradient : bound;
    const factors = Float32Array.of(this.lr, this.#momentum, this.#weightDecay);
    const { kernels } = leaf.backend;
    const nesterov = this.#nesterov;
    const step: ParameterStep = {
      name,
      leaf,
      state: state?.tensors ?? [],
      stateNames: ["momentum_buffer"],
      isSafe: bound < safeBound && along < safeBound && this.lr * along < safeBound,
      byGradient: ([w, velocity = null], g, words, rows, columns) =>
        kernels.momentum(w, g, velocity, factors, nesterov, words, rows, columns),
      byFactors: ([w, velocity = null], dy, x, words, n, k, m) =>
        kernels.linearWeightMomentum(dy, x, w, velocity, factors, nesterov, null, null, words, n, k, m),
    };
    return { step, state, bound };
  }
}

// The caller has shown that it is safe.
function plainStep(name: string, leaf: Tensor, lr: number): ParameterStep {
  const { kernels } = leaf.backend;
  return {
    name,
    leaf,
    state: [],
    stateNames: [],
    isSafe: true,
    byGradient: ([w], g, words, rows, columns) => kernels.sgd(w, g, lr, words, rows, columns),
    byFactors: ([w], dy, x, words, n, k, m) =>
      kernels.linearWeightUpdate(dy, x, w, lr, null, null, words, n, k, m),
    byConvolution: ([w], dy, x, words, geometry) => kernels.conv2dWeightUpdate(dy, x, w, lr, words, geometry),
  };
}
