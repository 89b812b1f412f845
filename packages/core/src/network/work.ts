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

interface LayerWork {
  readonly rows: EdgeUnits;
  readonly columns: EdgeUnits;
  readonly weights: number;
  /** How often each weight is used for one example: 1, and the pixels of the output of a convolution. */
  readonly positions: number;
}

// Training asks in every step.
const counted = new WeakMap<Network, readonly LayerWork[]>();

function layers(network: Network): readonly LayerWork[] {
  const known = counted.get(network);
  if (known !== undefined) return known;
  const spaces = channelSpaces(network);
  const result = parameterSpecs(network)
    .filter(({ role }) => role === "weight")
    .map((spec) => {
      const { rows, columns } = parameterEdges(spec, spaces);
      const positions = elements(spec.node.shape.slice(0, -1));
      return { rows, columns: columns!, weights: elements(spec.shape), positions };
    });
  counted.set(network, result);
  return result;
}

/**
 * Counts the work of a part of a network.
 * @param unitsOf - computed units of a space; undefined where all are
 */
export function networkWork(
  network: Network,
  unitsOf: (space: string) => number | undefined = () => undefined,
): NetworkWork {
  const share = (edge: EdgeUnits): number => {
    let [computed, all] = [0, 0];
    for (const { spaces, positions } of edge.pieces) {
      for (const { name, units } of spaces) {
        computed += positions * (unitsOf(name) ?? units);
        all += positions * units;
      }
    }
    return computed / all;
  };
  let [multiplyAdds, weights] = [0, 0];
  for (const layer of layers(network)) {
    const count = layer.weights * share(layer.rows) * share(layer.columns);
    weights += count;
    multiplyAdds += count * layer.positions;
  }
  return { multiplyAdds, weights };
}
