import { resolve } from "node:path";
import { CheckpointFolder, parseRecord, readCheckpoint, readResult } from "@milliner/continual";
import { readRunFile, type RunNotes } from "./settings/run-file.ts";
import type { Settings } from "./settings/settings.ts";

/** What a run's folder says about it. */
export interface RunSummary {
  readonly run: string;
  readonly name: string;
  readonly settings: Settings;
  readonly notes: RunNotes;
  /** Whether its result is there, and has been checked where it was to be. */
  readonly isDone: boolean;
  /** Tasks that are learned, with the accuracy that each had when its training ended. */
  readonly learned: readonly { readonly name: string; readonly accuracy: number; readonly epochs: number }[];
  /** Mean accuracy at the end; null while the run goes on. */
  readonly acc: number | null;
  readonly bitExactOldLogits: boolean | null;
  readonly lockedHash: string | null;
  /** Path of the newest checkpoint, null where there is none. */
  readonly checkpoint: string | null;
}

/**
 * Reads a run's folder, without the arrays of its checkpoints being used.
 * @throws CheckpointError when it is none, or something in it is damaged; ConfigError
 */
export async function summariseRun(run: string): Promise<RunSummary> {
  const folder = resolve(run);
  const { name, settings, notes } = await readRunFile(folder);
  const checkpoints = new CheckpointFolder(folder);
  const [newest] = await checkpoints.places();
  const checkpoint = newest === undefined ? null : checkpoints.file(newest);
  const record =
    checkpoint === null ? null : parseRecord((await readCheckpoint(checkpoint)).record, checkpoint);
  const result = await readResult(folder);
  return {
    run,
    name,
    settings,
    notes,
    isDone: result !== null && !result.isCheckPending,
    learned:
      record?.learned.map(({ name: task, accuracy, epochs }) => ({ name: task, accuracy, epochs })) ?? [],
    acc: result?.acc ?? null,
    bitExactOldLogits: result?.bitExactOldLogits ?? null,
    lockedHash: result?.lockedHash ?? null,
    checkpoint,
  };
}
