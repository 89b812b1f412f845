import type { Backend } from "../backend/backend.ts";
import { ConfigError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Refuses tensors of two backends in one operation: one of them would decide the arithmetic, in silence. Called by every operation
 * of several tensors, a method's own too; those that are left out may be undefined.
 *
 * @throws ConfigError (`MIXED_BACKENDS`)
 */
export function checkOneBackend(
  operation: string,
  x: Tensor,
  ...others: readonly (Tensor | undefined)[]
): void {
  const { backend } = x;
  // By index: this runs in every operation of a step.
  for (let i = 0; i < others.length; i++) {
    const other = others[i];
    if (other === undefined || other.backend === backend) continue;
    throw new ConfigError(
      "MIXED_BACKENDS",
      `${operation} computes with tensors of one backend, but [${x.shape.join(", ")}] is on ${describe(backend)} and ` +
        `[${other.shape.join(", ")}] on ${describe(other.backend)}; move one of them (onBackend)`,
    );
  }
}

function describe({ name, precision }: Backend): string {
  return `${name} in ${precision}`;
}
