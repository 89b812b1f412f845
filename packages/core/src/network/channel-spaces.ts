import { ShapeError } from "../errors.ts";
import { elements } from "../tensor.ts";
import { inputName, type LayerNode, type Network } from "./network.ts";

/**
 * A set of units that live and die together: the outputs of a linear layer, the feature maps of a convolution, or the
 * input's channels. Named after the node that opens it (`input` for the input; the first branch of a residual sum).
 */
export interface ChannelSpace {
  readonly name: string;
  readonly units: number;
}

/** The units of `spaces`, one space after the other, and all of that `positions` times. */
export interface EdgePiece {
  readonly spaces: readonly ChannelSpace[];
  /** 1 but behind a flatten, where it is the height x width of what was flattened. */
  readonly positions: number;
}

/**
 * Which unit each element of an edge's last dimension belongs to: `pieces` lie one after the other. An edge that is not
 * flattened is one piece with one position. `concat` of edges that were flattened apart has a piece for each of them, with
 * its own positions: joining first and flattening then is another order of the same elements.
 */
export interface EdgeUnits {
  readonly pieces: readonly EdgePiece[];
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

/** Elements of an edge's last dimension. */
export function edgeWidth(edge: EdgeUnits): number {
  return edge.pieces.reduce(
    (sum, { spaces, positions }) => sum + positions * spaces.reduce((units, space) => units + space.units, 0),
    0,
  );
}

function keepsUnits(node: LayerNode): boolean {
  return node.layer.kind === "relu" || node.layer.kind === "dropout" || node.layer.kind === "max-pool2d";
}

/**
 * Derives the channel spaces: `linear` and `conv2d` open one, elementwise layers and pooling keep it, `add` unites those
 * that it adds, `concat` lays edges one after the other, `flatten` multiplies by positions. Gates, locks, pruning and export read this one analysis.
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

/** Pieces whose spaces are names while spaces may still be united. */
interface NamedPiece {
  readonly names: readonly string[];
  readonly positions: number;
}

/** Pieces of one position are one: what is flattened next repeats them together. */
function joined(pieces: readonly NamedPiece[]): readonly NamedPiece[] {
  const result: NamedPiece[] = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    if (last?.positions === 1 && piece.positions === 1)
      result[result.length - 1] = { names: [...last.names, ...piece.names], positions: 1 };
    else result.push(piece);
  }
  return result;
}

/** The spaces along an edge, element by element but for the units: pieces that were laid out differently can be the same. */
function unrolled(pieces: readonly NamedPiece[]): readonly string[] {
  return pieces.flatMap(({ names, positions }) => Array.from({ length: positions }, () => names).flat());
}

/** As in "conv2 (2) and conv3 (4)"; of many pieces the first few. */
function described(pieces: readonly NamedPiece[], units: ReadonlyMap<string, number>): string {
  const parts = pieces.flatMap(({ names, positions }) =>
    names.map((name) => `${name} (${positions > 1 ? `${positions} x ` : ""}${units.get(name)})`),
  );
  return parts.length > 4 ? `${parts.slice(0, 4).join(" + ")} + ...` : parts.join(" + ");
}

function analyse(network: Network): ChannelSpaces {
  const parent = new Map<string, string>();
  const find = (name: string): string => {
    const up = parent.get(name);
    return up === undefined || up === name ? name : find(up);
  };
  const units = new Map<string, number>([[inputName, network.inputShape.at(-1) ?? 1]]);
  const order: string[] = [inputName];
  // `gated`: a gate has been applied before, so that none is behind it. Behind a flatten and a concat that is always so.
  const edges = new Map<string, { readonly pieces: readonly NamedPiece[]; readonly gated: boolean }>([
    [inputName, { pieces: [{ names: [inputName], positions: 1 }], gated: false }],
  ]);

  for (const node of network.nodes) {
    const sources = node.inputs.map((name) => edges.get(name)!);
    const [first] = sources;
    switch (node.layer.kind) {
      case "linear":
      case "conv2d":
        units.set(node.name, node.layer.outputs);
        order.push(node.name);
        edges.set(node.name, { pieces: [{ names: [node.name], positions: 1 }], gated: false });
        break;
      case "relu":
      case "dropout":
      case "max-pool2d":
        edges.set(node.name, first!);
        break;
      case "flatten": {
        const [source] = node.inputs;
        const { shape } = network.nodes.find(({ name }) => name === source) ?? { shape: network.inputShape };
        const positions = elements(shape.slice(0, -1));
        // What has several positions is a vector already.
        const pieces = first!.pieces.map((piece) => ({ ...piece, positions: piece.positions * positions }));
        edges.set(node.name, { pieces, gated: true });
        break;
      }
      case "add": {
        const kept = unrolled(first!.pieces);
        for (const other of sources.slice(1)) {
          const added = unrolled(other.pieces);
          const widths = (names: readonly string[]): string => names.map((name) => units.get(name)).join();
          if (widths(kept) !== widths(added)) {
            throw new ShapeError(
              "MIXED_UNITS",
              `"${node.name}" adds ${described(first!.pieces, units)} and ${described(other.pieces, units)}: units that are added live ` +
                "and die together, so they have to stand alike; put a conv2d(n, 1) or a linear(n) behind what is joined",
            );
          }
          added.forEach((name, i) => {
            const [a, b] = [find(kept[i]!), find(name)];
            if (a === b) return;
            // The earlier one gives the name, so that it does not depend on the order of the branches.
            const [keep, drop] = order.indexOf(a) < order.indexOf(b) ? [a, b] : [b, a];
            parent.set(drop, keep);
          });
        }
        edges.set(node.name, { ...first!, gated: false });
        break;
      }
      case "concat":
        edges.set(node.name, { pieces: joined(sources.flatMap(({ pieces }) => pieces)), gated: true });
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
  for (const [name, { pieces }] of edges) {
    resolved.set(name, {
      pieces: pieces.map(({ names, positions }) => ({
        spaces: names.map((at) => byName.get(find(at))!),
        positions,
      })),
    });
  }
  const gatePoints = new Map<string, ChannelSpace>();
  for (const node of network.nodes) {
    if (edges.get(node.name)!.gated) continue;
    const [piece, ...others] = resolved.get(node.name)!.pieces;
    const [space, ...joinedTo] = piece!.spaces;
    // Only a sum can have several spaces here, and all that it adds has been gated.
    if (others.length > 0 || joinedTo.length > 0 || space!.name === inputName) continue;
    const readers = network.nodes.filter((other) => other.inputs.includes(node.name));
    if (readers.length > 0 && readers.every(keepsUnits)) continue;
    gatePoints.set(node.name, space!);
  }

  return {
    spaces,
    gatePoints,
    edge(name) {
      return resolved.get(name)!;
    },
  };
}
