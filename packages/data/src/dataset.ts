import { types } from "node:util";

import { labelBytes, type Numbers, pixelBytes, type PixelRange, rangeInWords } from "./byte-values.ts";
import { composedClasses, maxClasses, quotedClass } from "./class-names.ts";
import { DataError } from "./data-error.ts";
import { checkLabels } from "./idx.ts";

/**
 * Images and their labels as they lie in the original files: bytes, in the original order. Scaling, shuffling
 * and splitting into tasks are the business of `@milliner/continual`.
 */
export interface ImageSet {
  /** Pixels [labels.length, height, width, channels], row-major, 0..255. */
  readonly images: Uint8Array;
  /** Height, width and channels of one image; files of three dimensions have one channel. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /** The class of each image, an index into `classes`. */
  readonly labels: Uint8Array;
  /** Names by label. Not every class needs to occur; `createDataset` leaves out those that cannot be learned. */
  readonly classes: readonly string[];
}

/** Two sets of images of one shape and the same classes: one to learn from, one to measure with. */
export interface Dataset {
  readonly name: string;
  readonly train: ImageSet;
  readonly test: ImageSet;
  readonly classes: readonly string[];
  /** What whoever uses it should know, a sentence each: what was left out, and how the files were understood. */
  readonly warnings: readonly string[];
}

/** Numbers of any type, of which those that are no bytes are made bytes where they can be. */
export type PixelArray =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** Images in memory. */
export interface RawImages {
  /** Pixels [count, height, width, channels], row-major: 0..255, or floats with their range. */
  readonly images: PixelArray;
  /** Height, width, channels of one image. */
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly count: number;
  /** Of floats: what black and white are, usually [0, 1]. */
  readonly range?: PixelRange | undefined;
}

/** What messages call the files that the parts of an image set came from. */
export interface ImageSetNames {
  readonly images: string;
  readonly labels: string;
  /** Default: "classes". */
  readonly classes?: string | undefined;
}

/**
 * Puts images and labels together.
 *
 * @param images - pixels with their shape and count; bytes are kept and not copied, other numbers become bytes
 * @param labels - one per image; bytes are kept and not copied, other numbers become bytes
 * @param classes - names by label, 1 to 256 of them
 * @param names - what messages call the two parts
 * @returns the set
 * @throws DataError `EMPTY`, `BAD_SHAPE` (shape and pixels disagree), `COUNT_MISMATCH`, `LABEL_OUT_OF_RANGE`,
 *   `BAD_CLASS_NAMES` (more than a byte can tell apart, or two alike), `UNSUPPORTED_TYPE` (floats without a range),
 *   `VALUE_OUT_OF_RANGE`, `BAD_OPTION` (a range of whole numbers)
 */
export function createImageSet(
  images: RawImages,
  labels: ArrayLike<number>,
  classes: readonly string[],
  names: ImageSetNames = { images: "images", labels: "labels" },
): ImageSet {
  const { shape, count } = images;
  if (count === 0)
    throw new DataError("EMPTY", `${names.images} holds no images; get a file with at least one.`);
  const [height, width, channels] = shape;
  const pixels = count * height * width * channels;
  if (!shape.every((size) => Number.isInteger(size) && size > 0) || pixels !== images.images.length) {
    throw new DataError(
      "BAD_SHAPE",
      `${names.images}: ${count} images of ${height} x ${width} x ${channels} are ${pixels} numbers, but there are ` +
        `${images.images.length}.`,
    );
  }
  if (count !== labels.length) {
    throw new DataError(
      "COUNT_MISMATCH",
      `${names.images} has ${count} images but ${names.labels} has ${labels.length} labels; get two files that belong ` +
        `together.`,
    );
  }
  if (classes.length > maxClasses) {
    throw new DataError(
      "BAD_CLASS_NAMES",
      `${names.labels} has ${classes.length} classes, but a label is a byte: at most ${maxClasses}; leave some out.`,
    );
  }
  const composed = composedClasses(classes, names.classes ?? "classes");
  const kept = types.isUint8Array(labels) ? labels : labelBytes(numbersOf(labels), names.labels);
  checkLabels(kept, names.labels, classes.length);
  const { images: values, range } = images;
  const areBytes = types.isUint8Array(values) && range === undefined;
  const bytes = areBytes ? values : pixelBytes(numbersOf(values), names.images, range);
  return { images: bytes, shape, labels: kept, classes: composed };
}

function numbersOf(values: ArrayLike<number>): Numbers {
  return {
    length: values.length,
    type: `numbers of ${values.constructor.name}`,
    areFloats: types.isFloat32Array(values) || types.isFloat64Array(values),
    ...(types.isInt8Array(values) && { belowZero: "give unsigned bytes as a Uint8Array" }),
    at: (index) => values[index]!,
  };
}

/**
 * Puts a training and a test set together.
 *
 * A class without training images cannot be learned. It is left out, with its test images and a warning, and the labels
 * of the classes behind it close up: labels that count from 1 (EMNIST's letters) are the classes 0 up like any others. One
 * without test images is learned, with a warning: the accuracy of its task is that of the others.
 *
 * @param name - the data set's name, for people
 * @param train - to learn from
 * @param test - to measure with; same image shape, and the same classes
 * @returns the data set, with those classes of `train` that it has images of
 * @throws DataError `SHAPE_MISMATCH` when the image shapes differ; `BAD_CLASS_NAMES` when the classes do; `EMPTY` when no
 *   test image is of a class that can be learned
 */
export function createDataset(name: string, train: ImageSet, test: ImageSet): Dataset {
  if (train.shape.some((size, dimension) => size !== test.shape[dimension])) {
    throw new DataError(
      "SHAPE_MISMATCH",
      `${name}: the training images are ${train.shape.join(" x ")} but the test images ${test.shape.join(" x ")} ` +
        `(height x width x channels); get files of one data set.`,
    );
  }
  const { classes } = train;
  if (
    classes.length !== test.classes.length ||
    classes.some((className, label) => className !== test.classes[label])
  ) {
    throw new DataError(
      "BAD_CLASS_NAMES",
      `${name}: the ${classes.length} classes of the training set are not the ${test.classes.length} of the test set; ` +
        `give both the same list.`,
    );
  }
  const warnings = train.images.some((pixel) => pixel > 1) ? [] : [nearlyBlack(name)];
  const [present, measured] = [new Set(train.labels), new Set(test.labels)];
  const kept = classes.flatMap((_, label) => (present.has(label) ? [label] : []));
  const unmeasured = kept.filter((label) => !measured.has(label)).map((label) => classes[label]!);
  const withUnmeasured = (): readonly string[] =>
    unmeasured.length === 0 ? warnings : [...warnings, notMeasured(name, unmeasured)];
  if (kept.length === classes.length) return { name, train, test, classes, warnings: withUnmeasured() };

  const [learned, tested] = [onlyClasses(train, kept), onlyClasses(test, kept)];
  if (tested.labels.length === 0) {
    throw new DataError(
      "EMPTY",
      `${name}: none of the ${test.labels.length} test images is of a class with training images; get files of one data set.`,
    );
  }
  const dropped = classes.filter((_, label) => !present.has(label));
  warnings.push(leftOut(name, dropped, test.labels.length - tested.labels.length));
  return { name, train: learned, test: tested, classes: learned.classes, warnings: withUnmeasured() };
}

/** The images of some classes, which are numbered anew in the order given. Images are copied only where some go. */
function onlyClasses({ images, shape, labels, classes }: ImageSet, kept: readonly number[]): ImageSet {
  const renumbered = new Map(kept.map((label, newLabel) => [label, newLabel]));
  const positions = Array.from(labels.keys()).filter((position) => renumbered.has(labels[position]!));
  const size = shape[0] * shape[1] * shape[2];
  let pixels = images;
  if (positions.length < labels.length) {
    pixels = new Uint8Array(positions.length * size);
    positions.forEach((from, to) => pixels.set(images.subarray(from * size, (from + 1) * size), to * size));
  }
  return {
    images: pixels,
    shape,
    labels: Uint8Array.from(positions, (position) => renumbered.get(labels[position]!)!),
    classes: kept.map((label) => classes[label]!),
  };
}

// Floats from 0 to 1 that somebody stored as bytes look so, and have lost everything between.
function nearlyBlack(name: string): string {
  return `${name} has no training pixel above 1 of 255: if they were floats from 0 to 1, give those with their range (${rangeInWords}).`;
}

function leftOut(name: string, dropped: readonly string[], testImages: number): string {
  const tested = testImages > 0 ? `, with ${testImages} test image${testImages === 1 ? "" : "s"}` : "";
  return `${name} has no training images of ${inWords(dropped)}: ${theyAre(dropped)} left out${tested}.`;
}

function notMeasured(name: string, classes: readonly string[]): string {
  return `${name} has no test images of ${inWords(classes)}: no accuracy says how well ${theyAre(classes)} learned.`;
}

function inWords(classes: readonly string[]): string {
  const named = classes.slice(0, 10).map(quotedClass);
  const more = classes.length > named.length ? ` and ${classes.length - named.length} more` : "";
  return `the ${classes.length === 1 ? "class" : "classes"} ${named.join(", ")}${more}`;
}

function theyAre(classes: readonly string[]): string {
  return classes.length === 1 ? "it is" : "they are";
}

/**
 * Class names where there are none: "0", "1", ... up to the largest label of any of the sets.
 *
 * @param labels - the labels of each set
 * @returns names by label, at least one
 */
export function numberedClasses(...labels: readonly Uint8Array[]): string[] {
  let largest = 0;
  for (const set of labels) for (const label of set) if (label > largest) largest = label;
  return Array.from({ length: largest + 1 }, (_, label) => String(label));
}
