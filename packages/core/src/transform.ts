import { ConfigError } from "./errors.ts";

/** How the bytes of an image become a network's input: steps in order, as data that JSON can hold. */
export type Transform = readonly TransformStep[];

/** Steps that move pixels come first; `normalise` makes numbers of bytes and is the last. Without it the bytes are the numbers. */
export type TransformStep = PermuteStep | NormaliseStep;

/** Pixel p becomes pixel `permutation[p]`, counted row by row, with all its channels. */
export interface PermuteStep {
  readonly kind: "permute";
  readonly permutation: readonly number[];
}

/** (byte / 255 - mean) / std, computed in double and rounded to float32 once. */
export interface NormaliseStep {
  readonly kind: "normalise";
  /** Of each channel, of pixels scaled to 0..1; each std > 0. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What all steps of a transform come to, for images of one shape. */
export interface PixelLookup {
  /** Which pixel of the image is pixel p of the input; null where each stays where it is. */
  readonly pixels: Int32Array | null;
  /** For each channel the input's number for each of the 256 bytes. */
  readonly tables: readonly Float32Array[];
}

type ImageShape = readonly [height: number, width: number, channels: number];

/**
 * The steps of a transform as two look-ups: training reads images by them, and an exported graph holds them, so that both
 * have the same bits without doing the same arithmetic.
 *
 * @param shape - of the images: [height, width, channels]
 * @throws ConfigError BAD_PERMUTATION, BAD_NORMALISATION when a step does not fit the images, BAD_TRANSFORM when a step follows
 *   `normalise` or is none
 */
export function pixelLookup(transform: Transform, shape: ImageShape): PixelLookup {
  const [height, width, channels] = shape;
  let pixels: Int32Array | null = null;
  let tables: readonly Float32Array[] | null = null;
  for (const step of transform) {
    if (tables !== null) {
      throw new ConfigError(
        "BAD_TRANSFORM",
        `"${step.kind}" follows "normalise", which is a transform's last step`,
      );
    }
    switch (step.kind) {
      case "permute": {
        checkPermutation(step, height * width);
        const before: Int32Array | null = pixels;
        pixels = Int32Array.from(step.permutation, (pixel): number => before?.[pixel] ?? pixel);
        break;
      }
      case "normalise":
        tables = normalisationTables(step, channels);
        break;
      default:
        step satisfies never;
        throw new ConfigError(
          "BAD_TRANSFORM",
          `a transform's steps are "permute" and "normalise", not ${JSON.stringify(step)}`,
        );
    }
  }
  return { pixels, tables: tables ?? Array.from({ length: channels }, () => Float32Array.from(allBytes)) };
}

/**
 * A function that writes an image as the input of a network: `into` gets as many float32 as the image has bytes.
 *
 * @throws ConfigError as `pixelLookup`
 */
export function imageReader(
  transform: Transform,
  shape: ImageShape,
): (image: Uint8Array, into: Float32Array) => void {
  const { pixels, tables } = pixelLookup(transform, shape);
  const [height, width, channels] = shape;
  // Signed: of unsigned numbers the compiler makes doubles.
  const sources = Int32Array.from({ length: height * width * channels }, (_, k) => {
    const pixel = Math.floor(k / channels);
    return (pixels?.[pixel] ?? pixel) * channels + (k % channels);
  });
  return (image, into) => {
    tables.forEach((table, channel) => lookUp(image, sources, table, channel, channels, into));
  };
}

// Every pixel of every batch passes here. As a function of its own, without a variable of another one, the loop takes a third
// less time than inside of the reader.
function lookUp(
  image: Uint8Array,
  sources: Int32Array,
  table: Float32Array,
  from: number,
  step: number,
  into: Float32Array,
): void {
  for (let k = from; k < into.length; k += step) into[k] = table[image[sources[k]!]!]!;
}

const allBytes: readonly number[] = Array.from({ length: 256 }, (_, byte) => byte);

function normalisationTables({ mean, std }: NormaliseStep, channels: number): readonly Float32Array[] {
  const sound = [...mean, ...std].every(Number.isFinite) && std.every((value) => value > 0);
  if (mean.length !== channels || std.length !== channels || !sound) {
    throw new ConfigError(
      "BAD_NORMALISATION",
      `normalisation needs a finite mean and a finite, positive std for each of ${channels} channels, not [${mean.join(", ")}] and ` +
        `[${std.join(", ")}]`,
    );
  }
  const tables = mean.map((centre, channel) =>
    Float32Array.from(allBytes, (byte) => (byte / 255 - centre) / std[channel]!),
  );
  // Of a std that is next to nothing infinities are made, which no network can be given.
  const channel = tables.findIndex((table) => !table.every(Number.isFinite));
  if (channel >= 0) {
    throw new ConfigError(
      "BAD_NORMALISATION",
      `a mean of ${mean[channel]} and a std of ${std[channel]} make numbers beyond float32 of channel ${channel}'s bytes`,
    );
  }
  return tables;
}

function checkPermutation({ permutation }: PermuteStep, pixels: number): void {
  const seen = new Set(permutation);
  const isInside = (pixel: number): boolean => Number.isInteger(pixel) && pixel >= 0 && pixel < pixels;
  if (permutation.length === pixels && seen.size === pixels && permutation.every(isInside)) return;
  throw new ConfigError(
    "BAD_PERMUTATION",
    `a permutation of ${pixels} pixels holds each of 0..${pixels - 1} once`,
  );
}
