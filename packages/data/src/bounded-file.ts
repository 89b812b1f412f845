import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";

import { DataError } from "./data-error.ts";
import { errorCode } from "./thrown.ts";

/**
 * Reads a whole regular file, and takes memory for no more than was said: what counts is what is read, not what a look at the
 * path said before. A pipe is refused and not waited for; what has no size (a file of /proc) or grows meanwhile is read on.
 *
 * @param path - the file
 * @param maxBytes - the largest size to take memory for
 * @returns its bytes; the caller owns them
 * @throws DataError `FILE_MISSING`, `READ_FAILED` (also for what is no regular file), `TOO_LARGE`
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  return withFile(path, async (file, size) => {
    refuseLarger(path, size, maxBytes);
    const start = await readAt(file, 0, size);
    const pieces = [start];
    let length = start.length;
    // Nobody has seen the end yet, unless it came too early.
    while (length >= size) {
      const piece = await readAt(file, length, pieceBytes);
      if (piece.length === 0) break;
      pieces.push(piece);
      length += piece.length;
      refuseLarger(path, length, maxBytes);
    }
    return pieces.length === 1 ? start : concatenated(pieces, length);
  });
}

const pieceBytes = 2 ** 16;

function concatenated(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function refuseLarger(path: string, size: number, maxBytes: number): void {
  if (size > maxBytes) {
    throw new DataError(
      "TOO_LARGE",
      `${path} has ${size} bytes, more than the limit of ${maxBytes}: is it the right file?`,
    );
  }
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
  return withFile(path, (file) => readAt(file, 0, count));
}

/**
 * Reads the end of a regular file.
 *
 * @returns its size, and its last `count` bytes, fewer where it is shorter
 * @throws DataError `FILE_MISSING`, `READ_FAILED`
 */
export async function readFileSuffix(
  path: string,
  count: number,
): Promise<{ readonly size: number; readonly end: Uint8Array }> {
  return withFile(path, async (file, size) => ({
    size,
    end: await readAt(file, Math.max(0, size - count), count),
  }));
}

async function withFile<T>(path: string, read: (file: FileHandle, size: number) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever. (Windows has neither.)
    file = await open(resolve(path), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
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

/** `count` bytes from `position` on, fewer where the file ends before. */
async function readAt(file: FileHandle, position: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  let length = 0;
  while (length < count) {
    const wanted = Math.min(count - length, 2 ** 30); // no system reads 2 GiB at once
    const { bytesRead } = await file.read(bytes, length, wanted, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length === count ? bytes : bytes.slice(0, length);
}

/**
 * A failure of the file system as one sentence.
 *
 * @param path - what was to be read
 * @param error - what was thrown; a `DataError` is returned as it is
 */
export function readError(path: string, error: unknown): DataError {
  if (error instanceof DataError) return error;
  const code = errorCode(error) ?? "unknown error";
  return code === "ENOENT" || code === "ENOTDIR"
    ? new DataError("FILE_MISSING", `${path} does not exist; check the path.`, { cause: error })
    : new DataError("READ_FAILED", `${path} cannot be read (${code}); check its permissions and its disk.`, {
        cause: error,
      });
}
