import { DataError } from "./data-error.ts";

/** The values of float pixels that become the bytes 0 and 255; those between are rounded to the nearest byte. */
export type PixelRange = readonly [lowest: number, highest: number];

/** How to say that floats run from 0 to 1: whoever reads it may be at either place. */
export const rangeInWords = "range: [0, 1] in code, --set 'range=[0,1]' in the command";

/** Numbers, however they are stored. */
export interface Numbers {
  readonly length: number;
  /** What messages call what they are stored as, in the plural. */
  readonly type: string;
  readonly areFloats: boolean;
  /** What to do about a number below 0, where they are bytes that were read with a sign. */
  readonly belowZero?: string;
  readonly at: (index: number) => number;
}

/**
 * Labels as the bytes that they are kept in, whatever the type that somebody stored them in.
 *
 * @param name - what messages call their file
 * @throws DataError `UNSUPPORTED_TYPE` for floats; `LABEL_OUT_OF_RANGE` for a number that is no byte
 */
export function labelBytes(numbers: Numbers, name: string): Uint8Array {
  if (numbers.areFloats) {
    throw new DataError(
      "UNSUPPORTED_TYPE",
      `${name} holds labels as ${numbers.type}; convert them to unsigned bytes.`,
    );
  }
  return toBytes(numbers, (label, index) => {
    throw new DataError(
      "LABEL_OUT_OF_RANGE",
      `${name} has label ${label} at index ${index}, but labels are whole numbers from 0 to 255; ` +
        `${(label < 0 ? numbers.belowZero : undefined) ?? "number the classes from 0"}.`,
    );
  });
}

/**
 * Pixels as bytes. Whole numbers are taken as they are where all of them are bytes. Of floats nobody can tell whether 1 is
 * white or nearly black, so their range has to be named.
 *
 * @param name - what messages call their file
 * @param range - of floats, and of nothing else
 * @throws DataError `UNSUPPORTED_TYPE` for floats without a range; `VALUE_OUT_OF_RANGE` with the first pixel that does not
 *   fit; `BAD_OPTION` for a range that makes no sense, or of whole numbers
 */
export function pixelBytes(numbers: Numbers, name: string, range?: PixelRange): Uint8Array {
  checkPixelRange(numbers, name, range);
  const [lowest, highest] = range ?? [0, 255];
  const fail = (pixel: number, index: number): never => {
    throw new DataError(
      "VALUE_OUT_OF_RANGE",
      `${name} has the pixel ${pixel} at index ${index}, but pixels run from ${lowest} to ${highest}; ` +
        `${range === undefined ? ((pixel < 0 ? numbers.belowZero : undefined) ?? "scale them to bytes") : "name the range that they have"}.`,
    );
  };
  if (range === undefined) return toBytes(numbers, fail);
  const bytes = new Uint8Array(numbers.length);
  for (let index = 0; index < bytes.length; index++) {
    const pixel = numbers.at(index);
    if (!(pixel >= lowest && pixel <= highest)) fail(pixel, index); // NaN neither
    bytes[index] = Math.round(((pixel - lowest) / (highest - lowest)) * 255);
  }
  return bytes;
}

/** Throws what `pixelBytes` throws before it looks at a single pixel. */
export function checkPixelRange(
  { areFloats, type }: Pick<Numbers, "areFloats" | "type">,
  name: string,
  range: PixelRange | undefined,
): void {
  if (range === undefined) {
    if (!areFloats) return;
    throw new DataError(
      "UNSUPPORTED_TYPE",
      `${name} holds pixels as ${type}; if they run from 0 to 1 say so (${rangeInWords}), else convert them to unsigned bytes.`,
    );
  }
  if (!areFloats) {
    throw new DataError(
      "BAD_OPTION",
      `${name} holds ${type}, and a range is for floats; leave range out, or give the file of floats.`,
    );
  }
  if (range.length !== 2 || !range.every(Number.isFinite) || !(range[0] < range[1])) {
    throw new DataError(
      "BAD_OPTION",
      `range is [${range.join(", ")}]; give the lowest and the highest value of a pixel, such as [0, 1].`,
    );
  }
}

function toBytes(numbers: Numbers, fail: (value: number, index: number) => never): Uint8Array {
  const bytes = new Uint8Array(numbers.length);
  for (let index = 0; index < bytes.length; index++) {
    const value = numbers.at(index);
    bytes[index] = value;
    if (bytes[index] !== value) fail(value, index);
  }
  return bytes;
}
