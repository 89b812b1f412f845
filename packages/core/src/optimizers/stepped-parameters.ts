import { ConfigError } from "../errors.ts";
import type { Gradients } from "../tape.ts";
import type { Tensor } from "../tensor.ts";

/**
 * The parameters that the loss depends on: those that are stepped, and that a common norm is of. A tensor that stands there twice
 * would be stepped twice, and the locks of one of its names would not hold under the other.
 *
 * @throws ConfigError (`SAME_TENSOR`) for one tensor under two names or twice under one; (`DUPLICATE_NAME`) for two tensors under one
 *   name, which would share locks and state
 */
export function steppedParameters(
  parameters: Iterable<readonly [string, Tensor]>,
  gradients: Gradients,
): readonly (readonly [string, Tensor])[] {
  const names = new Map<Tensor, string>();
  const taken = new Set<string>();
  const list: (readonly [string, Tensor])[] = [];
  for (const entry of parameters) {
    const [name, leaf] = entry;
    if (!gradients.has(leaf)) continue;
    const other = names.get(leaf);
    if (other !== undefined) {
      throw new ConfigError(
        "SAME_TENSOR",
        `${other === name ? `"${name}" is given twice` : `"${other}" and "${name}" are one tensor`}, which a step would change ` +
          `twice; give it once, and lock it under the name that you give`,
      );
    }
    if (taken.has(name)) {
      throw new ConfigError(
        "DUPLICATE_NAME",
        `two tensors are called "${name}"; give each parameter a name of its own`,
      );
    }
    names.set(leaf, name);
    taken.add(name);
    list.push(entry);
  }
  return list;
}
