import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";

import { DataError } from "./data-error.ts";
import { errorCode } from "./thrown.ts";

/**
 * Reads a whole file, and takes memory for no more than was said: what counts is what is read, not what a look at the path said
 * before. What has no size (a file of /proc) or grows meanwhile is read on. A pipe is read to its end, `<(...)` of a shell for
 * example, and refused where nobody writes to it; a device, which may have no end, is refused.
 *
 * @param path - the file
 * @param maxBytes - the largest size to take memory for
 * @returns its bytes; the caller owns them
 * @throws DataError `FILE_MISSING`, `READ_FAILED` (also for what is no file and no pipe), `TOO_LARGE`
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const pieces = await readBoundedPieces(path, maxBytes, Infinity);
  return pieces.length === 1 ? pieces[0]! : concatenated(pieces);
}

/**
 * The same of a file that may be larger than an array can be, or a hash can take at once.
 *
 * @param largestBytes - of a piece
 * @returns what it holds, piece by piece; none of them is empty
 * @throws DataError as `readBoundedFile`
 */
export async function readBoundedPieces(
  path: string,
  maxBytes: number,
  largestBytes: number = 2 ** 30,
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  return withFile(path, async (file, status) => {
    if (status.isFIFO()) return await readPipe(path, file, maxBytes);
    const size = sizeOf(path, status);
    refuseLarger(path, size, maxBytes);
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    for (;;) {
      // Behind the size that it was said to have, nobody has seen the end yet.
      const wanted = Math.min(largestBytes, length < size ? size - length : unseenBytes);
      const piece = await readAt(file, length, wanted);
      if (piece.length > 0) pieces.push(piece);
      length += piece.length;
      refuseLarger(path, length, maxBytes);
      if (piece.length < wanted) return pieces;
    }
  });
}

const unseenBytes = 2 ** 16;

// Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever. (Windows has neither.)
const withoutWaiting = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Whoever has it open to write is waited for; where nobody has, a pipe has ended. */
async function readPipe(
  path: string,
  pipe: FileHandle,
  maxBytes: number,
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (let milliseconds = 1; ;) {
    const bytes = new Uint8Array(unseenBytes);
    const bytesRead = await readNow(pipe, bytes);
    if (bytesRead === 0) break;
    if (bytesRead === null) {
      // Asked again and not told: a pipe that nobody had open when we opened it never tells of its end.
      await setTimeout(milliseconds);
      milliseconds = Math.min(2 * milliseconds, 50);
      continue;
    }
    milliseconds = 1;
    pieces.push(bytes.slice(0, bytesRead));
    length += bytesRead;
    refuseLarger(path, length, maxBytes);
  }
  if (length > 0) return pieces;
  throw new DataError(
    "READ_FAILED",
    `${path} is a pipe that nobody writes to; start what writes to it first, or name a file.`,
  );
}

/** How many bytes a pipe gives now: 0 at its end, null where somebody may still write. */
async function readNow(pipe: FileHandle, into: Uint8Array): Promise<number | null> {
  try {
    return (await pipe.read(into, 0, into.length, null)).bytesRead;
  } catch (error) {
    if (errorCode(error) === "EAGAIN") return null;
    throw error;
  }
}

function concatenated(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
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
  return withFile(path, (file, status) => {
    sizeOf(path, status);
    return readAt(file, 0, count);
  });
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
  return withFile(path, async (file, status) => {
    const size = sizeOf(path, status);
    return { size, end: await readAt(file, Math.max(0, size - count), count) };
  });
}

async function withFile<T>(path: string, read: (file: FileHandle, status: Stats) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(resolve(path), withoutWaiting);
    return await read(file, await file.stat());
  } catch (error) {
    throw readError(path, error);
  } finally {
    await file?.close();
  }
}

/** @throws DataError (`READ_FAILED`) for what has no size to rely on, because it is no regular file */
function sizeOf(path: string, status: Stats): number {
  if (status.isFile()) return status.size;
  const what = status.isDirectory() ? "a folder" : status.isFIFO() ? "a pipe" : "a device";
  throw new DataError("READ_FAILED", `${path} is ${what}, not a regular file; name the file itself.`);
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
