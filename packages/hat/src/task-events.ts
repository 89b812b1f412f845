import type { Locks, Network, UnitMasks } from "@milliner/core";
import type { RunEventBody } from "@milliner/continual";
import { capacity } from "./capacity.ts";
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
