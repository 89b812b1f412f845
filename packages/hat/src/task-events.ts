import type { Locks, Network, UnitMasks } from "@milliner/core";
import type { RunEventBody } from "@milliner/continual";
import { capacity, fullSpaces } from "./capacity.ts";
import { packedMasks } from "./mask-storage.ts";

/** What a run is told when a task has been learned: its masks, and what is left of each layer. */
export function taskEvents(
  body: Network,
  masks: UnitMasks,
  locks: Locks,
  task: number,
): readonly RunEventBody[] {
  return [
    { type: "masks", task, spaces: packedMasks(masks, task) },
    { type: "capacity", task, layers: capacity(body, masks, locks, task) },
  ];
}

/**
 * What a run is warned of when `task` begins: layers that the task before it has filled. Of every layer this is said once, by the
 * masks alone, so that a run that was resumed says no more.
 */
export function fullEvents(masks: UnitMasks, task: number): readonly RunEventBody[] {
  const { tasks } = masks;
  const before = new Set(fullSpaces(masks, tasks.slice(0, -1)));
  return fullSpaces(masks)
    .filter((space) => !before.has(space))
    .map((space) => ({
      type: "warning",
      message: `"${space}" has no free unit left: from task ${task} on, tasks can only reuse its units`,
    }));
}
