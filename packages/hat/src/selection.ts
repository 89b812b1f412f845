import { tidy, type Backend, type Tensor } from "@milliner/core";
import { evaluate, type Evaluation, type Task } from "@milliner/continual";
import { sparsityRegulariser, type CumulativeGates, type Gates } from "./regulariser.ts";

/**
 * What the schedule selects the best state by: cross-entropy on the validation set plus c R, so that of two states that are
 * as accurate the sparser one is kept. The published code looks at the same sum.
 */
export function selectionLoss(
  task: Task,
  gates: Gates,
  used: CumulativeGates,
  options: { readonly c: number; readonly backend: Backend },
  logits: (images: Tensor) => Tensor,
): Evaluation {
  const { loss, accuracy } = evaluate(task.validation, options.backend, logits);
  return { loss: loss + options.c * tidy(() => sparsityRegulariser(gates, used).item()), accuracy };
}
