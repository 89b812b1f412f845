import { ConfigError } from "../errors.ts";
import { checkKeys } from "../option-keys.ts";
import type { Shape } from "../tensor.ts";
import { checkSize, layerShape } from "./layer-shape.ts";
import type { Layer } from "./layer.ts";

/** A layer at its place: what it reads (names of nodes, or `input`) and the shape of one example of its output. */
export interface LayerNode {
  readonly name: string;
  readonly layer: Layer;
  readonly inputs: readonly string[];
  readonly shape: Shape;
}

/**
 * A network is data: layers in an order in which each comes after what it reads, named parameters by `NODE.weight` and
 * `NODE.bias`. The same value is executed, gated, pruned, exported, drawn and saved as JSON.
 */
export interface Network {
  /** Shape of one example, without the batch: [height, width, channels] or [features]. */
  readonly inputShape: Shape;
  readonly nodes: readonly LayerNode[];
  /** Name of the node whose output is the network's. */
  readonly output: string;
}

/** Name of the network's input among the `inputs` of a node. */
export const inputName = "input";

/** Whether a layer may be called so: letters, digits, `_`, `-` and `.`, and no digit in front. */
export function isLayerName(name: string): boolean {
  return /^[A-Za-z_][\w.-]*$/.test(name);
}

/** A piece of a network that has not been given its place yet: what the combinators below make. */
export type Block =
  | {
      readonly kind: "linear";
      readonly units: number;
      readonly bias: boolean;
      readonly name: string | undefined;
    }
  | {
      readonly kind: "conv2d";
      readonly channels: number;
      readonly kernel: readonly [number, number];
      readonly stride: readonly [number, number];
      readonly padding: readonly [number, number];
      readonly bias: boolean;
      readonly name: string | undefined;
    }
  | {
      readonly kind: "max-pool2d";
      readonly kernel: readonly [number, number];
      readonly stride: readonly [number, number];
    }
  | { readonly kind: "relu" }
  | { readonly kind: "dropout"; readonly p: number }
  | { readonly kind: "flatten" }
  | { readonly kind: "sequential"; readonly blocks: readonly Block[] }
  | { readonly kind: "residual"; readonly body: Block; readonly shortcut: Block }
  | { readonly kind: "concat"; readonly blocks: readonly Block[] };

/** Name and bias of a layer with parameters. The default name is `fc1`, `fc2`, ... or `conv1`, `conv2`, ... */
export interface LayerOptions {
  readonly name?: string;
  readonly bias?: boolean;
}

/** One number for both directions, or [vertical, horizontal]. */
export type Size2d = number | readonly [number, number];

function pair(size: Size2d): readonly [number, number] {
  return typeof size === "number" ? [size, size] : size;
}

/** A fully connected layer with `units` outputs. */
export function linear(units: number, options: LayerOptions = {}): Block {
  checkKeys("linear", options, { name: true, bias: "switch" });
  return { kind: "linear", units, bias: options.bias ?? true, name: options.name };
}

/** A convolution with `channels` outputs; stride 1 and no padding unless said otherwise. */
export function conv2d(
  channels: number,
  kernel: Size2d,
  options: LayerOptions & { readonly stride?: Size2d; readonly padding?: Size2d } = {},
): Block {
  checkKeys("conv2d", options, { name: true, bias: "switch", stride: true, padding: true });
  return {
    kind: "conv2d",
    channels,
    kernel: pair(kernel),
    stride: pair(options.stride ?? 1),
    padding: pair(options.padding ?? 0),
    bias: options.bias ?? true,
    name: options.name,
  };
}

/** Max pooling; the stride is the window's size unless said otherwise. */
export function maxPool2d(kernel: Size2d, options: { readonly stride?: Size2d } = {}): Block {
  checkKeys("maxPool2d", options, { stride: true });
  return { kind: "max-pool2d", kernel: pair(kernel), stride: pair(options.stride ?? kernel) };
}

/** `max(x, 0)`. */
export function relu(): Block {
  return { kind: "relu" };
}

/** In training, zeroes each element with probability `p` and multiplies the others by 1 / (1 - p). */
export function dropout(p: number): Block {
  return { kind: "dropout", p };
}

/** [height, width, channels] to [height * width * channels]. */
export function flatten(): Block {
  return { kind: "flatten" };
}

/** One block after the other. */
export function sequential(...blocks: readonly Block[]): Block {
  return { kind: "sequential", blocks };
}

/** `body(x) + shortcut(x)`; the shortcut is the identity unless given. */
export function residual(body: Block, shortcut: Block = sequential()): Block {
  return { kind: "residual", body, shortcut };
}

/** The outputs of several blocks that read the same input, joined along the last dimension. */
export function concat(...blocks: readonly Block[]): Block {
  return { kind: "concat", blocks };
}

const defaultNames: Readonly<Record<Layer["kind"], string>> = {
  linear: "fc",
  conv2d: "conv",
  "max-pool2d": "pool",
  relu: "relu",
  dropout: "dropout",
  flatten: "flatten",
  add: "add",
  concat: "concat",
};

class Builder {
  readonly nodes: LayerNode[];
  readonly #shapes = new Map<string, Shape>();
  readonly #counts = new Map<string, number>();

  constructor(inputShape: Shape, nodes: readonly LayerNode[]) {
    this.nodes = [...nodes];
    this.#shapes.set(inputName, inputShape);
    for (const node of nodes) this.#shapes.set(node.name, node.shape);
  }

  shape(name: string): Shape {
    return this.#shapes.get(name)!;
  }

  #name(kind: Layer["kind"], wanted: string | undefined): string {
    if (wanted !== undefined) {
      if (!isLayerName(wanted)) {
        throw new ConfigError(
          "BAD_NAME",
          `a layer's name has letters, digits, "_", "-" and ".", not "${wanted}"`,
        );
      }
      if (this.#shapes.has(wanted)) {
        throw new ConfigError("DUPLICATE_NAME", `two layers are called "${wanted}"; give one another name`);
      }
      return wanted;
    }
    let name: string;
    do {
      const count = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, count);
      name = `${defaultNames[kind]}${count}`;
    } while (this.#shapes.has(name));
    return name;
  }

  #place(layer: Layer, inputs: readonly string[], name: string = this.#name(layer.kind, undefined)): string {
    const shape = layerShape(
      layer,
      inputs.map((input) => this.shape(input)),
      name,
    );
    this.nodes.push({ name, layer, inputs, shape });
    this.#shapes.set(name, shape);
    return name;
  }

  /** Places `block` behind the node `from` and returns the name of its output. */
  add(block: Block, from: string): string {
    // Units of what is read; a shape that does not fit is refused by `layerShape`.
    const inputs = this.shape(from).at(-1)!;
    switch (block.kind) {
      case "linear": {
        const { units: outputs, bias } = block;
        return this.#place(
          { kind: "linear", inputs, outputs, bias },
          [from],
          this.#name("linear", block.name),
        );
      }
      case "conv2d": {
        const { channels: outputs, kernel, stride, padding, bias } = block;
        const layer: Layer = { kind: "conv2d", inputs, outputs, kernel, stride, padding, bias };
        return this.#place(layer, [from], this.#name("conv2d", block.name));
      }
      case "max-pool2d":
      case "relu":
      case "dropout":
      case "flatten":
        return this.#place(block, [from]);
      case "sequential":
        return block.blocks.reduce((at, next) => this.add(next, at), from);
      case "residual":
        return this.#place({ kind: "add" }, [this.add(block.body, from), this.add(block.shortcut, from)]);
      case "concat":
        return this.#place(
          { kind: "concat" },
          block.blocks.map((branch) => this.add(branch, from)),
        );
      default:
        return block satisfies never;
    }
  }
}

/**
 * Gives every layer its place, name and sizes.
 * @param inputShape - shape of one example: [height, width, channels] or [features]
 * @throws ShapeError where a layer does not fit what comes before it; ConfigError for sizes and names that make no sense
 */
export function network(inputShape: Shape, ...blocks: readonly Block[]): Network {
  for (const size of inputShape) checkSize(size, "each size of the input shape");
  const builder = new Builder(inputShape, []);
  const output = builder.add(sequential(...blocks), inputName);
  return { inputShape: [...inputShape], nodes: builder.nodes, output };
}

/** The same network with `block` behind its output: how a body gets the head of a task. The names of `body` stay. */
export function extend(body: Network, block: Block): Network {
  const builder = new Builder(body.inputShape, body.nodes);
  const output = builder.add(block, body.output);
  return { inputShape: body.inputShape, nodes: builder.nodes, output };
}

/** Shape of one example of the network's output. */
export function outputShape(network: Network): Shape {
  return network.nodes.find((node) => node.name === network.output)?.shape ?? network.inputShape;
}
