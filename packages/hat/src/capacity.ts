import {
  channelSpaces,
  ConfigError,
  inputName,
  parameterEdges,
  parameterSpecs,
  type ChannelSpace,
  type Locks,
  type Network,
  type UnitMasks,
} from "@milliner/core";
import type { LayerCapacity } from "@milliner/continual";

/** Shares per layer after a task: units that any task uses, that this task uses, and elements locked for later tasks. */
export function capacity(
  body: Network,
  masks: UnitMasks,
  locks: Locks,
  task: number,
): readonly LayerCapacity[] {
  const spaces = channelSpaces(body);
  return parameterSpecs(body)
    .filter((spec) => spec.role === "weight")
    .flatMap((spec) => {
      const [space] = parameterEdges(spec, spaces).rows.pieces[0]!.spaces;
      const units = masks.spaces.find(({ name }) => name === space?.name)?.units;
      if (space === undefined || units === undefined) return [];
      const bits = locks.get(spec.name);
      return [
        {
          layer: spec.node.name,
          units,
          used: masks.used(space.name).count() / units,
          active: masks.get(task).get(space.name)!.count() / units,
          locked: bits === undefined ? 0 : bits.count() / (bits.rows * bits.columns),
        },
      ];
    });
}

/** Share of the elements that task `i` reads that task `j` reads too: how much a later task reuses (the paper's Fig. 6). */
export function reuse(elementsOfI: Locks, elementsOfJ: Locks): number {
  let [both, all] = [0, 0];
  for (const name of elementsOfI.names) {
    const [a, b] = [elementsOfI.get(name)!, elementsOfJ.get(name)];
    all += a.count();
    if (b === undefined) continue;
    for (let row = 0; row < a.rows; row++) {
      for (let column = 0; column < a.columns; column++) {
        if (a.isLocked(row, column) && b.isLocked(row, column)) both += 1;
      }
    }
  }
  return all === 0 ? 0 : both / all;
}

/**
 * The layers of a body that get gates: all but the input.
 * @throws ConfigError (`NO_UNITS`) when there is none
 */
export function gatedSpaces(body: Network): readonly ChannelSpace[] {
  const spaces = channelSpaces(body).spaces.filter(({ name }) => name !== inputName);
  if (spaces.length === 0) {
    throw new ConfigError(
      "NO_UNITS",
      "HAT gates the units of linear and convolutional layers, and this body has none",
    );
  }
  return spaces;
}

/** Names of the channel spaces all of whose units belong to some of `tasks`: what comes next can only reuse them. */
export function fullSpaces(masks: UnitMasks, tasks: readonly number[] = masks.tasks): readonly string[] {
  return masks.spaces
    .filter(({ name, units }) => masks.used(name, tasks).count() === units)
    .map(({ name }) => name);
}
