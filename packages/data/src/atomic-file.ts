import { randomUUID } from "node:crypto";
import { fsync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

import { DataError } from "./data-error.ts";
import { makeFolder } from "./make-folder.ts";

// Not `FileHandle.sync`: the handles of Yarn's Plug'n'Play do not have it.
const flush = promisify(fsync);

/**
 * Writes a file aside and gives it its name when it is whole and on the disk. At any moment, whoever looks
 * sees the old file, or none, or the new one. Missing folders are made. Several processes may write the same
 * file: the last one wins, whole.
 *
 * @param path - the final name
 * @param bytes - the content
 * @throws DataError `DISK_FULL`, `FILE_SIZE_LIMIT`, `WRITE_FAILED`; nothing is left behind then
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const aside = join(folder, `.${basename(path)}.${randomUUID()}.part`);
  try {
    await makeFolder(folder);
    const file = await open(aside, "wx");
    try {
      await file.writeFile(bytes);
      await flush(file.fd);
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined); // the first error is the one to tell
    throw writeError(path, error);
  }
}

/**
 * Removes a file; one that is not there is removed already.
 *
 * @throws DataError `WRITE_FAILED`
 */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw writeError(path, error);
  }
}

const fullDisk: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

function writeError(path: string, error: unknown): DataError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  if (code === "EFBIG") {
    return new DataError(
      "FILE_SIZE_LIMIT",
      `${path} cannot be written, it would go beyond the limit on the size of a file (EFBIG); raise that limit (ulimit -f, or the file system's own) and try again.`,
      { cause: error },
    );
  }
  return fullDisk.has(code)
    ? new DataError(
        "DISK_FULL",
        `${path} cannot be written, the disk is full (${code}); free some space and try again.`,
        { cause: error },
      )
    : new DataError(
        "WRITE_FAILED",
        `${path} cannot be written (${code}); check that its folder is there and that you may write to it.`,
        { cause: error },
      );
}
