import { CheckpointError } from "@milliner/core";
import { DataError, readBoundedFile, readBoundedPieces } from "@milliner/data";

/**
 * Reads a file of a run's folder, which is not believed: its size is bounded.
 *
 * @returns null where there is no such file
 * @throws CheckpointError (`READ_FAILED`, `TOO_LARGE`) that names it
 */
export async function readStoredFile(
  path: string,
  largestBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  return await stored(readBoundedFile(path, largestBytes));
}

/**
 * The same of a file that may be larger than one array: what it holds, piece by piece.
 *
 * @param pieceBytes - of the largest piece; default: what systems and hashes take at once
 */
export async function readStoredPieces(
  path: string,
  largestBytes: number,
  pieceBytes?: number,
): Promise<readonly Uint8Array[] | null> {
  return await stored(readBoundedPieces(path, largestBytes, pieceBytes));
}

async function stored<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    if (cause.code === "FILE_MISSING") return null;
    const code = cause.code === "TOO_LARGE" ? "TOO_LARGE" : "READ_FAILED";
    throw new CheckpointError(code, cause.message, { cause });
  }
}
