import { gzipSync } from "node:zlib";

import { DataError } from "./data-error.ts";
import { gunzip, gunzipCeiling, gunzipPrefix, isGzip } from "./gzip.ts";

/** The content of an IDX file: unsigned bytes in row-major order, the last dimension running fastest. */
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
}

export interface IdxOptions {
  /**
   * The largest content to take memory for, in bytes. Default and ceiling 2,147,483,647: files beyond are not
   * read whole by Node.
   */
  readonly maxBytes?: number | undefined;
}

/**
 * What 4 + 4 bytes for each of at most 4 dimensions take: enough of a file's beginning to know all about it.
 */
export const maxIdxHeaderBytes = 20;

/** See {@link IdxOptions.maxBytes}. */
export const maxIdxBytes: number = 2 ** 31 - 1;

/** The third byte of the magic number: the type of the elements. */
const elementTypes: ReadonlyMap<number, string> = new Map([
  [0x08, "unsigned bytes"],
  [0x09, "signed bytes"],
  [0x0b, "16-bit integers"],
  [0x0c, "32-bit integers"],
  [0x0d, "32-bit floats"],
  [0x0e, "64-bit floats"],
]);

/**
 * Reads an IDX file, plain or compressed with gzip.
 *
 * The format: two zero bytes, a byte for the type of the elements (only 0x08, unsigned bytes, is taken), a
 * byte for the number of dimensions, each dimension as 32 bits with the high byte first, then the elements.
 *
 * Every byte is treated as hostile. The header is read first, what it promises is compared with the size of
 * the file (for gzip: with the most that a file of that size can unpack to), and only then is memory taken:
 * once, for exactly what the header promises.
 *
 * Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database, "The IDX file format".
 *
 * @param bytes - the whole file
 * @param name - what messages call it, usually its path
 * @returns the array. The data of a plain file are a view of `bytes`, those of a compressed one are new.
 * @throws DataError `BAD_MAGIC`, `UNSUPPORTED_TYPE`, `BAD_SHAPE`, `EMPTY`, `TRUNCATED`, `TRAILING_BYTES`,
 *   `BAD_GZIP`, `TOO_LARGE`, `BAD_OPTION`
 */
export async function parseIdx(bytes: Uint8Array, name: string, options: IdxOptions = {}): Promise<IdxArray> {
  const maxBytes = options.maxBytes ?? maxIdxBytes;
  if (!Number.isInteger(maxBytes) || maxBytes < 0 || maxBytes > maxIdxBytes) {
    throw new DataError(
      "BAD_OPTION",
      `maxBytes is ${maxBytes}; give a whole number of bytes from 0 to ${maxIdxBytes}.`,
    );
  }
  const packed = isGzip(bytes);
  const prefix = packed ? await gunzipPrefix(bytes, name, maxIdxHeaderBytes) : bytes;
  const { shape, headerBytes, dataBytes } = readHeader(prefix, name);
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
  return { shape, data: content.subarray(headerBytes) };
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
 * @param array - as `parseIdx` gave it
 * @param name - what messages call the file
 * @returns the images, the data of `array` without a copy
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
  return { images: array.data, shape: [height, width, channels], count };
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
  const headerBytes = 4 + 4 * shape.length;
  const file = new Uint8Array(headerBytes + data.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x0800 + shape.length);
  shape.forEach((size, dimension) => view.setUint32(4 + 4 * dimension, size));
  file.set(data, headerBytes);
  return options.gzip === true ? new Uint8Array(gzipSync(file)) : file;
}

/**
 * Whether a file that starts with these bytes is meant to be read here: unsigned bytes in 1, 3 or 4
 * dimensions.
 *
 * @param prefix - the (unpacked) beginning of a file, 4 bytes or more
 * @returns what it holds, or undefined where it is something else
 */
export function idxContent(prefix: Uint8Array): "labels" | "images" | undefined {
  if (prefix[0] !== 0 || prefix[1] !== 0 || prefix[2] !== 0x08) return undefined;
  if (prefix[3] === 1) return "labels";
  return prefix[3] === 3 || prefix[3] === 4 ? "images" : undefined;
}

interface IdxHeader {
  readonly shape: readonly number[];
  readonly headerBytes: number;
  readonly dataBytes: number;
}

function readHeader(prefix: Uint8Array, name: string): IdxHeader {
  if (prefix.length < 4) {
    throw new DataError(
      "TRUNCATED",
      `${name} has ${prefix.length} bytes, too few for an IDX file; get the file again.`,
    );
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const magic = view.getUint32(0);
  const type = elementTypes.get(view.getUint8(2));
  const dimensions = view.getUint8(3);
  if (view.getUint16(0) !== 0 || type === undefined) {
    throw new DataError(
      "BAD_MAGIC",
      `${name} starts with ${hex(magic)}: not an IDX file (0x00000801 labels, 0x00000803 or 0x00000804 images).`,
    );
  }
  if (type !== "unsigned bytes") {
    throw new DataError(
      "UNSUPPORTED_TYPE",
      `${name} holds ${type} (${hex(magic)}); convert it to unsigned bytes.`,
    );
  }
  if (idxContent(prefix) === undefined) {
    throw new DataError(
      "BAD_MAGIC",
      `${name} has ${dimensions} dimensions (${hex(magic)}); labels have 1 and images 3 or 4.`,
    );
  }
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
  return { shape, headerBytes, dataBytes: product(shape) };
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
    `${name} promises ${promised} bytes (${shape.join(" x ")}) and ${found}; get the file again.`,
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
