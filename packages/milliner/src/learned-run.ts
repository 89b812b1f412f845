import { resolve } from "node:path";
import { CheckpointError, type Precision } from "@milliner/core";
import { CheckpointFolder, parseRecord, readCheckpoint, readerOf } from "@milliner/continual";
import type { Hat } from "@milliner/hat";
import { openDeviceOf, type Device, type DeviceOptions } from "./device.ts";
import { makeHat } from "./model.ts";
import { checkRunFile, readRunFile, type RunFile } from "./settings/run-file.ts";

/** A run's network as its newest checkpoint at the end of a task has it. */
export interface LearnedRun {
  readonly file: RunFile;
  /** The caller disposes it. */
  readonly hat: Hat;
  /** How many tasks it has learned: 0 up to, but not, this. */
  readonly tasks: number;
  /** Accuracy of each on its test set when it had been learned. */
  readonly accuracies: readonly number[];
  readonly device: Device;
  /** Path of the checkpoint. */
  readonly checkpoint: string;
}

/**
 * Loads a run's network; the run may still go on. It computes on the device that it was trained on, unless told otherwise, and in
 * the precision in which its tasks were finished.
 *
 * @param options - `precision`: another one, for what does not ask for the bits of the logits
 * @throws CheckpointError when the folder holds no run, no learned task, or a damaged checkpoint; ConfigError, NativeError
 */
export async function openRun(
  given: string,
  options: DeviceOptions & { readonly precision?: Precision },
  onWarning: (message: string) => void,
): Promise<LearnedRun> {
  const run = resolve(given);
  const file = await readRunFile(run);
  await checkRunFile(run, file);
  const checkpoints = new CheckpointFolder(run);
  const newest = (await checkpoints.places()).find(({ epoch }) => epoch === null);
  if (newest === undefined) {
    throw new CheckpointError(
      "MISSING",
      `${run} has learned no task yet; train it to the end of its first task`,
    );
  }
  const notes = { ...file.notes, precision: options.precision ?? file.notes.precision };
  const device = openDeviceOf(run, notes, options, onWarning);
  const checkpoint = checkpoints.file(newest);
  const { snapshot, record } = await readCheckpoint(checkpoint);
  const hat = makeHat(file.settings, file.notes.inputShape, device.backend);
  try {
    await hat.load(readerOf(snapshot, checkpoint));
  } catch (error) {
    hat.dispose();
    throw error;
  }
  const learned = parseRecord(record, checkpoint).learned.slice(0, file.notes.tasks.length);
  const accuracies = learned.map(({ accuracy }) => accuracy);
  return { file, hat, tasks: learned.length, accuracies, device, checkpoint };
}
