import { types } from "node:util";
import { Bits, CheckpointError, type ChannelSpace, type TaskMasks, type UnitMasks } from "@milliner/core";
import {
  StoredJson,
  type CheckpointReader,
  type CheckpointWriter,
  type SpaceMask,
} from "@milliner/continual";

/** Writes the bits of every task under `masks/TASK/SPACE`: one bit a unit. */
export function saveMasks(masks: UnitMasks, into: CheckpointWriter): void {
  into.json("masks", masks.tasks);
  for (const task of masks.tasks) {
    for (const [space, bits] of masks.get(task))
      into.array(`masks/${task}/${space}`, [bits.words.length], bits.words);
  }
}

/**
 * The masks that `saveMasks` wrote, by task.
 * @throws CheckpointError when a mask does not have the units of its layer
 */
export function loadMasks(
  spaces: readonly ChannelSpace[],
  from: CheckpointReader,
): ReadonlyMap<number, TaskMasks> {
  const tasks = new StoredJson({ masks: from.json("masks") }, "the checkpoint").list("masks", (entry) =>
    entry.whole("value"),
  );
  return new Map(
    tasks.map((task) => [task, new Map(spaces.map((space) => [space.name, storedMask(task, space, from)]))]),
  );
}

function storedMask(task: number, { name, units }: ChannelSpace, from: CheckpointReader): Bits {
  const { shape, data } = from.array(`masks/${task}/${name}`);
  if (!types.isUint32Array(data) || shape.length !== 1 || data.length !== Math.ceil(units / 32)) {
    throw new CheckpointError(
      "BAD_MASK",
      `the mask of task ${task} for "${name}" does not have ${units} bits`,
    );
  }
  const bits = new Bits(units, Uint32Array.from(data));
  // Bits behind the last unit would count as units.
  if (bits.count() === 0 || (units % 32 > 0 && bits.words.at(-1)! >>> (units % 32) !== 0)) {
    throw new CheckpointError(
      "BAD_MASK",
      `the mask of task ${task} for "${name}" is not one of ${units} units`,
    );
  }
  return bits;
}

/** The masks of one task as an event carries them. */
export function packedMasks(masks: UnitMasks, task: number): readonly SpaceMask[] {
  return [...masks.get(task)].map(([space, { length, words }]) => ({
    space,
    units: length,
    bits: Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString("base64"),
  }));
}
