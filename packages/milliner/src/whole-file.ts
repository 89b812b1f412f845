import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { CheckpointError } from "@milliner/core";

/**
 * Writes a file aside and gives it its name when it is whole and on the disk: whoever looks sees the old file or the new one.
 * Makes the folder.
 * @throws CheckpointError (`WRITE_FAILED`); the old file, if there was one, is still there then
 */
export async function writeWholeFile(path: string, content: Uint8Array | string): Promise<void> {
  const aside = `${path}.${process.pid}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(aside, "w");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => undefined); // the first error is the one to tell
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    throw new CheckpointError(
      "WRITE_FAILED",
      `${path} cannot be written (${code}); check that you may write there and that the disk has space`,
      { cause },
    );
  }
}
