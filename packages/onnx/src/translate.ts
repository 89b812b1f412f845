import {
  inputName,
  outputShape,
  type LayerNode,
  type Network,
  type PixelLookup,
  type Shape,
  type Tensor,
} from "@milliner/core";
import { channelsFirst } from "./channels-first.ts";
import type { Constant, Graph, GraphNode, Initializer } from "./graph.ts";
import { dataType } from "./schema.ts";

/** Where the channels of an image stand: [batch, channels, height, width] or [batch, height, width, channels]. */
export type ImageLayout = "nchw" | "nhwc";

/** What the exporter has decided about the graph's two ends. */
export interface Translation {
  readonly name: string;
  /** Of the input and, where it is an image, of the output. Between them convolutions have channels first. */
  readonly layout: ImageLayout;
  /** How the bytes of an image become the network's input; null where the model takes that input itself. */
  readonly lookup: PixelLookup | null;
  readonly softmax: boolean;
}

/** A value of the network in the graph: its name in each layout that it has been brought into. Vectors know no layout. */
interface Value {
  /** The node that made it. */
  readonly owner: string;
  readonly shape: Shape;
  readonly names: Map<ImageLayout, string>;
}

/** What a graph is made of: parameters by name, whose values are asked for when the file is written. */
export type Weights = ReadonlyMap<string, Pick<Tensor, "shape" | "data">>;

/**
 * The operations that compute a network. Weights keep core's order but for convolutions', which become [out, in,
 * kernelHeight, kernelWidth]; a value is transposed where a layer needs the other layout, once, and nowhere else.
 * Dropout is left out.
 */
export function translate(network: Network, parameters: Weights, options: Translation): Graph {
  const translator = new Translator(parameters, options);
  const values = new Map<string, Value>([[inputName, translator.input(network.inputShape)]]);
  for (const node of network.nodes) {
    const inputs = node.inputs.map((name) => values.get(name)!);
    values.set(node.name, translator.layer(node, inputs));
  }
  return translator.graph(network.inputShape, outputShape(network), values.get(network.output)!);
}

const inputTensor = "x";

class Translator {
  readonly #parameters: Weights;
  readonly #options: Translation;
  readonly #nodes: GraphNode[] = [];
  readonly #initializers: Initializer[] = [];

  constructor(parameters: Weights, options: Translation) {
    this.#parameters = parameters;
    this.#options = options;
  }

  input(shape: Shape): Value {
    const { layout, lookup } = this.#options;
    const name = lookup === null ? inputTensor : this.#looked(shape, lookup);
    return { owner: inputName, shape, names: new Map([[layout, name]]) };
  }

  /**
   * The bytes of images as float32: each pixel from its place, each byte through the table of its channel. A table and no
   * arithmetic, so that every runtime makes the very numbers that the network was trained on.
   */
  #looked(shape: Shape, { pixels, tables }: PixelLookup): string {
    const { layout } = this.#options;
    const [height = 0, width = 0, channels = 0] = shape;
    const isFirst = layout === "nchw";
    let name = inputTensor;
    if (pixels !== null) {
      const count = height * width;
      // 0: as it is, which is the batch, of any size.
      const flat = isFirst ? [0, channels, count] : [0, count, channels];
      name = this.#reshape("input/pixels", name, flat);
      const places = this.#constant("input/permutation", [count], pixels);
      name = this.#emit("input/permuted", "Gather", [name, places], { axis: isFirst ? 2 : 1 });
      name = this.#reshape("input/image", name, [0, ...inLayout(shape, layout)]);
    }
    name = this.#emit("input/bytes", "Cast", [name], { to: dataType.int32 });
    if (channels > 1) {
      // The tables of all channels are one: where each begins is added to its bytes.
      const starts = Int32Array.from(tables, (_, channel) => 256 * channel);
      const offsets = this.#constant("input/offsets", isFirst ? [channels, 1, 1] : [channels], starts);
      name = this.#emit("input/rows", "Add", [name, offsets]);
    }
    const table = this.#constant("input/table", [256 * channels], joined(tables));
    return this.#emit("input/values", "Gather", [table, name], { axis: 0 });
  }

  #reshape(name: string, source: string, shape: readonly number[]): string {
    const sizes = this.#constant(`${name}/shape`, [shape.length], BigInt64Array.from(shape, BigInt));
    return this.#emit(name, "Reshape", [source, sizes]);
  }

  layer(node: LayerNode, inputs: readonly Value[]): Value {
    const { layer, name, shape } = node;
    const first = inputs[0]!;
    switch (layer.kind) {
      case "linear":
        return this.#value(shape, "nchw", node, "Gemm", [this.#in(first, "nchw"), ...this.#weights(node)], {
          transB: 1,
        });
      case "conv2d": {
        const [vertical, horizontal] = layer.padding;
        return this.#value(shape, "nchw", node, "Conv", [this.#in(first, "nchw"), ...this.#weights(node)], {
          kernel_shape: layer.kernel,
          pads: [vertical, horizontal, vertical, horizontal],
          strides: layer.stride,
        });
      }
      case "max-pool2d":
        return this.#value(shape, "nchw", node, "MaxPool", [this.#in(first, "nchw")], {
          kernel_shape: layer.kernel,
          strides: layer.stride,
        });
      case "relu": {
        const [layout, source] = asMade(first);
        return this.#value(shape, layout, node, "Relu", [source]);
      }
      case "dropout":
        return first;
      case "flatten": {
        // Core flattens in the order height, width, channel, which the next layer's columns follow.
        const [height = 1, width = 1, channels = 1] = first.shape;
        const sameOrder = !isImage(first.shape) || channels === 1 || (height === 1 && width === 1);
        const source = sameOrder ? asMade(first)[1] : this.#in(first, "nhwc");
        return this.#value(shape, "nchw", node, "Flatten", [source], { axis: 1 });
      }
      case "add":
        return this.#value(shape, "nchw", node, "Add", [
          this.#in(first, "nchw"),
          this.#in(inputs[1]!, "nchw"),
        ]);
      case "concat": {
        const sources = inputs.map((input) => this.#in(input, "nchw"));
        return this.#value(shape, "nchw", node, "Concat", sources, {
          axis: isImage(shape) ? 1 : shape.length,
        });
      }
      default:
        layer satisfies never;
        throw new TypeError(`"${name}" is of an unknown kind`);
    }
  }

  graph(inputShape: Shape, shape: Shape, result: Value): Graph {
    const { name, layout, lookup, softmax } = this.#options;
    const output = softmax ? "probabilities" : "logits";
    let last = this.#in(result, layout);
    if (softmax) last = this.#emit("output/softmax", "Softmax", [last], { axis: -1 });
    // A network without layers still has an input and an output of different names.
    if (last === inputTensor) last = this.#emit("output/identity", "Identity", [last]);
    const rename = (value: string): string => (value === last ? output : value);
    return {
      name,
      nodes: this.#nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(rename),
        output: rename(node.output),
      })),
      initializers: this.#initializers,
      input: {
        name: inputTensor,
        type: lookup === null ? "float32" : "uint8",
        shape: inLayout(inputShape, layout),
        isImage: lookup !== null,
      },
      output: { name: output, type: "float32", shape: inLayout(shape, layout) },
    };
  }

  #weights(node: LayerNode): string[] {
    const names: string[] = [];
    const weight = this.#parameters.get(`${node.name}.weight`)!;
    const isConvolution = node.layer.kind === "conv2d";
    const [outputs = 0, ...window] = weight.shape;
    const shape = isConvolution ? [outputs, ...inLayout(window, "nchw")] : weight.shape;
    const values = () => (isConvolution ? channelsFirst(weight.data, weight.shape) : weight.data);
    names.push(this.#parameter(`${node.name}.weight`, shape, values));
    if ("bias" in node.layer && node.layer.bias) {
      const bias = this.#parameters.get(`${node.name}.bias`)!;
      names.push(this.#parameter(`${node.name}.bias`, bias.shape, () => bias.data));
    }
    return names;
  }

  #parameter(name: string, shape: Shape, values: () => Float32Array): string {
    this.#initializers.push({ name, shape, values });
    return name;
  }

  /** What the graph itself needs: in a node, so that the file's initialisers are the network's parameters. */
  #constant(name: string, shape: Shape, values: Constant["values"]): string {
    return this.#emit(name, "Constant", [], { value: { shape, values } });
  }

  /** The name of a value in a layout, which is made by a Transpose when first asked for. */
  #in(value: Value, layout: ImageLayout): string {
    const known = value.names.get(layout);
    if (known !== undefined) return known;
    const [, source] = asMade(value);
    if (!isImage(value.shape)) return source;
    const perm = layout === "nchw" ? [0, 3, 1, 2] : [0, 2, 3, 1];
    const name = this.#emit(`${value.owner}/${layout}`, "Transpose", [source], { perm });
    value.names.set(layout, name);
    return name;
  }

  #value(
    shape: Shape,
    layout: ImageLayout,
    node: LayerNode,
    operation: string,
    inputs: readonly string[],
    attributes: GraphNode["attributes"] = {},
  ): Value {
    return {
      owner: node.name,
      shape,
      names: new Map([[layout, this.#emit(node.name, operation, inputs, attributes)]]),
    };
  }

  /** Adds a node. A "/" is in no layer's name, so values never meet each other, parameters or the ends of the graph. */
  #emit(
    name: string,
    operation: string,
    inputs: readonly string[],
    attributes: GraphNode["attributes"] = {},
  ): string {
    const output = `${name}/output`;
    this.#nodes.push({ name, operation, inputs, output, attributes });
    return output;
  }
}

function isImage(shape: Shape): boolean {
  return shape.length === 3;
}

function inLayout(shape: Shape, layout: ImageLayout): Shape {
  return layout === "nchw" && isImage(shape) ? [shape[2]!, shape[0]!, shape[1]!] : shape;
}

/** The layout and the name under which a value was made: the first of its names. */
function asMade(value: Value): readonly [ImageLayout, string] {
  const [first] = value.names;
  return first!;
}

function joined(tables: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(256 * tables.length);
  tables.forEach((table, channel) => all.set(table, 256 * channel));
  return all;
}
