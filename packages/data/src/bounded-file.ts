import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

import { DataError } from "./data-error.ts";

/**
 * Reads a whole regular file, after looking at its size.
 *
 * @param path - the file
 * @param maxBytes - the largest size to take memory for
 * @returns its bytes; the caller owns them
 * @throws DataError `FILE_MISSING`, `READ_FAILED` (also for what is no regular file), `TOO_LARGE`
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Uint8Array> {
  return withFile(path, async (file, size) => {
    if (size > maxBytes) {
      throw new DataError(
        "TOO_LARGE",
        `${path} has ${size} bytes, more than the limit of ${maxBytes}: is it the right file?`,
      );
    }
    return readAtStart(file, size);
  });
}

/**
 * Reads the beginning of a regular file.
 *
 * @param path - the file
 * @param count - bytes wanted
 * @returns its first `count` bytes, fewer where it is shorter
 * @throws DataError `FILE_MISSING`, `READ_FAILED`
 */
export async function readFilePrefix(path: string, count: number): Promise<Uint8Array> {
  return withFile(path, (file, size) => readAtStart(file, Math.min(size, count)));
}

async function withFile<T>(path: string, read: (file: FileHandle, size: number) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever. (Windows has neither.)
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const status = await file.stat();
    if (!status.isFile())
      throw new DataError("READ_FAILED", `${path} is not a regular file; name the file itself.`);
    return await read(file, status.size);
  } catch (error) {
    throw readError(path, error);
  } finally {
    await file?.close();
  }
}

/**
 * A file that shrinks meanwhile gives fewer bytes, one that grows no more: the memory taken is `count` bytes.
 */
async function readAtStart(file: FileHandle, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  let length = 0;
  while (length < count) {
    const { bytesRead } = await file.read(bytes, length, count - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/**
 * A failure of the file system as one sentence.
 *
 * @param path - what was to be read
 * @param error - what was thrown; a `DataError` is returned as it is
 */
export function readError(path: string, error: unknown): DataError {
  if (error instanceof DataError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return code === "ENOENT" || code === "ENOTDIR"
    ? new DataError("FILE_MISSING", `${path} does not exist; check the path.`, { cause: error })
    : new DataError("READ_FAILED", `${path} cannot be read (${code}); check its permissions and its disk.`, {
        cause: error,
      });
}
