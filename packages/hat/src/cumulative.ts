import type { UnitMasks } from "@milliner/core";
import type { CumulativeGates, Gates } from "./regulariser.ts";

/**
 * The cumulative gates after a task. Equation (A):
 *
 *     a^{<=t} = max(a^t, a^{<=t-1})        element by element, a^{<=0} = 0
 *
 * Source: Serrà et al. 2018, section 2.3. On bits it is `usedUnits`.
 *
 * @param gates - gates of the task at s = sMax
 * @param before - cumulative gates of the tasks before it
 */
export function cumulativeGate(gates: Gates, before: CumulativeGates): Map<string, Float32Array> {
  return new Map(
    [...gates].map(([space, a]) => {
      const earlier = before.get(space);
      return [space, a.data.map((value, i) => Math.max(value, earlier?.[i] ?? 0))];
    }),
  );
}

/** The cumulative gates of hardened tasks: 1 where any of `tasks` uses the unit. (A) on bits. */
export function usedUnits(
  masks: UnitMasks,
  tasks: readonly number[] = masks.tasks,
): Map<string, Float32Array> {
  return new Map(masks.spaces.map(({ name }) => [name, masks.used(name, tasks).toFloats()]));
}
