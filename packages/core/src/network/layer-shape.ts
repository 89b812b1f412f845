import { ConfigError, ShapeError } from "../errors.ts";
import { elements, type Shape } from "../tensor.ts";
import type { Layer } from "./layer.ts";

function describe(shape: Shape): string {
  return `[n, ${shape.join(", ")}]`;
}

/** @throws ConfigError unless `value` is a whole number from 1 up */
export function checkSize(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new ConfigError("BAD_SIZE", `${what} must be a whole number from 1 up, not ${value}`);
  }
}

function imageShape(shape: Shape, name: string): readonly [number, number, number] {
  if (shape.length !== 3) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `"${name}" expects images [n, height, width, channels] but got ${describe(shape)}`,
    );
  }
  return [shape[0]!, shape[1]!, shape[2]!];
}

function windows(size: number, kernel: number, stride: number, padding: number, name: string): number {
  const count = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  if (count < 1) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `"${name}": a window of ${kernel} does not fit into ${size} pixels`,
    );
  }
  return count;
}

/**
 * Shape of one example of a layer's output.
 *
 * @param inputs - shapes of one example of what it reads; `add` reads two, `concat` at least one, all others one
 * @param name - what messages call the layer
 * @throws ShapeError when the layer does not fit its inputs; ConfigError for sizes that make no sense
 */
export function layerShape(layer: Layer, inputs: readonly Shape[], name: string): Shape {
  const [first, second] = inputs;
  if (first === undefined)
    throw new ConfigError("EMPTY_CONCAT", `"${name}" reads nothing; concat needs at least one block`);
  switch (layer.kind) {
    case "linear":
      checkSize(layer.outputs, `the units of "${name}"`);
      if (first.length !== 1) {
        throw new ShapeError(
          "SHAPE_MISMATCH",
          `linear "${name}" expects [n, features] but got ${describe(first)}; put flatten() before it`,
        );
      }
      checkInputs(layer.inputs, first, name);
      return [layer.outputs];
    case "conv2d": {
      checkSize(layer.outputs, `the channels of "${name}"`);
      const [height, width] = imageShape(first, name);
      checkInputs(layer.inputs, first, name);
      checkWindow([...layer.kernel, ...layer.stride], name);
      const { kernel, stride, padding } = layer;
      if (
        !padding.every((pixels, i) => Number.isSafeInteger(pixels) && pixels >= 0 && pixels <= kernel[i]!)
      ) {
        throw new ConfigError(
          "BAD_SIZE",
          `the padding of "${name}" holds whole numbers from 0 to the kernel's size, not ${padding.join(", ")}`,
        );
      }
      return [
        windows(height, kernel[0], stride[0], padding[0], name),
        windows(width, kernel[1], stride[1], padding[1], name),
        layer.outputs,
      ];
    }
    case "max-pool2d": {
      const [height, width, channels] = imageShape(first, name);
      checkWindow([...layer.kernel, ...layer.stride], name);
      const { kernel, stride } = layer;
      return [
        windows(height, kernel[0], stride[0], 0, name),
        windows(width, kernel[1], stride[1], 0, name),
        channels,
      ];
    }
    case "dropout":
      if (!(layer.p >= 0 && layer.p < 1)) {
        throw new ConfigError(
          "BAD_DROPOUT",
          `dropout takes a probability from 0 up to, but not, 1; got ${layer.p}`,
        );
      }
      return first;
    case "relu":
      return first;
    case "flatten":
      return [elements(first)];
    case "add":
      if (second === undefined || inputs.length !== 2 || first.join() !== second.join()) {
        throw new ShapeError(
          "SHAPE_MISMATCH",
          `a residual block adds two outputs of one shape, but "${name}" gets ${inputs.map(describe).join(" and ")}; ` +
            `give it a shortcut that fits`,
        );
      }
      return first;
    case "concat":
      if (inputs.some((other) => other.slice(0, -1).join() !== first.slice(0, -1).join())) {
        throw new ShapeError(
          "SHAPE_MISMATCH",
          `concat joins shapes that differ: ${inputs.map(describe).join(" and ")}`,
        );
      }
      return [...first.slice(0, -1), inputs.reduce((sum, other) => sum + other.at(-1)!, 0)];
    default:
      return layer satisfies never;
  }
}

function checkInputs(expected: number, shape: Shape, name: string): void {
  if (shape.at(-1) !== expected) {
    throw new ShapeError("SHAPE_MISMATCH", `"${name}" expects ${expected} inputs but got ${describe(shape)}`);
  }
}

function checkWindow(sizes: readonly number[], name: string): void {
  for (const size of sizes) checkSize(size, `kernel and stride of "${name}"`);
}
