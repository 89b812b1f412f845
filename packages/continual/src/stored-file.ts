import { CheckpointError } from "@milliner/core";
import { DataError, readBoundedFile } from "@milliner/data";

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
  try {
    return await readBoundedFile(path, largestBytes);
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    if (cause.code === "FILE_MISSING") return null;
    const code = cause.code === "TOO_LARGE" ? "TOO_LARGE" : "READ_FAILED";
    throw new CheckpointError(code, cause.message, { cause });
  }
}
