import { basename } from "node:path";

import { DataError } from "./data-error.ts";
import { type ElementType, elementTypes } from "./idx-elements.ts";

/** So many bytes tell rows of labels from rows of pixels. */
const rowBytes = 4096;

/**
 * Refuses a header whose sizes, or whose sizes and magic number, have their low byte first: a program on a common processor
 * writes them so unless it is told otherwise. It is taken for one only where the sizes then fit the file exactly.
 *
 * @param prefix - the (unpacked) beginning of the file
 * @param contentBytes - size of the (unpacked) file
 * @throws DataError `BAD_SHAPE` where the sizes are so, `BAD_MAGIC` where the magic number is too
 */
export function refuseLittleEndian(prefix: Uint8Array, name: string, contentBytes: number): void {
  const [first = 0, second = 0, third = 0, fourth = 0] = prefix;
  const isWhole = third === 0 && fourth === 0;
  const [type, dimensions] = isWhole ? [second, first] : [third, fourth];
  const element = elementTypes.get(type);
  const headerBytes = 4 + 4 * dimensions;
  if (element === undefined || ![1, 2, 3, 4].includes(dimensions) || prefix.length < headerBytes) return;
  if (!isWhole && (first !== 0 || second !== 0)) return;
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const sizes = (isLittle: boolean): number[] =>
    Array.from({ length: dimensions }, (_, dimension) => view.getUint32(4 + 4 * dimension, isLittle));
  const fits = (shape: readonly number[]): boolean =>
    shape.reduce((bytes, size) => bytes * size, element.bytes) + headerBytes === contentBytes;
  const shape = sizes(true);
  if (!fits(shape) || (!isWhole && fits(sizes(false)))) return;
  throw new DataError(
    isWhole ? "BAD_MAGIC" : "BAD_SHAPE",
    `${name} has its ${isWhole ? "magic number and sizes" : "sizes"} written little-endian (${shape.join(" x ")}); write them, ` +
      `and elements of several bytes, big-endian: high byte first.`,
  );
}

/** What files of two dimensions are, which are neither labels nor images, and what to do. */
export function twoDimensions(prefix: Uint8Array, name: string, element: ElementType): string {
  const view = new DataView(prefix.buffer, prefix.byteOffset, Math.min(prefix.byteLength, rowBytes));
  const columns = view.getUint32(8);
  const fileName = basename(name);
  if (isOneHot(view, columns, element)) {
    return `${name} has labels of one 1 a row (one-hot): write the index of each 1 as idx1.`;
  }
  if (/label/i.test(fileName)) {
    const isQmnist = columns === 8 && element.bytes === 4 && !element.areFloats;
    return isQmnist
      ? `${name} has labels as QMNIST has them, and the class is the first of 8 columns: write that column as idx1.`
      : `${name} has labels of ${columns} columns: write that of the classes as idx1.`;
  }
  return `${name} has 2 dimensions, as flat images have (${view.getUint32(4)} x ${columns}): write height and width as two dimensions.`;
}

function isOneHot(view: DataView, columns: number, element: ElementType): boolean {
  const present = Math.floor((view.byteLength - 12) / element.bytes);
  if (columns < 2 || present < columns) return false;
  for (let row = 0; (row + 1) * columns <= present; row++) {
    let ones = 0;
    for (let column = 0; column < columns; column++) {
      const value = element.read(view, 12 + (row * columns + column) * element.bytes);
      if (value === 1) ones++;
      else if (value !== 0) return false;
    }
    if (ones !== 1) return false;
  }
  return true;
}
