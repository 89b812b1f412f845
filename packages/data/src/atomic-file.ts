import { createHash, randomUUID } from "node:crypto";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

import { DataError, type DataErrorCode } from "./data-error.ts";
import { errorCode } from "./thrown.ts";
import { flush, flushFolder } from "./flush.ts";
import { makeFolder } from "./make-folder.ts";
import { pidNamespace } from "./pid-namespace.ts";

/** Ending of files that are not whole yet. Nobody reads them. */
export const asideSuffix = ".part";

/**
 * Writes a file aside and gives it its name when it is whole and on the disk. At any moment and after any crash, whoever looks
 * sees the old file, or none, or the new one. Several may write the same file at once: the last one wins, whole.
 *
 * @param path - the final name, in a folder that is there
 * @param content - in one piece, or in several that follow each other
 * @returns null; where the disk does not say when data are safe, the code of its refusal, for `unsyncedWarning`
 * @throws DataError `DISK_FULL`, `FILE_SIZE_LIMIT`, `WRITE_FAILED`; the old file, if there was one, is still there then, and
 *   nothing is left behind
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
): Promise<string | null> {
  const [folder, name] = [dirname(resolve(path)), basename(path)];
  await sweep(folder, name);
  const aside = join(folder, `${asidePrefix(name)}${process.pid}-${randomUUID()}${asideSuffix}`);
  try {
    const refused = await writeAside(aside, content);
    await rename(aside, join(folder, name));
    // A renamed file survives a power cut only when its folder is on the disk too.
    return (await flushFolder(folder)) ?? refused;
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined); // the first error is the one to tell
    throw writeError(path, error);
  }
}

async function writeAside(
  aside: string,
  content: string | Uint8Array | readonly Uint8Array[],
): Promise<string | null> {
  const file = await open(aside, "wx");
  try {
    // Piece by piece: not every file system's handles take a list.
    for (const piece of Array.isArray(content)
      ? (content as readonly Uint8Array[])
      : [content as string | Uint8Array])
      await file.writeFile(piece);
    return await flush(file.fd);
  } finally {
    await file.close();
  }
}

// The writer's machine and process stand in the name, so that what a killed process left is told from what is being written. Of a
// machine's containers each is one of its own: the number of a process says nothing in another.
function asidePrefix(name: string): string {
  const machine = createHash("sha256").update(`${hostname()}\n${pidNamespace()}`).digest("hex").slice(0, 8);
  return `.${name}.${machine}-`;
}

// A process of another machine cannot be asked: what has not been written to for so long is nobody's.
const forgottenMs = 24 * 3600 * 1000;

/** Removes what killed processes left of this file. That it cannot be is no failure: it is in nobody's way. */
async function sweep(folder: string, name: string): Promise<void> {
  const asides = (await readdir(folder).catch(() => [])).filter(
    (each) => each.startsWith(`.${name}.`) && each.endsWith(asideSuffix),
  );
  for (const aside of asides) {
    const path = join(folder, aside);
    const isLeft =
      isOfDeadProcess(aside, name) ||
      (await stat(path).then(
        ({ mtimeMs }) => Date.now() - mtimeMs > forgottenMs,
        () => false,
      ));
    if (isLeft) await rm(path, { force: true }).catch(() => undefined);
  }
}

function isOfDeadProcess(aside: string, name: string): boolean {
  const prefix = asidePrefix(name);
  const pid = aside.startsWith(prefix) ? Number.parseInt(aside.slice(prefix.length), 10) : NaN;
  if (!Number.isSafeInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errorCode(error) === "ESRCH";
  }
}

/**
 * Makes a folder and those above it.
 *
 * @throws DataError `WRITE_FAILED`, `DISK_FULL`
 */
export async function ensureFolder(path: string): Promise<void> {
  await makeFolder(path).catch((error: unknown) => {
    throw writeError(path, error);
  });
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

/** What a refusal to write is about, and what to tell of it. */
export interface WriteFailure {
  readonly code: Extract<DataErrorCode, "DISK_FULL" | "FILE_SIZE_LIMIT" | "WRITE_FAILED">;
  /** A sentence without its full stop. */
  readonly message: string;
}

/**
 * What to tell when the file system refused to write `path`.
 *
 * @param again - what to do when the reason is gone
 */
export function writeFailure(path: string, cause: unknown, again: string): WriteFailure {
  const code = errorCode(cause) ?? "unknown error";
  if (code === "EFBIG") {
    return {
      code: "FILE_SIZE_LIMIT",
      message: `${path} cannot be written, it would go beyond the limit on the size of a file (EFBIG); raise that limit (ulimit -f, or the file system's own) and ${again}`,
    };
  }
  return fullDisk.has(code)
    ? {
        code: "DISK_FULL",
        message: `${path} cannot be written, the disk is full (${code}); free some space and ${again}`,
      }
    : {
        code: "WRITE_FAILED",
        message: `${path} cannot be written (${code}); check that its folder is there and that you may write to it`,
      };
}

function writeError(path: string, cause: unknown): DataError {
  const { code, message } = writeFailure(path, cause, "try again");
  return new DataError(code, `${message}.`, { cause });
}
