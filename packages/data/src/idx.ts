import { gzipSync } from "node:zlib";

import { checkPixelRange, labelBytes, type Numbers, pixelBytes, type PixelRange } from "./byte-values.ts";
import { DataError } from "./data-error.ts";
import { fileKindBytes, recogniseFile } from "./file-kind.ts";
import { gunzip, gunzipCeiling, gunzipPrefix, gzipContentBytes, isGzip } from "./gzip.ts";
import { type ElementType, elementTypes, unsignedBytes } from "./idx-elements.ts";
import { refuseLittleEndian, twoDimensions } from "./idx-remedies.ts";
import { checkKeys } from "./option-keys.ts";

/** The content of an IDX file as unsigned bytes in row-major order, the last dimension running fastest. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Images of an IDX file. */
export interface IdxImages {
  /** Pixels [count, height, width, channels], row-major, 0..255. */
  readonly images: Uint8Array;
  /** Height, width, channels of one image. */
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly count: number;
  /** How the file was understood, where that was not plain. */
  readonly warnings?: readonly string[];
}

export interface IdxOptions {
  /**
   * The largest content to take memory for, in bytes. Default and ceiling 2,147,483,647: files beyond are not
   * read whole by Node.
   */
  readonly maxBytes?: number | undefined;
  /** Of pixels that are floats: what black and white are, usually [0, 1]. Without it floats are refused. */
  readonly range?: PixelRange | undefined;
}

/** See {@link IdxOptions.maxBytes}. */
export const maxIdxBytes: number = 2 ** 31 - 1;

/**
 * Reads an IDX file, plain or compressed with gzip.
 *
 * The format: two zero bytes, a byte for the type of the elements, a byte for the number of dimensions, each
 * dimension as 32 bits with the high byte first, then the elements. Whole numbers of any type are taken where
 * all of them are bytes; floats are taken as pixels whose range is named.
 *
 * Every byte is treated as hostile. The header is read first, what it promises is compared with the size of
 * the file (for gzip: with the most that a file of that size can unpack to), and only then is memory taken:
 * once, for exactly what the header promises, and once more for its bytes where its elements are larger.
 *
 * Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database, "The IDX file format".
 *
 * @param bytes - the whole file
 * @param name - what messages call it, usually its path
 * @returns the array. The data of a plain file of unsigned bytes are a view of `bytes`, others are new.
 * @throws DataError `BAD_MAGIC`, `UNSUPPORTED_TYPE`, `BAD_SHAPE`, `EMPTY`, `TRUNCATED`, `TRAILING_BYTES`,
 *   `BAD_GZIP`, `TOO_LARGE`, `LABEL_OUT_OF_RANGE`, `VALUE_OUT_OF_RANGE`, `BAD_OPTION`
 */
export async function parseIdx(bytes: Uint8Array, name: string, options: IdxOptions = {}): Promise<IdxArray> {
  checkKeys("parseIdx", options, { maxBytes: true, range: true });
  const maxBytes = options.maxBytes ?? maxIdxBytes;
  if (!Number.isInteger(maxBytes) || maxBytes < 0 || maxBytes > maxIdxBytes) {
    throw new DataError(
      "BAD_OPTION",
      `maxBytes is ${maxBytes}; give a whole number of bytes from 0 to ${maxIdxBytes}.`,
    );
  }
  const packed = isGzip(bytes);
  const prefix = packed ? await gunzipPrefix(bytes, name, fileKindBytes) : bytes;
  refuseLittleEndian(prefix, name, packed ? gzipContentBytes(bytes) : bytes.length);
  const { shape, element, headerBytes, dataBytes } = readHeader(prefix, name, packed, options.range);
  const promised = headerBytes + dataBytes;

  const available = packed ? gunzipCeiling(bytes.length) : bytes.length;
  if (promised > available) throw truncated(name, shape, promised, packed ? undefined : bytes.length);
  if (promised > maxBytes) {
    throw new DataError(
      "TOO_LARGE",
      `${name} holds ${promised} bytes (${shape.join(" x ")}), more than the limit of ${maxBytes}; split the file.`,
    );
  }

  const content = packed ? await gunzip(bytes, name, promised) : bytes;
  if (content.length < promised) throw truncated(name, shape, promised, content.length);
  if (content.length > promised) {
    throw new DataError(
      "TRAILING_BYTES",
      `${name} goes on for ${content.length - promised} bytes after the ${promised} that its header promises ` +
        `(${shape.join(" x ")}): header or content is damaged; get the file again.`,
    );
  }
  const data = content.subarray(headerBytes);
  if (element === unsignedBytes) return { shape, data };
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const numbers: Numbers = {
    ...element,
    length: product(shape),
    at: (index) => element.read(view, index * element.bytes),
  };
  const isLabels = shape.length === 1;
  return { shape, data: isLabels ? labelBytes(numbers, name) : pixelBytes(numbers, name, options.range) };
}

/**
 * The labels of an IDX file: one dimension.
 *
 * @param array - as `parseIdx` gave it
 * @param name - what messages call the file
 * @param classes - number of classes, where it is known: every label has to be below it
 * @returns the labels, the data of `array` without a copy
 * @throws DataError `BAD_MAGIC` when it holds images; `LABEL_OUT_OF_RANGE`
 */
export function idxLabels(array: IdxArray, name: string, classes?: number): Uint8Array {
  if (array.shape.length !== 1) {
    throw new DataError(
      "BAD_MAGIC",
      `${name} starts with ${magicOf(array)} (images), not 0x00000801 (labels): swapped?`,
    );
  }
  if (classes !== undefined) checkLabels(array.data, name, classes);
  return array.data;
}

/**
 * The images of an IDX file: three dimensions [n, h, w] (one channel), or four [n, h, w, c].
 *
 * Four dimensions that begin with 1 or 3 and go on with two of more than 4 are channels first, [n, c, h, w], as PyTorch
 * has them: nobody's images are 3 pixels high and 32 wide, with 32 channels. They are put in order, with a warning.
 *
 * @param array - as `parseIdx` gave it
 * @param name - what messages call the file
 * @returns the images, the data of `array` without a copy unless they were channels first
 * @throws DataError `BAD_MAGIC` when it holds labels
 */
export function idxImages(array: IdxArray, name: string): IdxImages {
  const [count, height, width, channels = 1] = array.shape;
  if (count === undefined || height === undefined || width === undefined) {
    throw new DataError(
      "BAD_MAGIC",
      `${name} starts with ${magicOf(array)} (labels), not 0x00000803 or 0x00000804 (images): swapped?`,
    );
  }
  if (!areChannelsFirst(height, width, channels))
    return { images: array.data, shape: [height, width, channels], count };
  const warnings = [
    `${name} has ${array.shape.join(" x ")} numbers: they were read as ${count} images of ${height} channels, which stand before ` +
      `the pixels, each ${width} x ${channels}.`,
  ];
  const images = channelsLast(array.data, height, width * channels);
  return { images, shape: [width, channels, height], count, warnings };
}

/** Whether the dimensions behind the count are channels, height and width, and not height, width and channels. */
export function areChannelsFirst(first: number, second: number, third: number): boolean {
  return (first === 1 || first === 3) && second > 4 && third > 4;
}

function channelsLast(data: Uint8Array, channels: number, pixels: number): Uint8Array {
  if (channels === 1) return data;
  const moved = new Uint8Array(data.length);
  for (let to = 0, image = 0; to < moved.length; image += channels * pixels) {
    for (let pixel = 0; pixel < pixels; pixel++)
      for (let channel = 0; channel < channels; channel++)
        moved[to++] = data[image + channel * pixels + pixel]!;
  }
  return moved;
}

/**
 * Checks that every label is below the number of classes.
 *
 * @throws DataError `LABEL_OUT_OF_RANGE` with the first label that is not, and where it stands
 */
export function checkLabels(labels: Uint8Array, name: string, classes: number): void {
  const index = labels.findIndex((label) => label >= classes);
  if (index < 0) return;
  const cure = labels.includes(0)
    ? "correct the labels, or name all classes"
    : "no label is 0: give the list of classes a line for it, before the others";
  throw new DataError(
    "LABEL_OUT_OF_RANGE",
    `${name} has label ${labels[index]} at index ${index}, but there are ${classes} classes (labels 0 to ` +
      `${classes - 1}); ${cure}.`,
  );
}

/**
 * Writes an IDX file of unsigned bytes.
 *
 * @param array - shape of 1 dimension (labels), 3 or 4 (images), and as many bytes as it says
 * @param options - `gzip`: compress, default false
 * @returns the bytes of the file; the caller owns them
 * @throws DataError `BAD_SHAPE` when the shape cannot be written or differs from the number of bytes
 */
export function writeIdx(array: IdxArray, options: { readonly gzip?: boolean | undefined } = {}): Uint8Array {
  checkKeys("writeIdx", options, { gzip: "switch" });
  const { shape, data } = array;
  if (
    ![1, 3, 4].includes(shape.length) ||
    !shape.every((size) => Number.isInteger(size) && size > 0 && size < 2 ** 32)
  ) {
    throw new DataError(
      "BAD_SHAPE",
      `An IDX file has 1, 3 or 4 dimensions of 1 to 2^32 - 1, not [${shape.join(", ")}].`,
    );
  }
  const elements = product(shape);
  if (elements !== data.length) {
    throw new DataError(
      "BAD_SHAPE",
      `[${shape.join(", ")}] needs ${elements} bytes but there are ${data.length}.`,
    );
  }
  const header = idxHeader(shape);
  const file = new Uint8Array(header.length + data.length);
  file.set(header);
  file.set(data, header.length);
  return options.gzip === true ? new Uint8Array(gzipSync(file)) : file;
}

/** What an IDX file of unsigned bytes begins with. */
export function idxHeader(shape: readonly number[]): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint32(0, 0x0800 + shape.length);
  shape.forEach((size, dimension) => header.setUint32(4 + 4 * dimension, size));
  return new Uint8Array(header.buffer);
}

/**
 * Whether a file that starts with these bytes is meant to be read here: elements of any type in 1, 3 or 4
 * dimensions.
 *
 * @param prefix - the (unpacked) beginning of a file, 4 bytes or more
 * @returns what it holds, or undefined where it is something else
 */
export function idxContent(prefix: Uint8Array): "labels" | "images" | undefined {
  if (prefix[0] !== 0 || prefix[1] !== 0 || !elementTypes.has(prefix[2] ?? 0)) return undefined;
  if (prefix[3] === 1) return "labels";
  return prefix[3] === 3 || prefix[3] === 4 ? "images" : undefined;
}

interface IdxHeader {
  readonly shape: readonly number[];
  readonly element: ElementType;
  readonly headerBytes: number;
  readonly dataBytes: number;
}

function readHeader(
  prefix: Uint8Array,
  name: string,
  packed: boolean,
  range: PixelRange | undefined,
): IdxHeader {
  const found = idxContent(prefix) === undefined ? recogniseFile(prefix) : undefined;
  if (found !== undefined && found.kind !== "idx") {
    throw new DataError(
      found.kind === "empty" ? "TRUNCATED" : "BAD_MAGIC",
      `${name} is ${found.what}${packed ? " within gzip" : ""}, not an IDX file; ${found.advice ?? "docs/how-to/own-images.md says how to write one"}.`,
    );
  }
  if (prefix.length < 4) {
    throw new DataError(
      "TRUNCATED",
      `${name} has ${prefix.length} bytes, too few for an IDX file; get the file again.`,
    );
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const magic = view.getUint32(0);
  const element = elementTypes.get(view.getUint8(2));
  const dimensions = view.getUint8(3);
  if (view.getUint16(0) !== 0 || element === undefined) {
    throw new DataError(
      "BAD_MAGIC",
      `${name} starts with ${hex(magic)}: not an IDX file (0x00000801 labels, 0x00000803 or 0x00000804 images).`,
    );
  }
  if (idxContent(prefix) === undefined) {
    if (dimensions === 2 && prefix.length >= 12)
      throw new DataError("BAD_MAGIC", twoDimensions(prefix, name, element));
    throw new DataError(
      "BAD_MAGIC",
      `${name} has ${dimensions} dimensions (${hex(magic)}); labels have 1 and images 3 or 4.`,
    );
  }
  if (dimensions > 1) checkPixelRange(element, name, range);
  const headerBytes = 4 + 4 * dimensions;
  if (prefix.length < headerBytes) {
    throw new DataError(
      "TRUNCATED",
      `${name} breaks off inside its header of ${headerBytes} bytes; get the file again.`,
    );
  }
  const shape = Array.from({ length: dimensions }, (_, dimension) => view.getUint32(4 + 4 * dimension));
  if (shape[0] === 0) {
    throw new DataError(
      "EMPTY",
      `${name} is empty (${shape.join(" x ")}); get a file with at least one entry.`,
    );
  }
  if (shape.includes(0)) {
    throw new DataError(
      "BAD_SHAPE",
      `${name} has images without pixels (${shape.join(" x ")}); get the file again.`,
    );
  }
  // In doubles four dimensions cannot overflow (at most 2^128), and what is too large for exactness is far
  // too large.
  return { shape, element, headerBytes, dataBytes: product(shape) * element.bytes };
}

function truncated(
  name: string,
  shape: readonly number[],
  promised: number,
  present: number | undefined,
): DataError {
  const found = present === undefined ? "is far too small for that" : `has ${present}`;
  return new DataError(
    "TRUNCATED",
    `${name} promises ${Number.isSafeInteger(promised) ? promised : "more than 2^53"} bytes (${shape.join(" x ")}) and ${found}; get the file again.`,
  );
}

function product(shape: readonly number[]): number {
  return shape.reduce((elements, size) => elements * size, 1);
}

function magicOf(array: IdxArray): string {
  return hex(0x0800 + array.shape.length);
}

function hex(magic: number): string {
  return `0x${magic.toString(16).padStart(8, "0")}`;
}
