import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { DataError } from "./data-error.ts";

/**
 * Writes a file aside and gives it its name when it is whole and on the disk. At any moment, whoever looks
 * sees the old file, or none, or the new one. Missing folders are made. Several processes may write the same
 * file: the last one wins, whole.
 *
 * @param path - the final name
 * @param bytes - the content
 * @throws DataError `WRITE_FAILED`; nothing is left behind then
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const aside = join(folder, `.${basename(path)}.${randomUUID()}.part`);
  try {
    await mkdir(folder, { recursive: true });
    const file = await open(aside, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
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

function writeError(path: string, error: unknown): DataError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return new DataError(
    "WRITE_FAILED",
    `${path} cannot be written (${code}); check the folder's permissions and the space on its disk.`,
    { cause: error },
  );
}
