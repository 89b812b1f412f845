import { compact, type CompactNetwork, type Network, type Parameters, type UnitMasks } from "@milliner/core";

/** Anything with one network per task, shared parameters, and hard masks: `Hat` is one. */
export interface MaskedModel {
  /** The body with the head of `task`. */
  network(task: number): Network;
  readonly parameters: Parameters;
  readonly masks: UnitMasks;
}

/**
 * The network of one task, physically smaller: an ordinary core network with its own copies of the parameters, whose logits
 * are bit for bit those of the masked model, where both compute in float32 (`Backend.gatheringKeepsBits`); in bf16 they agree
 * within its rounding. The caller owns the parameters.
 *
 * @throws ConfigError (`UNKNOWN_TASK`) when the task has not been learned
 */
export function prune(model: MaskedModel, task: number): CompactNetwork {
  return compact(model.network(task), model.parameters, model.masks.get(task));
}
