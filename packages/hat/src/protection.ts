import {
  Bits,
  channelSpaces,
  columnPattern,
  edgeBits,
  LockBits,
  Locks,
  parameterEdges,
  parameterSpecs,
  type Network,
  type TaskMasks,
  type UnitMasks,
} from "@milliner/core";

/** Which elements earlier tasks lock: see `protect`. */
export type Protection = "min" | "tight";

/** Both rules, for messages and configuration. */
export const protections: readonly Protection[] = ["min", "tight"];

function lockElements(body: Network, locks: Locks, masks: TaskMasks): void {
  const spaces = channelSpaces(body);
  const bitsOf = (space: string): Bits | undefined => masks.get(space);
  for (const spec of parameterSpecs(body)) {
    const { rows, columns } = parameterEdges(spec, spaces);
    const bits = locks.get(spec.name) ?? new LockBits(spec.shape);
    const pattern =
      columns === undefined ? Bits.ones(bits.columns) : columnPattern(columns, bits.columns, bitsOf);
    for (const row of edgeBits(rows, bitsOf).indices()) bits.lockRow(row, pattern);
    locks.set(spec.name, bits);
  }
}

/**
 * K_t: the elements of the body that a task reads, which are the weights whose two units it uses, and the biases of the
 * units it uses. The input's units are always used.
 */
export function taskElements(body: Network, masks: TaskMasks): Locks {
  const elements = new Locks();
  lockElements(body, elements, masks);
  return elements;
}

/**
 * The elements of the body that no later task may write. Equation (C):
 *
 *     min    locked[i, j] = used[i] and used[j]                     used = OR of the masks of all tasks (the paper's rule)
 *     tight  locked[i, j] = OR over tasks of (m[i] and m[j])        the union of the K_t, the smallest safe set
 *
 * Both keep every earlier task bit for bit: a task's active units read only locked elements, and its inactive ones enter
 * the chains as exact zeros. `min` locks in addition what no single task reads. Biases and the weights of the first layer
 * go with their unit under both.
 *
 * @param body - without the heads: a head belongs to its task
 * @param tasks - whose masks count; all tasks that have any unless said otherwise
 */
export function protect(
  body: Network,
  masks: UnitMasks,
  protection: Protection,
  tasks: readonly number[] = masks.tasks,
): Locks {
  const locks = new Locks();
  if (tasks.length === 0) return locks;
  if (protection === "min") {
    lockElements(body, locks, new Map(masks.spaces.map(({ name }) => [name, masks.used(name, tasks)])));
  } else {
    for (const task of tasks) lockElements(body, locks, masks.get(task));
  }
  return locks;
}
