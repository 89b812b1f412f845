import { fdatasyncSync, fsync } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";

import { errorCode } from "./thrown.ts";

// Not `FileHandle.sync`: the handles of Yarn's Plug'n'Play do not have it.
const syncFile = promisify(fsync);

/**
 * Answers of what cannot say when data are safe, and keeps them all the same: network and shared folders (EINVAL, ENOTSUP),
 * folders that a service synchronises (EPERM), a folder that may be written and not read (EACCES), Node's permission model.
 */
const silent: ReadonlySet<string> = new Set([
  "EINVAL",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EPERM",
  "EACCES",
  "ERR_ACCESS_DENIED",
]);

/**
 * Returns when a file is on the disk.
 *
 * @returns null; or, of a disk that cannot say when that is, the code with which it refused
 * @throws the file system's own error when the disk says that the data are lost (EIO, ENOSPC)
 */
export function flush(fd: number): Promise<string | null> {
  return syncFile(fd).then(() => null, refusal);
}

/** The same of a file's content alone, at once: for a log that writes at the end. */
export function flushContentSync(fd: number): string | null {
  try {
    fdatasyncSync(fd);
    return null;
  } catch (error) {
    return refusal(error);
  }
}

/** Returns when the names in a folder are on the disk, as `flush` does for a file's content. */
export async function flushFolder(path: string): Promise<string | null> {
  if (process.platform === "win32") return null; // it cannot open folders, and does not need it
  let folder;
  try {
    folder = await open(path, "r");
  } catch (error) {
    return refusal(error);
  }
  try {
    return await syncFile(folder.fd).then(() => null, folderRefusal);
  } finally {
    await folder.close();
  }
}

/** A folder has just been opened: that it is no open file (EBADF) says that the system syncs none, as AIX does. */
function folderRefusal(error: unknown): string {
  return errorCode(error) === "EBADF" ? "EBADF" : refusal(error);
}

function refusal(error: unknown): string {
  const code = errorCode(error);
  if (code === undefined || !silent.has(code)) throw error;
  return code;
}

/**
 * What to tell, once, of a disk that cannot say when data are safe.
 *
 * @param path - what was written there
 * @param code - what `flush` returned
 */
export function unsyncedWarning(path: string, code: string): string {
  const [who, remedy] =
    code === "ERR_ACCESS_DENIED"
      ? ["Node's permission model does not let its disk say", "leave that off"]
      : ["its disk does not say", "choose a folder on a local disk"];
  return `${path}: ${who} when data are safe (${code}); a power cut may take what is newest, so ${remedy} where that matters`;
}
