import {
  checkKeys,
  ConfigError,
  elements,
  outputShape,
  parameterSpecs,
  pixelLookup,
  ShapeError,
  type OptionKeys,
  type Network,
  type Parameters,
  type PixelLookup,
  type Transform,
} from "@milliner/core";
import { checkNetwork, checkParameters } from "./check-network.ts";
import { encodeModel } from "./graph.ts";
import { checkMessageSize, type MessageWriter } from "./message-writer.ts";
import { parameterHash } from "./parameter-hash.ts";
import { translate, type ImageLayout, type Weights } from "./translate.ts";

/** What an exported model says of itself, and in which form it takes and gives values. */
export interface ExportOptions {
  /**
   * How the bytes of an image become the network's input: `task.transform`. The model takes images as bytes (uint8, 0..255)
   * and does the same. `"none"`: it takes float32, what the network itself is given, and whoever serves it has to make that.
   */
  readonly transform: Transform | "none";
  /**
   * Form of images: `x` is [batch, height, width, channels] (`nhwc`, as image files and core have them; the default for
   * bytes) or [batch, channels, height, width] (`nchw`; the default without a transform, what servers of floats expect).
   * Inputs that are no images keep their shape behind the batch.
   */
  readonly layout?: ImageLayout;
  /** Name of the graph, shown by viewers. Default `milliner`. */
  readonly name?: string;
  /** Names of the classes in the order of the logits, written as `milliner.classes`. */
  readonly classes?: readonly string[];
  /** Name of the task, written as `milliner.task`. */
  readonly task?: string;
  /** The output is `probabilities`, which sum to 1, in place of `logits`. Default false. */
  readonly softmax?: boolean;
  /** Further metadata, also in place of what the exporter says of images; keys that begin with `milliner.` are reserved. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const exportKeys: OptionKeys<ExportOptions> = {
  transform: true,
  layout: true,
  name: true,
  classes: true,
  task: true,
  softmax: "switch",
  metadata: true,
};

/**
 * A network as the bytes of an ONNX file (opset 17, IR 8): one input `x`, the bytes of images or float32, and one float32
 * output `logits` or `probabilities`, both with a first dimension `batch` of any size. A transform stands at the graph's
 * begin and gives the bits that training read. Dropout is left out; weights are core's, in core's order, but for
 * convolutions', which ONNX has as [out, in, kernelHeight, kernelWidth]. A pruned network of `compact` is written like any
 * other and is as small as it looks.
 *
 * The same network, parameters and options give the same bytes, in every process and on every machine: the file holds no
 * date and no version. Its metadata, in this order: `milliner.format` (`2`), `milliner.layout` (`nchw`, `nhwc`; only for
 * images), `milliner.task`, `milliner.classes` (a JSON array), each where it was given, `milliner.transform` (JSON: the steps
 * that the graph does; without the permutation's numbers), `milliner.hash` (SHA-256 over the parameters), and by key the
 * caller's and, where the model takes bytes, ONNX's `Image.NominalPixelRange` (`NominalRange_0_255`: the range before all
 * steps) and `Image.BitmapPixelFormat` (`Gray8` for one channel, `Rgb8` for three).
 *
 * @param network - its output is what the model gives; a body with the head of a task for logits
 * @param parameters - by name, `NODE.weight` and `NODE.bias`, all finite; others may be present
 * @returns bytes that the caller owns
 * @throws ConfigError when the transform is not given (MISSING_TRANSFORM) or makes no sense (BAD_TRANSFORM, BAD_NORMALISATION,
 *   BAD_PERMUTATION), a parameter is missing (MISSING_PARAMETER), the network is no network, an option makes no sense
 *   (BAD_OPTION, RESERVED_KEY), or the file would take 2 GiB or more (MODEL_TOO_LARGE)
 * @throws ShapeError SHAPE_MISMATCH when a layer, a parameter or the classes do not fit, or there is a transform and the
 *   network's input is no image
 * @throws NumericError NOT_FINITE when a parameter holds NaN or an infinity
 */
export function exportNetwork(network: Network, parameters: Parameters, options: ExportOptions): Uint8Array {
  const hash = (): string => {
    // Before the parameters are read, so that a model that cannot be written costs no pass over them.
    checkMessageSize(parameterSpecs(network).reduce((bytes, { shape }) => bytes + 4 * elements(shape), 0));
    checkParameters(network, parameters);
    return parameterHash(network, parameters);
  };
  return modelOf(network, () => parameters, options, hash).finish();
}

/**
 * The bytes that `exportNetwork` would write, also where that is more than an ONNX file can hold: to compare with.
 *
 * @throws ConfigError, ShapeError as `exportNetwork`, but for parameters and size
 */
export function exportedBytes(network: Network, options: ExportOptions): number {
  const unread = new Float32Array(0);
  const parameters = (): Weights =>
    new Map(parameterSpecs(network).map(({ name, shape }) => [name, { shape, data: unread }]));
  return modelOf(network, parameters, options, () => "0".repeat(64)).size;
}

/**
 * @param parameters - asked for when the network is known to be one
 * @param hashOf - checks the parameters and hashes them, when the rest is known to be sound
 */
function modelOf(
  network: Network,
  parameters: () => Weights,
  options: ExportOptions,
  hashOf: () => string,
): MessageWriter {
  checkNetwork(network);
  const lookup = lookupOf(network, options);
  checkKeys("exportNetwork", options, exportKeys);
  const { layout = lookup === null ? "nchw" : "nhwc", name = "milliner", softmax = false } = options;
  if (layout !== "nchw" && layout !== "nhwc") {
    throw new ConfigError("BAD_OPTION", `layout is "nchw" or "nhwc", not ${JSON.stringify(layout)}`);
  }
  checkText("the graph's name", name);
  checkOutput(network, options);
  const given = Object.entries(options.metadata ?? {});
  for (const [key, value] of given) checkEntry(key, value);
  const hash = hashOf();

  const graph = translate(network, parameters(), { name, layout, softmax, lookup });
  const metadata: [string, string][] = [["milliner.format", "2"]];
  if (network.inputShape.length === 3) metadata.push(["milliner.layout", layout]);
  if (options.task !== undefined) metadata.push(["milliner.task", options.task]);
  if (options.classes !== undefined) metadata.push(["milliner.classes", JSON.stringify(options.classes)]);
  if (options.transform !== "none") metadata.push(["milliner.transform", transformText(options.transform)]);
  metadata.push(["milliner.hash", hash]);
  const others = new Map([...(lookup === null ? [] : imageMetadata(network.inputShape.at(-1)!)), ...given]);
  // By code unit, not by locale: the order is part of the bytes.
  metadata.push(...[...others].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return encodeModel(graph, metadata);
}

/** A model without its transform answers wrongly in silence, so that there is none has to be said. */
function lookupOf({ inputShape }: Network, options: Partial<ExportOptions> | undefined): PixelLookup | null {
  const transform = options?.transform;
  if (transform === "none") return null;
  if (!Array.isArray(transform)) {
    throw new ConfigError(
      "MISSING_TRANSFORM",
      "nothing says how an image becomes the network's input; give transform: task.transform, so that the model does it, or " +
        'transform: "none" for a model of the float32 values that the network itself is given',
    );
  }
  const [height, width, channels] = inputShape;
  if (inputShape.length !== 3 || height === undefined || width === undefined || channels === undefined) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `a transform is of images, but the network takes [n, ${inputShape.join(", ")}] and not [n, height, width, channels]; ` +
        'begin it with flatten(), or say transform: "none"',
    );
  }
  return pixelLookup(transform, [height, width, channels]);
}

function transformText(transform: Transform): string {
  return JSON.stringify(
    transform.map((step) =>
      step.kind === "permute" ? { kind: step.kind, pixels: step.permutation.length } : step,
    ),
  );
}

/** What ONNX has to say of an input that is an image. */
function imageMetadata(channels: number): readonly [string, string][] {
  const format = channels === 1 ? "Gray8" : channels === 3 ? "Rgb8" : undefined;
  return [
    ...(format === undefined ? [] : [["Image.BitmapPixelFormat", format] as [string, string]]),
    ["Image.NominalPixelRange", "NominalRange_0_255"],
  ];
}

function checkOutput(network: Network, { classes, softmax, task }: ExportOptions): void {
  const shape = outputShape(network);
  if (task !== undefined) checkText("the task's name", task);
  if ((softmax === true || classes !== undefined) && shape.length !== 1) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `classes and probabilities need an output [n, classes], but "${network.output}" makes [n, ${shape.join(", ")}]; add a linear head`,
    );
  }
  if (classes === undefined) return;
  for (const each of classes) checkText("a class's name", each);
  if (classes.length !== shape[0]) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `${classes.length} classes were named, but the network has ${shape[0]} logits`,
    );
  }
}

function checkEntry(key: string, value: unknown): asserts value is string {
  if (key.startsWith("milliner.")) {
    throw new ConfigError(
      "RESERVED_KEY",
      `the metadata key "${key}" is the exporter's own; choose a prefix of yours`,
    );
  }
  if (key === "") throw new ConfigError("BAD_OPTION", "a metadata key is empty");
  checkText("a metadata key", key);
  checkText(`the metadata "${key}"`, value);
}

/** What the file stores must be text: half a surrogate pair would be written as another character. */
function checkText(what: string, text: unknown): asserts text is string {
  if (typeof text === "string" && !/\p{Surrogate}/u.test(text)) return;
  throw new ConfigError(
    "BAD_OPTION",
    `${what} must be text without unpaired surrogates, not ${JSON.stringify(text)}`,
  );
}
