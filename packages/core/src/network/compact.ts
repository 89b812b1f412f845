import { ConfigError } from "../errors.ts";
import { keep } from "../memory.ts";
import { elements, Tensor } from "../tensor.ts";
import { channelSpaces, type ChannelSpaces } from "./channel-spaces.ts";
import type { Layer } from "./layer.ts";
import { edgeBits, parameterEdges } from "./locks.ts";
import type { LayerNode, Network } from "./network.ts";
import { parameterSpecs, type Parameters } from "./parameters.ts";
import type { TaskMasks } from "./unit-masks.ts";

/** A network of its own, with parameters of its own. */
export interface CompactNetwork {
  readonly network: Network;
  readonly parameters: Map<string, Tensor>;
}

function narrowed(node: LayerNode, spaces: ChannelSpaces, masks: TaskMasks): LayerNode {
  const width = (name: string): number => {
    const edge = spaces.edge(name);
    return edgeBits(edge, (space) => masks.get(space)).count() * edge.positions;
  };
  const layer: Layer =
    node.layer.kind === "linear" || node.layer.kind === "conv2d"
      ? { ...node.layer, inputs: width(node.inputs[0]!), outputs: width(node.name) }
      : node.layer;
  return { ...node, layer, shape: [...node.shape.slice(0, -1), width(node.name)] };
}

/**
 * The network of one task without the units that it does not use. Its outputs are bit for bit those of the whole network
 * with the masks as gates: a term with an exactly zero factor does not change a chain, and gathering keeps the order of the
 * others. This is the one place where "pruned = masked" is made true; `prune` and task plans are this function.
 *
 * @param masks - bits per channel space; a space without an entry stays whole
 * @returns an ordinary network and copies of the parameters that it reads; the caller owns them, outside any `tidy`
 * @throws ConfigError when a mask leaves a space without units
 */
export function compact(network: Network, parameters: Parameters, masks: TaskMasks): CompactNetwork {
  const spaces = channelSpaces(network);
  for (const { name, units } of spaces.spaces) {
    const bits = masks.get(name);
    if (bits === undefined) continue;
    if (bits.length !== units)
      throw new ConfigError("BAD_MASK", `the mask of "${name}" has ${bits.length} bits, not ${units}`);
    if (bits.count() === 0)
      throw new ConfigError("CLOSED_LAYER", `the mask of "${name}" uses none of its ${units} units`);
  }
  const bitsOf = (space: string) => masks.get(space);
  const result = new Map<string, Tensor>();
  for (const spec of parameterSpecs(network)) {
    const edges = parameterEdges(spec, spaces);
    const rows = edgeBits(edges.rows, bitsOf).indices();
    const columns = elements(spec.shape.slice(1));
    const inputs = edges.columns === undefined ? undefined : edgeBits(edges.columns, bitsOf);
    const taken =
      inputs === undefined
        ? Uint32Array.of(0)
        : Uint32Array.from({ length: columns }, (_, column) => column).filter((column) =>
            inputs.get(column % inputs.length),
          );
    const source = parameters.get(spec.name);
    if (source === undefined)
      throw new ConfigError("MISSING_PARAMETER", `the network reads "${spec.name}", which was not given`);
    const shape =
      spec.shape.length === 1
        ? [rows.length]
        : [rows.length, ...spec.shape.slice(1, -1), (taken.length * spec.shape.at(-1)!) / columns];
    const target = keep(new Tensor(shape, { backend: source.backend, requiresGrad: source.requiresGrad }));
    let at = 0;
    for (const row of rows) {
      for (const column of taken) target.data[at++] = source.data[row * columns + column]!;
    }
    result.set(spec.name, target);
  }
  const nodes = network.nodes.map((node) => narrowed(node, spaces, masks));
  return { network: { inputShape: network.inputShape, nodes, output: network.output }, parameters: result };
}
