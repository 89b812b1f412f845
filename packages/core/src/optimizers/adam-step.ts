import type { Locks } from "../network/locks.ts";
import type { Gradients } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { safeBound } from "./check-finite.ts";
import { gradientNormBound, norm } from "./gradient-norm.ts";
import { checkLr } from "./hyperparameters.ts";
import type { ParameterState, ParameterStates } from "./parameter-state.ts";
import { takeSteps, type ParameterStep } from "./parameter-step.ts";
import { steppedParameters } from "./stepped-parameters.ts";

/** Names of Adam's state, as PyTorch's. */
export const adamStateNames: readonly string[] = ["exp_avg", "exp_avg_sq"];

/** What Adam and AdamW share, and how they decay weights. */
export interface AdamSettings {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Added to the gradient with the weight as factor: Adam. */
  readonly decay: number;
  /** Factor of the weight: AdamW. */
  readonly shrink: number;
}

// With squares of at most 2^120 and their sums, nothing in the mean of squares overflows.
const safeGradient = 2 ** 60;

/** A power with a whole exponent, by multiplications only: the same bits on every machine. */
function power(base: number, exponent: number): number {
  let [result, square] = [1, base];
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

// In the order of the kernel `adam`, for step number `steps` of a parameter, the first being 1.
function adamFactors({ lr, betas, eps, decay, shrink }: AdamSettings, steps: number): Float32Array {
  const [beta1, beta2] = betas;
  return Float32Array.of(
    lr / (1 - power(beta1, steps)),
    shrink,
    decay,
    1 - beta1,
    beta2,
    1 - beta2,
    1 / Math.sqrt(1 - power(beta2, steps)),
    eps,
  );
}

/** One step of Adam or AdamW for all parameters that have a gradient. */
export function takeAdamSteps(
  settings: AdamSettings,
  states: ParameterStates,
  parameters: Iterable<readonly [string, Tensor]>,
  gradients: Gradients,
  locks: Locks | undefined,
): void {
  checkLr(settings.lr); // it may have been changed since the optimizer was made
  const moved = steppedParameters(parameters, gradients).map(([name, leaf]) =>
    adamStep(settings, states.of(name, leaf), name, leaf, gradients),
  );
  takeSteps(
    moved.map(({ step }) => step),
    gradients,
    locks,
  );
  for (const { step, state, bound } of moved) {
    state.steps += 1;
    if (step.isSafe) state.bound = bound;
    else states.measure(state);
  }
}

function adamStep(
  settings: AdamSettings,
  state: ParameterState,
  name: string,
  leaf: Tensor,
  gradients: Gradients,
): { step: ParameterStep; state: ParameterState; bound: number } {
  const decayed = settings.decay === 0 ? 0 : settings.decay * norm(leaf);
  const gradient = gradientNormBound(gradients, leaf) + decayed;
  // Means lie between what they are means of; the margin of 2^-20 covers the roundings of one step.
  const bound = Math.max(state.bound, gradient) * (1 + 2 ** -20);
  const factors = adamFactors(settings, state.steps + 1);
  const { kernels } = leaf.backend;
  const step: ParameterStep = {
    name,
    leaf,
    state: state.tensors,
    stateNames: adamStateNames,
    isSafe:
      Number.isFinite(gradient) &&
      bound < safeGradient &&
      Math.abs(factors[1]!) <= 1 &&
      factors[0]! * (bound / factors[7]!) < safeBound,
    byGradient: ([w, mean, square], g, words, rows, columns) =>
      kernels.adam(w, g, mean!, square!, factors, words, rows, columns),
    byFactors: ([w, mean, square], dy, x, words, n, k, m) =>
      kernels.linearWeightAdam(dy, x, w, mean!, square!, factors, null, null, words, n, k, m),
  };
  return { step, state, bound };
}
