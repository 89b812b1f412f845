import { ConfigError } from "@milliner/core";
import type { ImageSet, Normalisation } from "@milliner/data";
import type { Split } from "./task.ts";

/** How images become the input of a task. */
export interface ImageSplitOptions {
  /** The task's label of each of the set's classes. Default: the set's own labels. */
  readonly labels?: ReadonlyMap<number, number>;
  /** Mean and deviation of each channel, of pixels scaled to 0..1. */
  readonly normalisation: Normalisation;
  /** Pixel p of the input is pixel `permutation[p]` of the image, with all its channels. Default: as it is. */
  readonly permutation?: Uint32Array;
}

/**
 * Some images of a set, normalised as they are read: the bytes stay as they are and are not copied.
 *
 * @param indices - which images, in the order of the split; kept, not copied
 * @throws ConfigError when a label is not in the map, or normalisation or permutation do not fit the images
 */
export function imageSplit(set: ImageSet, indices: Uint32Array, options: ImageSplitOptions): Split {
  const { images, shape } = set;
  const [height, width, channels] = shape;
  const size = height * width * channels;
  const tables = normalisationTables(options.normalisation, channels);
  const sources = elementSources(height * width, channels, options.permutation);
  return {
    size: indices.length,
    shape,
    labels: Int32Array.from(indices, (index) => taskLabel(set.labels[index]!, options.labels)),
    read(positions, into) {
      for (let i = 0; i < positions.length; i++) {
        const start = indices[positions[i]!]! * size;
        const image = images.subarray(start, start + size);
        const to = into.subarray(i * size, (i + 1) * size);
        for (let channel = 0; channel < channels; channel++)
          lookUp(image, sources, tables[channel]!, channel, channels, to);
      }
    },
  };
}

// Every pixel of every batch passes here. As a function of its own, without a variable of another one, the loop takes a third
// less time than inside of `read`.
function lookUp(
  image: Uint8Array,
  sources: Int32Array,
  table: Float32Array,
  from: number,
  step: number,
  to: Float32Array,
): void {
  for (let k = from; k < to.length; k += step) to[k] = table[image[sources[k]!]!]!;
}

// (x / 255 - mean) / std for the 256 values of each channel, rounded to float32 once.
function normalisationTables({ mean, std }: Normalisation, channels: number): readonly Float32Array[] {
  const sound = [...mean, ...std].every(Number.isFinite) && std.every((value) => value > 0);
  if (mean.length !== channels || std.length !== channels || !sound) {
    throw new ConfigError(
      "BAD_NORMALISATION",
      `normalisation needs a finite mean and a finite, positive std for each of ${channels} channels, not [${mean.join(", ")}] and ` +
        `[${std.join(", ")}]`,
    );
  }
  return mean.map((center, channel) =>
    Float32Array.from({ length: 256 }, (_, value) => (value / 255 - center) / std[channel]!),
  );
}

// Signed: of unsigned numbers the compiler makes doubles.
function elementSources(pixels: number, channels: number, permutation: Uint32Array | undefined): Int32Array {
  if (permutation !== undefined) {
    const seen = new Set(permutation);
    if (
      permutation.length !== pixels ||
      seen.size !== pixels ||
      permutation.some((pixel) => pixel >= pixels)
    ) {
      throw new ConfigError(
        "BAD_PERMUTATION",
        `a permutation of ${pixels} pixels holds each of 0..${pixels - 1} once`,
      );
    }
  }
  return Int32Array.from({ length: pixels * channels }, (_, k) => {
    const pixel = Math.floor(k / channels);
    return (permutation === undefined ? pixel : permutation[pixel]!) * channels + (k % channels);
  });
}

function taskLabel(label: number, labels: ReadonlyMap<number, number> | undefined): number {
  const mapped = labels === undefined ? label : labels.get(label);
  if (mapped === undefined)
    throw new ConfigError("BAD_LABEL", `label ${label} belongs to no class of the task`);
  return mapped;
}

/**
 * Several splits one after the other, as one. `labelOffsets[i]` is added to the labels of split i, so that tasks with classes
 * of their own stay apart.
 * @throws ConfigError (`SHAPE_MISMATCH`) when the images differ in shape
 */
export function joinSplits(splits: readonly Split[], labelOffsets: readonly number[]): Split {
  const [first] = splits;
  if (first === undefined || splits.some(({ shape }) => shape.join() !== first.shape.join())) {
    const shapes = splits.map(({ shape }) => `[${shape.join(", ")}]`).join(" and ");
    throw new ConfigError("SHAPE_MISMATCH", `splits of one shape can be joined, not ${shapes || "none"}`);
  }
  const pixels = first.shape[0] * first.shape[1] * first.shape[2];
  const starts: number[] = [];
  let size = 0;
  for (const split of splits) {
    starts.push(size);
    size += split.size;
  }
  const labels = new Int32Array(size);
  splits.forEach((split, i) =>
    labels.set(
      split.labels.map((label) => label + labelOffsets[i]!),
      starts[i],
    ),
  );
  return {
    size,
    shape: first.shape,
    labels,
    read(positions, into) {
      for (let i = 0; i < positions.length; i++) {
        const position = positions[i]!;
        const part = starts.findLastIndex((start) => start <= position);
        splits[part]!.read([position - starts[part]!], into.subarray(i * pixels, (i + 1) * pixels));
      }
    },
  };
}
