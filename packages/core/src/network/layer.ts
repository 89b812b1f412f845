/**
 * The layers of a network as data. Sizes of inputs are filled in when the network is built. Images are [height, width,
 * channels]; a convolution's weight is [out, kernelHeight, kernelWidth, in], a linear layer's [out, in].
 */
export type Layer =
  | LinearLayer
  | Conv2dLayer
  | MaxPool2dLayer
  | { readonly kind: "relu" }
  | { readonly kind: "dropout"; readonly p: number }
  | { readonly kind: "flatten" }
  | { readonly kind: "add" }
  | { readonly kind: "concat" };

/** `y = x W' + b`. */
export interface LinearLayer {
  readonly kind: "linear";
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
}

/** Cross-correlation with zero padding, as in PyTorch's Conv2d. Pairs are [vertical, horizontal]. */
export interface Conv2dLayer {
  readonly kind: "conv2d";
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly bias: boolean;
}

/** Maximum over windows, no padding, incomplete windows dropped. */
export interface MaxPool2dLayer {
  readonly kind: "max-pool2d";
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
}

/** The shapes of a layer's parameters by their short names, in a fixed order. */
export function parameterShapes(
  layer: Layer,
): readonly (readonly [name: "weight" | "bias", shape: readonly number[]])[] {
  switch (layer.kind) {
    case "linear":
      return layer.bias
        ? [
            ["weight", [layer.outputs, layer.inputs]],
            ["bias", [layer.outputs]],
          ]
        : [["weight", [layer.outputs, layer.inputs]]];
    case "conv2d": {
      const weight = ["weight", [layer.outputs, ...layer.kernel, layer.inputs]] as const;
      return layer.bias ? [weight, ["bias", [layer.outputs]]] : [weight];
    }
    default:
      return [];
  }
}
