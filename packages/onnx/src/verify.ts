import { types } from "node:util";
import { checkKeys, ConfigError, elements, NumericError, ShapeError } from "@milliner/core";
import { channelsFirst } from "./channels-first.ts";
import { inspectModel, type ModelSummary } from "./inspect.ts";
import { OnnxError } from "./onnx-error.ts";
import { loadOnnxRuntime, type OnnxRuntime, type OnnxSession } from "./runtime.ts";
import type { ImageLayout } from "./translate.ts";

/** Inputs and what core makes of them. */
export interface VerificationBatch {
  /** What the model is given: the bytes of images where it has the transform in it, else what core was given. */
  readonly images: Float32Array | Uint8Array;
  /** Shape of `images` in core's order: [n, height, width, channels] or [n, features]. */
  readonly shape: readonly number[];
  /** Core's logits for them, [n, classes]; for a model that gives probabilities too. */
  readonly logits: Float32Array;
  /** The right class of each image, [n], where the model's accuracy is asked for. */
  readonly labels?: Int32Array;
}

export interface VerificationOptions {
  /** Largest difference that is accepted, as a part of the largest |logit| of all images. Default 1e-5. */
  readonly tolerance?: number;
  /** Threads of onnxruntime. Default 1. */
  readonly threads?: number;
  /** Where the model has the channels of an image. Default: what the exporter wrote into it. */
  readonly layout?: ImageLayout;
  /** The runtime, where the caller has loaded it. */
  readonly runtime?: OnnxRuntime;
}

/** How a model compares with core. */
export interface ModelVerification {
  readonly images: number;
  /** Images for which both choose the same class; the first of equal ones. */
  readonly sameArgmax: number;
  /** Images whose two largest logits are nearer than 2 x tolerance: there either class is accepted. */
  readonly ties: number;
  /** Largest difference of a logit over the largest |logit| of all images (of a probability: over the largest one). */
  readonly largestDifference: number;
  readonly tolerance: number;
  /** Share of images whose largest answer of the model is that of its label, 0..1; null where a batch had no labels. */
  readonly accuracy: number | null;
  /** Whether the difference is within the tolerance, and the class the same for every image but ties. */
  readonly ok: boolean;
  /** Version of onnxruntime-node that ran the model. */
  readonly runtime: string;
}

/**
 * Runs a model through onnxruntime on inputs whose logits core has computed, and compares. The two sum in different orders,
 * so they agree within a tolerance and not bit for bit; 1e-5 of the largest logit is nine times what was measured for a
 * multilayer perceptron of width 2000.
 *
 * @param model - bytes of `exportNetwork`, or of any model of one input, bytes or float32, that keeps its data in one file
 * @param batches - read once, one at a time
 * @throws OnnxError RUNTIME_MISSING without onnxruntime-node (`loadOnnxRuntime` tells beforehand), RUNTIME_FAILED when it
 *   refuses the model, UNSUPPORTED_MODEL for a model that cannot be compared, the reader's codes for one that is damaged
 * @throws ShapeError SHAPE_MISMATCH when a batch's arrays do not fit its shape or the model's output
 * @throws NumericError NOT_FINITE when core's logits are not
 * @throws ConfigError NO_IMAGES, BAD_OPTION
 */
export async function verifyModel(
  model: Uint8Array,
  batches: Iterable<VerificationBatch>,
  options: VerificationOptions = {},
): Promise<ModelVerification> {
  checkKeys("verifyModel", options, { tolerance: true, threads: true, layout: true, runtime: true });
  const { tolerance = 1e-5, threads = 1 } = options;
  if (!(tolerance > 0 && tolerance < Infinity)) {
    throw new ConfigError("BAD_OPTION", `the tolerance must be a number above 0, not ${tolerance}`);
  }
  const summary = inspectModel(model, "the model");
  if (summary.externalData.length > 0) {
    throw new OnnxError(
      "UNSUPPORTED_MODEL",
      "the model keeps its data in other files, which verification does not open",
    );
  }
  const runtime = options.runtime ?? (await loadOnnxRuntime());
  if ("missing" in runtime) throw new OnnxError("RUNTIME_MISSING", runtime.missing);
  const session = await runtime.load(model, { threads });
  try {
    if (session.inputs.length !== 1) {
      const names = session.inputs.join(", ");
      throw new OnnxError(
        "UNSUPPORTED_MODEL",
        `the model has inputs ${names}; verification gives it one, the images`,
      );
    }
    const comparison = new Comparison();
    const takesBytes = summary.inputs.some(
      ({ name, dtype }) => name === session.inputs[0] && dtype === "uint8",
    );
    const probabilities = session.outputs[0] === "probabilities";
    for (const batch of batches) {
      checkType(batch, takesBytes);
      await compareBatch(session, batch, layoutOf(summary, batch, options), probabilities, comparison);
    }
    return { ...comparison.result(tolerance), runtime: runtime.version };
  } finally {
    await session.release();
  }
}

function layoutOf(
  summary: ModelSummary,
  batch: VerificationBatch,
  { layout }: VerificationOptions,
): ImageLayout {
  const found = layout ?? summary.metadata.get("milliner.layout");
  if (found === "nchw" || found === "nhwc") return found;
  if (batch.shape.length !== 4) return "nhwc";
  throw new ConfigError(
    "BAD_OPTION",
    'the model does not say where it has channels; give layout "nchw" or "nhwc"',
  );
}

function checkType({ images }: VerificationBatch, takesBytes: boolean): void {
  if (types.isUint8Array(images) === takesBytes) return;
  throw new ConfigError(
    "BAD_OPTION",
    takesBytes
      ? "the model takes the bytes of images (uint8), but the batch holds float32; give the bytes as the image file has them"
      : "the model takes float32, but the batch holds bytes; give it what the network itself is given",
  );
}

async function compareBatch(
  session: OnnxSession,
  { images, shape, logits, labels }: VerificationBatch,
  layout: ImageLayout,
  probabilities: boolean,
  comparison: Comparison,
): Promise<void> {
  const [n = 0, ...rest] = shape;
  if (images.length !== elements(shape) || n === 0 || logits.length % n !== 0) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `a batch of shape [${shape.join(", ")}] has ${images.length} values and ${logits.length} logits, which do not fit`,
    );
  }
  if (!logits.every(Number.isFinite)) {
    throw new NumericError(
      "NOT_FINITE",
      "core's logits hold NaN or an infinity; there is nothing to compare with",
    );
  }
  const transposed = layout === "nchw" && rest.length === 3;
  const [height = 0, width = 0, channels = 0] = rest;
  const found = transposed
    ? await session.run(channelsFirst(images, shape), [n, channels, height, width])
    : await session.run(images, shape);
  const classes = logits.length / n;
  if (found.data.length !== logits.length || found.shape[0] !== n) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `the model answers [${found.shape.join(", ")}] where core has [${n}, ${classes}]: is it of another task?`,
    );
  }
  for (let image = 0; image < n; image++) {
    const row = logits.subarray(image * classes, (image + 1) * classes);
    comparison.add(
      probabilities ? softmax(row) : row,
      found.data.subarray(image * classes, (image + 1) * classes),
      labels?.[image],
    );
  }
}

/** Gathers differences; they are judged when the largest logit of all is known. */
class Comparison {
  #difference = 0;
  #scale = 0;
  #sameArgmax = 0;
  #right = 0;
  #labelled = 0;
  /** By how much the largest logit of each image exceeds the second. */
  readonly #margins: number[] = [];
  /** By how much it exceeds the one that the model chose, where that is another. */
  readonly #losses: number[] = [];

  add(expected: ArrayLike<number>, found: ArrayLike<number>, label?: number): void {
    const best = argmax(expected);
    let second = -Infinity;
    for (let i = 0; i < expected.length; i++) {
      const value = expected[i]!;
      const difference = Math.abs(found[i]! - value);
      // NaN compares with nothing: it counts as the largest difference there is.
      this.#difference = Math.max(this.#difference, Number.isNaN(difference) ? Infinity : difference);
      this.#scale = Math.max(this.#scale, Math.abs(value));
      if (i !== best) second = Math.max(second, value);
    }
    this.#margins.push(expected[best]! - second);
    const chosen = argmax(found);
    if (label !== undefined) this.#labelled++;
    if (chosen === label) this.#right++;
    if (chosen === best) this.#sameArgmax++;
    else this.#losses.push(expected[best]! - expected[chosen]!);
  }

  result(tolerance: number): Omit<ModelVerification, "runtime"> {
    const images = this.#margins.length;
    if (images === 0)
      throw new ConfigError(
        "NO_IMAGES",
        "a model cannot be verified without images; give at least one batch",
      );
    const largestDifference = this.#difference === 0 ? 0 : this.#difference / this.#scale;
    const near = 2 * tolerance * this.#scale;
    return {
      images,
      sameArgmax: this.#sameArgmax,
      ties: this.#margins.filter((margin) => margin < near).length,
      largestDifference,
      tolerance,
      accuracy: this.#labelled === images ? this.#right / images : null,
      ok: largestDifference <= tolerance && this.#losses.every((loss) => loss < near),
    };
  }
}

function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

function softmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  const exponentials = Float64Array.from(logits, (value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}
