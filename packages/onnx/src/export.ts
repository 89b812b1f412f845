import {
  ConfigError,
  elements,
  outputShape,
  parameterSpecs,
  ShapeError,
  type Network,
  type Parameters,
} from "@milliner/core";
import { checkNetwork, checkParameters } from "./check-network.ts";
import { encodeModel } from "./graph.ts";
import { checkMessageSize } from "./message-writer.ts";
import { parameterHash } from "./parameter-hash.ts";
import { translate, type ImageLayout } from "./translate.ts";

/** What the inputs had subtracted from them and were divided by: `(x - mean) / std` for each channel. */
export interface Normalisation {
  /** As many as the input's last dimension in core (channels, or features), or one number for all. */
  readonly mean: readonly number[];
  /** As many as `mean`, each > 0. */
  readonly std: readonly number[];
  /** The model subtracts and divides itself. Default false: the caller does, and the metadata says by what. */
  readonly inGraph?: boolean;
}

/** What an exported model says of itself, and in which form it takes and gives values. */
export interface ExportOptions {
  /**
   * Form of images: `x` is [batch, channels, height, width] (`nchw`, the default, what servers expect) or [batch, height,
   * width, channels] (`nhwc`, as in core). Inputs that are no images keep their shape behind the batch.
   */
  readonly layout?: ImageLayout;
  /** Name of the graph, shown by viewers. Default `milliner`. */
  readonly name?: string;
  /** Names of the classes in the order of the logits, written as `milliner.classes`. */
  readonly classes?: readonly string[];
  /** Name of the task, written as `milliner.task`. */
  readonly task?: string;
  readonly normalisation?: Normalisation;
  /** The output is `probabilities`, which sum to 1, in place of `logits`. Default false. */
  readonly softmax?: boolean;
  /** Further metadata; keys that begin with `milliner.` are reserved. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * A network as the bytes of an ONNX file (opset 17, IR 8): one float32 input `x`, one output `logits` or `probabilities`,
 * both with a first dimension `batch` of any size. Dropout is left out; weights are core's, in core's order, but for
 * convolutions', which ONNX has as [out, in, kernelHeight, kernelWidth]. A pruned network of `compact` is written like any
 * other and is as small as it looks.
 *
 * The same network, parameters and options give the same bytes, in every process and on every machine: the file holds no
 * date and no version. Its metadata, in this order: `milliner.format` (`1`), `milliner.layout` (`nchw`, `nhwc`; only for
 * images), `milliner.task`, `milliner.classes` (a JSON array), `milliner.normalise` (JSON: `mean`, `std`, `inGraph`), each
 * where it was given, `milliner.hash` (SHA-256 over the parameters), and the caller's by key.
 *
 * @param network - its output is what the model gives; a body with the head of a task for logits
 * @param parameters - by name, `NODE.weight` and `NODE.bias`, all finite; others may be present
 * @returns bytes that the caller owns
 * @throws ConfigError when a parameter is missing (MISSING_PARAMETER), the network is no network, an option makes no sense
 *   (BAD_OPTION, RESERVED_KEY), or the file would take 2 GiB or more (MODEL_TOO_LARGE)
 * @throws ShapeError SHAPE_MISMATCH when a layer, a parameter, the classes or the normalisation does not fit
 * @throws NumericError NOT_FINITE when a parameter holds NaN or an infinity
 */
export function exportNetwork(
  network: Network,
  parameters: Parameters,
  options: ExportOptions = {},
): Uint8Array {
  checkNetwork(network);
  const { layout = "nchw", name = "milliner", softmax = false } = options;
  if (layout !== "nchw" && layout !== "nhwc") {
    throw new ConfigError("BAD_OPTION", `layout is "nchw" or "nhwc", not ${JSON.stringify(layout)}`);
  }
  checkText("the graph's name", name);
  checkOutput(network, options);
  const normalisation =
    options.normalisation === undefined ? undefined : rounded(network, options.normalisation);
  const given = Object.entries(options.metadata ?? {});
  for (const [key, value] of given) checkEntry(key, value);
  // Before the parameters are read, so that a model that cannot be written costs no pass over them.
  checkMessageSize(parameterSpecs(network).reduce((bytes, { shape }) => bytes + 4 * elements(shape), 0));
  checkParameters(network, parameters);

  const graph = translate(network, parameters, {
    name,
    layout,
    softmax,
    normalisation: options.normalisation?.inGraph === true ? normalisation : undefined,
  });
  const metadata: [string, string][] = [["milliner.format", "1"]];
  if (network.inputShape.length === 3) metadata.push(["milliner.layout", layout]);
  if (options.task !== undefined) metadata.push(["milliner.task", options.task]);
  if (options.classes !== undefined) metadata.push(["milliner.classes", JSON.stringify(options.classes)]);
  if (options.normalisation !== undefined) {
    const { mean, std, inGraph = false } = options.normalisation;
    metadata.push(["milliner.normalise", JSON.stringify({ mean, std, inGraph })]);
  }
  metadata.push(["milliner.hash", parameterHash(network, parameters)]);
  // By code unit, not by locale: the order is part of the bytes.
  metadata.push(...given.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return encodeModel(graph, metadata);
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

/** Mean and deviation in float32, as the graph computes with them. */
function rounded(network: Network, { mean, std }: Normalisation): { mean: Float32Array; std: Float32Array } {
  const channels = network.inputShape.at(-1)!;
  if (mean.length !== std.length || (mean.length !== 1 && mean.length !== channels)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `normalisation has ${mean.length} means and ${std.length} deviations for an input of ${channels} channels; give ` +
        `${channels} of each, or one for all`,
    );
  }
  const result = { mean: Float32Array.from(mean), std: Float32Array.from(std) };
  if (!result.mean.every(Number.isFinite) || !result.std.every((value) => value > 0 && value < Infinity)) {
    throw new ConfigError(
      "BAD_OPTION",
      `normalisation needs finite means and deviations above 0, not [${mean.join(", ")}] and [${std.join(", ")}]`,
    );
  }
  return result;
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
