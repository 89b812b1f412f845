import { checkKeys, ConfigError, imageReader, type Transform } from "@milliner/core";
import type { ImageSet } from "@milliner/data";
import { readImages } from "./batches.ts";
import type { Split } from "./task.ts";

/** How images become the input of a task. */
export interface ImageSplitOptions {
  /** The task's label of each of the set's classes. Default: the set's own labels. */
  readonly labels?: ReadonlyMap<number, number>;
  readonly transform: Transform;
}

/**
 * Some images of a set, transformed as they are read: the bytes stay as they are and are not copied.
 *
 * @param indices - which images, in the order of the split; kept, not copied
 * @throws ConfigError when a label is not in the map, or the transform does not fit the images
 */
export function imageSplit(set: ImageSet, indices: Uint32Array, options: ImageSplitOptions): Required<Split> {
  checkKeys("imageSplit", options, { labels: true, transform: true });
  const { images, shape } = set;
  const [height, width, channels] = shape;
  const size = height * width * channels;
  const transform = imageReader(options.transform, shape);
  const image = (position: number): Uint8Array => {
    const start = indices[position]! * size;
    return images.subarray(start, start + size);
  };
  return {
    size: indices.length,
    shape,
    labels: Int32Array.from(indices, (index) => taskLabel(set.labels[index]!, options.labels)),
    read(positions, into) {
      for (let i = 0; i < positions.length; i++)
        transform(image(positions[i]!), into.subarray(i * size, (i + 1) * size));
    },
    readBytes(positions, into) {
      for (let i = 0; i < positions.length; i++) into.set(image(positions[i]!), i * size);
    },
  };
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
      Int32Array.from(split.labels, (label) => label + labelOffsets[i]!), // where they are bytes, their own map ends at 255
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
        readImages(splits[part]!, [position - starts[part]!], into.subarray(i * pixels, (i + 1) * pixels));
      }
    },
  };
}
