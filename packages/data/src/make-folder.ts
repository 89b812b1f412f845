import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { isFolder } from "./is-folder.ts";
import { errorCode } from "./thrown.ts";

/**
 * Makes a folder and those above it that are missing; one that is there is left alone.
 *
 * Not Node's `mkdir` with `recursive`: where a folder refuses new entries with "no such file" (all below /proc do), that tries
 * for ever, on a thread that no signal reaches.
 *
 * @throws the file system's own error
 */
export async function makeFolder(path: string): Promise<void> {
  await make(resolve(path));
}

async function make(path: string): Promise<void> {
  if (await isFolder(path)) return;
  try {
    await mkdir(path);
  } catch (error) {
    const above = dirname(path);
    if (errorCode(error) !== "ENOENT" || above === path) return await unlessMadeMeanwhile(path, error);
    await make(above);
    await mkdir(path).catch((again: unknown) => unlessMadeMeanwhile(path, again));
  }
}

async function unlessMadeMeanwhile(path: string, error: unknown): Promise<void> {
  if (errorCode(error) !== "EEXIST" || !(await isFolder(path))) throw error;
}
