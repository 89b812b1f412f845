import { ConfigError } from "../errors.ts";
import { keep } from "../memory.ts";
import { elements, Tensor, type Shape } from "../tensor.ts";
import { channelSpaces, type ChannelSpaces } from "./channel-spaces.ts";
import type { Layer } from "./layer.ts";
import { columnPattern, edgeBits, parameterEdges } from "./locks.ts";
import type { LayerNode, Network } from "./network.ts";
import { parameterSpecs, type Parameters } from "./parameters.ts";
import type { TaskMasks } from "./unit-masks.ts";

/** A network of its own, with parameters of its own. */
export interface CompactNetwork {
  readonly network: Network;
  readonly parameters: Map<string, Tensor>;
}

function narrowed(node: LayerNode, spaces: ChannelSpaces, masks: TaskMasks): LayerNode {
  const width = (name: string): number => edgeBits(spaces.edge(name), (space) => masks.get(space)).count();
  const layer: Layer =
    node.layer.kind === "linear" || node.layer.kind === "conv2d"
      ? { ...node.layer, inputs: width(node.inputs[0]!), outputs: width(node.name) }
      : node.layer;
  return { ...node, layer, shape: [...node.shape.slice(0, -1), width(node.name)] };
}

/** What of a parameter belongs to the units of some masks: rows and columns of it as a matrix [outputs, everything else]. */
export interface ParameterPart {
  readonly name: string;
  readonly rows: Uint32Array;
  readonly columns: Uint32Array;
  readonly wholeRows: number;
  readonly wholeColumns: number;
  /** Shape of the part: the parameter's own with fewer units. */
  readonly shape: Shape;
}

/** The network that has only the units of `masks`, and where its parameters lie in those of the whole one. */
export interface NetworkPart {
  readonly network: Network;
  readonly parameters: readonly ParameterPart[];
}

/**
 * Derives the part of a network that some units make up, in ascending order everywhere.
 * @param masks - bits per channel space, at least one of them set; a space without an entry stays whole
 * @throws ConfigError when a mask has another width, or leaves a space without units
 */
export function networkPart(network: Network, masks: TaskMasks): NetworkPart {
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
  const parameters = parameterSpecs(network).map((spec): ParameterPart => {
    const edges = parameterEdges(spec, spaces);
    const rows = edgeBits(edges.rows, bitsOf).indices();
    const wholeColumns = elements(spec.shape.slice(1));
    const columns =
      edges.columns === undefined
        ? Uint32Array.of(0)
        : columnPattern(edges.columns, wholeColumns, bitsOf).indices();
    const inner = [...spec.shape.slice(1, -1), (columns.length * spec.shape.at(-1)!) / wholeColumns];
    const shape = spec.shape.length === 1 ? [rows.length] : [rows.length, ...inner];
    return { name: spec.name, rows, columns, wholeRows: spec.shape[0]!, wholeColumns, shape };
  });
  const nodes = network.nodes.map((node) => narrowed(node, spaces, masks));
  return { network: { inputShape: network.inputShape, nodes, output: network.output }, parameters };
}

/**
 * Copies a part of a parameter out of the whole one.
 * @returns a tensor of the part's shape; the caller owns it, outside any `tidy`
 */
export function gathered(part: ParameterPart, parameters: Parameters): Tensor {
  const source = parameters.get(part.name);
  if (source === undefined)
    throw new ConfigError("MISSING_PARAMETER", `the network reads "${part.name}", which was not given`);
  const { backend, requiresGrad } = source;
  const target = keep(new Tensor(part.shape, { backend, requiresGrad }));
  const { rows, columns, wholeRows, wholeColumns } = part;
  backend.kernels.gatherMatrix(source.data, target.data, rows, columns, wholeRows, wholeColumns);
  return target;
}

/**
 * The network of one task without the units that it does not use. Its outputs are bit for bit those of the whole network
 * with the masks as gates: a term with an exactly zero factor does not change a chain, and gathering keeps the order of the
 * others. This is the one place where "pruned = masked" is made true; `prune` is this function, and a `Plan` is made of its
 * parts.
 *
 * @param masks - bits per channel space; a space without an entry stays whole
 * @returns an ordinary network and copies of the parameters that it reads; the caller owns them, outside any `tidy`
 * @throws ConfigError when a mask leaves a space without units
 */
export function compact(network: Network, parameters: Parameters, masks: TaskMasks): CompactNetwork {
  const part = networkPart(network, masks);
  return {
    network: part.network,
    parameters: new Map(part.parameters.map((one) => [one.name, gathered(one, parameters)])),
  };
}
