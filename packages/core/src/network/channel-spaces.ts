import { ShapeError } from "../errors.ts";
import { inputName, type LayerNode, type Network } from "./network.ts";

/**
 * A set of units that live and die together: the outputs of a linear layer, the feature maps of a convolution, or the
 * input's channels. Named after the node that opens it (`input` for the input; the first branch of a residual sum).
 */
export interface ChannelSpace {
  readonly name: string;
  readonly units: number;
}

/**
 * Which unit each element of an edge belongs to: the last dimension runs `positions` times over the units of the
 * `segments`, one after the other. Element j of a flattened edge is unit `j % units`, at position `floor(j / units)`.
 */
export interface EdgeUnits {
  readonly segments: readonly ChannelSpace[];
  /** 1 but behind a flatten, where it is height x width. */
  readonly positions: number;
}

/** The units of every edge and parameter of a network. */
export interface ChannelSpaces {
  /** In the order of the nodes that open them, `input` first. */
  readonly spaces: readonly ChannelSpace[];
  /** Units of the output of a node (or of `input`). */
  edge(name: string): EdgeUnits;
  /** The nodes after which the gate of their space is applied: where a value leaves the layers that keep its units. */
  readonly gatePoints: ReadonlyMap<string, ChannelSpace>;
}

/** Sum of the units of an edge's segments: the period of its last dimension. */
export function edgeWidth(edge: EdgeUnits): number {
  return edge.segments.reduce((sum, space) => sum + space.units, 0);
}

function keepsUnits(node: LayerNode): boolean {
  return node.layer.kind === "relu" || node.layer.kind === "dropout" || node.layer.kind === "max-pool2d";
}

/**
 * Derives the channel spaces: `linear` and `conv2d` open one, elementwise layers and pooling keep it, `add` unites those
 * that it adds, `concat` joins, `flatten` multiplies by positions. Gates, locks, pruning and export read this one analysis.
 *
 * A gate point is the last of a chain of layers that keep the units of one space: its output goes to a layer of another
 * kind, or out of the network. The input's units are never gated, nor are the units of the output node's own layer: in a
 * body those of the last hidden layer are (its chain ends at the output), in a network with a head the head's are not.
 */
export function channelSpaces(network: Network): ChannelSpaces {
  const known = analysed.get(network);
  if (known !== undefined) return known;
  const spaces = analyse(network);
  analysed.set(network, spaces);
  return spaces;
}

// A network is data and does not change; training asks in every step.
const analysed = new WeakMap<Network, ChannelSpaces>();

function analyse(network: Network): ChannelSpaces {
  const parent = new Map<string, string>();
  const find = (name: string): string => {
    const up = parent.get(name);
    return up === undefined || up === name ? name : find(up);
  };
  const units = new Map<string, number>([[inputName, network.inputShape.at(-1) ?? 1]]);
  const order: string[] = [inputName];
  // Edges hold names while spaces may still be united; they are resolved at the end.
  const edges = new Map<string, { names: readonly string[]; positions: number; flat: boolean }>([
    [inputName, { names: [inputName], positions: 1, flat: false }],
  ]);

  for (const node of network.nodes) {
    const sources = node.inputs.map((name) => edges.get(name)!);
    const [first] = sources;
    switch (node.layer.kind) {
      case "linear":
      case "conv2d":
        units.set(node.name, node.layer.outputs);
        order.push(node.name);
        edges.set(node.name, { names: [node.name], positions: 1, flat: false });
        break;
      case "relu":
      case "dropout":
      case "max-pool2d":
        edges.set(node.name, first!);
        break;
      case "flatten": {
        const width = first!.names.reduce((sum, name) => sum + units.get(name)!, 0);
        edges.set(node.name, { names: first!.names, positions: node.shape[0]! / width, flat: true });
        break;
      }
      case "add":
        for (const other of sources.slice(1)) {
          const widths = (names: readonly string[]): string => names.map((name) => units.get(name)).join();
          if (widths(first!.names) !== widths(other.names)) {
            throw new ShapeError(
              "MIXED_UNITS",
              `"${node.name}" adds outputs whose units are joined in different ways`,
            );
          }
          other.names.forEach((name, i) => {
            const [a, b] = [find(first!.names[i]!), find(name)];
            if (a === b) return;
            // The earlier one gives the name, so that it does not depend on the order of the branches.
            const [keep, drop] = order.indexOf(a) < order.indexOf(b) ? [a, b] : [b, a];
            parent.set(drop, keep);
          });
        }
        edges.set(node.name, first!);
        break;
      case "concat":
        edges.set(node.name, { ...first!, names: sources.flatMap((source) => source.names) });
        break;
      default:
        node.layer satisfies never;
    }
  }

  const spaces = order
    .filter((name) => find(name) === name)
    .map((name) => ({ name, units: units.get(name)! }));
  const byName = new Map(spaces.map((space) => [space.name, space]));
  const resolved = new Map<string, EdgeUnits>();
  for (const [name, edge] of edges) {
    resolved.set(name, {
      segments: edge.names.map((at) => byName.get(find(at))!),
      positions: edge.positions,
    });
  }
  const gatePoints = new Map<string, ChannelSpace>();
  for (const node of network.nodes) {
    const edge = resolved.get(node.name)!;
    const [space] = edge.segments;
    if (edge.segments.length !== 1 || space === undefined || space.name === inputName) continue;
    // Behind a flatten the values have been gated already, as has every part of a concat.
    if (edges.get(node.name)!.flat || node.layer.kind === "concat") continue;
    const readers = network.nodes.filter((other) => other.inputs.includes(node.name));
    if (readers.length > 0 && readers.every(keepsUnits)) continue;
    gatePoints.set(node.name, space);
  }

  return {
    spaces,
    gatePoints,
    edge(name) {
      return resolved.get(name)!;
    },
  };
}
