import { stat } from "node:fs/promises";

/** Whether a folder is there; false where the path cannot be asked for. */
export async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
