import { CheckpointError } from "@milliner/core";
import { DataError, readBoundedFile } from "@milliner/data";

// Far beyond any run (10 tasks of 200 epochs with 2000 units write 1 MB), and little enough to hold.
const mebibytes = { "events.jsonl": 64, "result.json": 8, "run.yaml": 1, "verification.json": 4 } as const;

/**
 * Reads a text of a run's folder, which is not believed: its size is bounded.
 *
 * @param path - of the file
 * @param kind - what it is
 * @returns null where there is no such file
 * @throws CheckpointError (`READ_FAILED`, `TOO_LARGE`)
 */
export async function readRunText(path: string, kind: keyof typeof mebibytes): Promise<string | null> {
  try {
    return new TextDecoder().decode(await readBoundedFile(path, mebibytes[kind] * 2 ** 20));
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    if (cause.code === "FILE_MISSING") return null;
    throw new CheckpointError(cause.code === "TOO_LARGE" ? "TOO_LARGE" : "READ_FAILED", cause.message, {
      cause,
    });
  }
}
