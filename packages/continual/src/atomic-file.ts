import { fsync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { CheckpointError } from "@milliner/core";
import { makeFolder as makeFolders } from "@milliner/data";

/** Returns when a file is on the disk. Not `FileHandle.sync`: the handles of Yarn's Plug'n'Play do not have it. */
export const flush: (fd: number) => Promise<void> = promisify(fsync);

/** Ending of files that are not whole yet. Nobody reads them; who owns the run folder removes those of a killed run. */
export const asideSuffix = ".part";

const fullDisk: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** What to tell when the file system refused to write `path`. */
export function writeError(path: string, cause: unknown): CheckpointError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
  if (code === "EFBIG") {
    return new CheckpointError(
      "FILE_SIZE_LIMIT",
      `${path} cannot be written, it would go beyond the limit on the size of a file (EFBIG); raise that limit (ulimit -f, or the file system's own) and run it again: what was written before is intact`,
      { cause },
    );
  }
  return fullDisk.has(code)
    ? new CheckpointError(
        "DISK_FULL",
        `${path} cannot be written, the disk is full (${code}); free some space and run it again, with resume where it trains: what was written before is intact`,
        { cause },
      )
    : new CheckpointError(
        "WRITE_FAILED",
        `${path} cannot be written (${code}); check that its folder is there and that you may write to it`,
        { cause },
      );
}

/** Makes a folder and those above it. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EEXIST" || error.code === "ENOTDIR")) {
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
 * Writes a file aside, and gives it its name when it is whole and on the disk. Whoever looks, at any moment and after any
 * crash, sees the old file or the new one. One writer at a time: the run's lock sees to that.
 *
 * @throws CheckpointError (`DISK_FULL`, `FILE_SIZE_LIMIT`, `WRITE_FAILED`); the old file, if there was one, is still there then
 */
export async function writeFileAtomically(path: string, content: Uint8Array | string): Promise<void> {
  const aside = `${path}${asideSuffix}`;
  try {
    const file = await open(aside, "w");
    try {
      await file.writeFile(content);
      await flush(file.fd);
    } finally {
      await file.close();
    }
    await rename(aside, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined); // the first error is the one to tell
    throw writeError(path, error);
  }
}

// A renamed file survives a power cut only when its folder is on the disk too. Windows cannot open folders and does not
// need it.
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await flush(folder.fd);
  } finally {
    await folder.close();
  }
}
