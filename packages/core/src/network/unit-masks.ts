import { Bits } from "../bits.ts";
import { ConfigError } from "../errors.ts";
import type { ChannelSpace } from "./channel-spaces.ts";

/** The units of one task: a set of bits for every gated channel space, by the space's name. */
export type TaskMasks = ReadonlyMap<string, Bits>;

/** One bit per unit and task: whether the task uses the unit. Filled by methods, read by locks, plans, pruning, reports. */
export class UnitMasks {
  readonly spaces: readonly ChannelSpace[];
  readonly #tasks = new Map<number, TaskMasks>();

  /** @param spaces - the spaces that are gated */
  constructor(spaces: readonly ChannelSpace[]) {
    this.spaces = spaces;
  }

  /** Tasks that have masks, in the order in which they were set. */
  get tasks(): readonly number[] {
    return [...this.#tasks.keys()];
  }

  has(task: number): boolean {
    return this.#tasks.has(task);
  }

  /**
   * Stores the masks of a task, in place of any it had.
   * @throws ConfigError when a space is missing or has another number of units
   */
  set(task: number, masks: TaskMasks): void {
    for (const { name, units } of this.spaces) {
      if (masks.get(name)?.length !== units) {
        throw new ConfigError("BAD_MASK", `the mask of task ${task} needs ${units} bits for "${name}"`);
      }
    }
    this.#tasks.set(task, new Map(this.spaces.map(({ name }) => [name, masks.get(name)!])));
  }

  /** @throws ConfigError when the task has no masks */
  get(task: number): TaskMasks {
    const masks = this.#tasks.get(task);
    if (masks === undefined)
      throw new ConfigError("UNKNOWN_TASK", `task ${task} has no masks: it has not been learned`);
    return masks;
  }

  delete(task: number): void {
    this.#tasks.delete(task);
  }

  /** Units of a space that any of `tasks` uses (all tasks unless said otherwise). */
  used(space: string, tasks: readonly number[] = this.tasks): Bits {
    const units = this.spaces.find((other) => other.name === space)?.units;
    if (units === undefined)
      throw new ConfigError("UNKNOWN_SPACE", `there is no gated channel space "${space}"`);
    return tasks.reduce((bits, task) => bits.or(this.get(task).get(space)!), new Bits(units));
  }
}
