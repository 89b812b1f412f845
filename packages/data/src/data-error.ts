import { printable } from "./printable.ts";

/**
 * What a `DataError` can be about. Codes are stable: programs may branch on them, and tests do.
 *
 * | code | what happened |
 * | --- | --- |
 * | `BAD_MAGIC` | a file does not start as its kind of file should (also: images where labels were expected) |
 * | `UNSUPPORTED_TYPE` | labels that are floats, or pixels that are floats without a named range |
 * | `BAD_SHAPE` | a shape that no image set can have: a dimension of 0, or sizes that contradict the bytes |
 * | `EMPTY` | no images |
 * | `TRUNCATED` | a file ends before what its header promises |
 * | `TRAILING_BYTES` | a file goes on after what its header promises (a decompression bomb is one of these) |
 * | `BAD_GZIP` | a compressed file that cannot be unpacked |
 * | `TOO_LARGE` | more bytes than the limit |
 * | `COUNT_MISMATCH` | as many labels as images were expected, and there are not |
 * | `LABEL_OUT_OF_RANGE` | a label that is not below the number of classes |
 * | `VALUE_OUT_OF_RANGE` | a pixel that is no byte, or outside of the range that was named |
 * | `SHAPE_MISMATCH` | training and test images differ in height, width or channels |
 * | `BAD_CLASS_NAMES` | a file of class names that is not one printable name per line |
 * | `FILE_MISSING` | a file or folder is not there |
 * | `FILE_AMBIGUOUS` | several files could be meant |
 * | `NOT_A_FOLDER` | a file in place of the folder that it lies in |
 * | `UNSUPPORTED_FORMAT` | images in a form that is not read: folders by class, CSV, archives of arrays |
 * | `READ_FAILED` | the file system refused to read; the reason is the `cause` |
 * | `DISK_FULL` | there is no space left to write a file; the reason is the `cause` |
 * | `FILE_SIZE_LIMIT` | a file would go beyond a limit on the size of files; the reason is the `cause` |
 * | `WRITE_FAILED` | the file system refused to write; the reason is the `cause` |
 * | `BAD_OPTION` | an option or argument outside its range |
 * | `OFFLINE` | a file would have to be downloaded and downloading was forbidden |
 * | `DOWNLOAD_FAILED` | no address gave the file; the reasons are the `cause` |
 * | `DOWNLOAD_INTERRUPTED` | the network or the server failed on the way: the same may succeed later |
 * | `CHECKSUM_MISMATCH` | a file is not the published one |
 */
export type DataErrorCode =
  | "BAD_MAGIC"
  | "UNSUPPORTED_TYPE"
  | "BAD_SHAPE"
  | "EMPTY"
  | "TRUNCATED"
  | "TRAILING_BYTES"
  | "BAD_GZIP"
  | "TOO_LARGE"
  | "COUNT_MISMATCH"
  | "LABEL_OUT_OF_RANGE"
  | "VALUE_OUT_OF_RANGE"
  | "SHAPE_MISMATCH"
  | "BAD_CLASS_NAMES"
  | "FILE_MISSING"
  | "FILE_AMBIGUOUS"
  | "NOT_A_FOLDER"
  | "UNSUPPORTED_FORMAT"
  | "READ_FAILED"
  | "DISK_FULL"
  | "FILE_SIZE_LIMIT"
  | "WRITE_FAILED"
  | "BAD_OPTION"
  | "OFFLINE"
  | "DOWNLOAD_FAILED"
  | "DOWNLOAD_INTERRUPTED"
  | "CHECKSUM_MISMATCH";

/**
 * The one error of this package: a data set that cannot be used as it is.
 *
 * The message is one sentence for the person who has to fix it: it names the file, says what is wrong with
 * numbers, and what to do. Control characters in the names that it quotes are shown by number.
 *
 * This package lies on the lowest floor and imports nothing, so the class cannot extend the `MillinerError`
 * of `@milliner/core`. It has its shape instead: an `Error` with a `name` and a stable string `code`. Whoever
 * catches errors of all packages tests for that shape, not for the class.
 */
export class DataError extends Error {
  override readonly name = "DataError";
  readonly code: DataErrorCode;

  /**
   * @param code - what it is about; stable
   * @param message - one sentence: which file, what is wrong, what to do
   * @param options - `cause`: the error underneath, kept for `--debug`
   */
  constructor(code: DataErrorCode, message: string, options?: ErrorOptions) {
    super(printable(message), options);
    this.code = code;
  }
}
