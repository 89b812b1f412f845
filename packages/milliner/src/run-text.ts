import { readStoredFile } from "@milliner/continual";

// Far beyond any run (10 tasks of 200 epochs with 2000 units write 1 MB of events, a thousand tasks a matrix of a million
// figures), and little enough to hold.
const mebibytes = { "events.jsonl": 64, "result.json": 64, "run.yaml": 1, "verification.json": 4 } as const;

/**
 * Reads a text of a run's folder, which is not believed: its size is bounded.
 *
 * @param path - of the file
 * @param kind - what it is
 * @returns null where there is no such file
 * @throws CheckpointError (`READ_FAILED`, `TOO_LARGE`)
 */
export async function readRunText(path: string, kind: keyof typeof mebibytes): Promise<string | null> {
  const bytes = await readStoredFile(path, mebibytes[kind] * 2 ** 20);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}
