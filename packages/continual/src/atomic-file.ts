import { CheckpointError } from "@milliner/core";
import {
  errorCode,
  makeFolder as makeFolders,
  writeFailure,
  writeFileAtomically as writeWhole,
} from "@milliner/data";

/** What to tell when the file system refused to write `path`. */
export function writeError(path: string, cause: unknown): CheckpointError {
  const again = "run it again, with resume where it trains: what was written before is intact";
  const { code, message } = writeFailure(path, cause, again);
  return new CheckpointError(code, message, { cause });
}

/** Makes a folder and those above it. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path);
  } catch (error) {
    if (errorCode(error) === "EEXIST" || errorCode(error) === "ENOTDIR") {
      throw new CheckpointError(
        "WRITE_FAILED",
        `${path} is a file or lies below one; choose another folder`,
        {
          cause: error,
        },
      );
    }
    throw writeError(path, error);
  }
}

/**
 * Writes a file aside, and gives it its name when it is whole and on the disk: `writeFileAtomically` of `@milliner/data`, with
 * the errors of a run's folder.
 *
 * @returns null; where the disk does not say when data are safe, the code of its refusal
 * @throws CheckpointError (`DISK_FULL`, `FILE_SIZE_LIMIT`, `WRITE_FAILED`); the old file, if there was one, is still there then
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
): Promise<string | null> {
  try {
    return await writeWhole(path, content);
  } catch (error) {
    throw writeError(path, (error as Error).cause);
  }
}
