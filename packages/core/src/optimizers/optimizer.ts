import type { Locks } from "../network/locks.ts";
import type { Gradients } from "../tape.ts";
import type { Shape, Tensor } from "../tensor.ts";

/** One array of an optimizer's state; a tensor is one, and so is a float32 array of a safetensors file. */
export interface OptimizerStateArray {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** What an optimizer remembers between steps: all that a checkpoint must keep to go on with the same bits. */
export interface OptimizerState {
  /** Steps that each parameter has taken, by its name. */
  readonly steps: Readonly<Record<string, number>>;
  /** State by `<parameter>.<name>`, with PyTorch's names: `momentum_buffer`; `exp_avg` and `exp_avg_sq`. */
  readonly arrays: ReadonlyMap<string, OptimizerStateArray>;
}

/**
 * Changes parameters by their gradients. An optimizer knows parameters by name and owns what it remembers of each: `dispose`
 * frees it.
 */
export interface Optimizer {
  /** Learning rate, > 0; may be changed between steps, and is checked in each. */
  lr: number;
  /**
   * One step for the given parameters; those that the loss does not depend on stay as they are. Of a locked element neither
   * the weight nor its state is written: no decay, no momentum.
   * @throws ConfigError (`BAD_LR`) when `lr` has become no learning rate; (`SAME_TENSOR`, `DUPLICATE_NAME`) when one tensor is given
   *   twice, or one name
   * @throws NumericError when a gradient, a stepped parameter or its state is not finite; nothing has been changed then
   */
  step(parameters: Iterable<readonly [string, Tensor]>, gradients: Gradients, locks?: Locks): void;
  /** What it remembers, without a copy: valid until the next `step`, `load` or `dispose`. */
  state(): OptimizerState;
  /**
   * Takes a copy of `state` in place of what it remembers; each array goes to the backend of its parameter in the next step.
   * @throws CheckpointError (`BAD_OPTIMIZER_STATE`) when it is not the state of this kind of optimizer; nothing has changed
   */
  load(state: OptimizerState): void;
  /** Frees what it remembers: the next step starts anew. */
  dispose(): void;
}
