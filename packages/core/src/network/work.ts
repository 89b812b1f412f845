import { elements } from "../tensor.ts";
import { channelSpaces, type EdgeUnits } from "./channel-spaces.ts";
import { parameterEdges } from "./locks.ts";
import type { Network } from "./network.ts";
import { parameterSpecs } from "./parameters.ts";

/** How much there is of a network when only some units of each channel space are computed. */
export interface NetworkWork {
  /** Multiply-adds of a forward pass over one example. Nominal: those with padding count. */
  readonly multiplyAdds: number;
  /** Elements of all weights. */
  readonly weights: number;
}

/**
 * Counts the work of a part of a network.
 * @param unitsOf - computed units of a space; undefined where all are
 */
export function networkWork(
  network: Network,
  unitsOf: (space: string) => number | undefined = () => undefined,
): NetworkWork {
  const spaces = channelSpaces(network);
  const share = (edge: EdgeUnits): number => {
    let [computed, all] = [0, 0];
    for (const { name, units } of edge.segments) {
      computed += unitsOf(name) ?? units;
      all += units;
    }
    return computed / all;
  };
  let [multiplyAdds, weights] = [0, 0];
  for (const spec of parameterSpecs(network)) {
    if (spec.role !== "weight") continue;
    const { rows, columns } = parameterEdges(spec, spaces);
    const count = elements(spec.shape) * share(rows) * share(columns!);
    weights += count;
    // Behind a linear layer this is 1; behind a convolution the pixels of its output.
    multiplyAdds += count * elements(spec.node.shape.slice(0, -1));
  }
  return { multiplyAdds, weights };
}
