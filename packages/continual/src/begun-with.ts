import { CheckpointError } from "@milliner/core";
import { readRecord } from "./checkpoint.ts";
import { CheckpointFolder } from "./run-folder.ts";
import { settingDifference } from "./run-identity.ts";
import { parseRecord, type RunRecord } from "./run-record.ts";

/**
 * Holds what a file says of a run to what the run was given as its `settings`, which its newest checkpoint has noted. Nothing is
 * said where there is no checkpoint yet, where it cannot be read, or where it is from before they were noted.
 *
 * @param folder - the run's
 * @param settings - what `run` would be given now
 * @param file - where they are from, for the message
 * @throws CheckpointError (`OTHER_RUN`) that names the first key that differs, with both values
 */
export async function checkBegunWith(
  folder: string,
  settings: Readonly<Record<string, unknown>>,
  file: string,
): Promise<void> {
  const checkpoints = new CheckpointFolder(folder);
  const [newest] = await checkpoints.places();
  if (newest === undefined) return;
  const checkpoint = checkpoints.file(newest);
  const found = await readRecord(checkpoint).then(
    (record) => parseRecord(record, checkpoint).identity,
    (): RunRecord["identity"] => null, // whoever has to read it says what is wrong with it
  );
  const difference = found && settingDifference(found.settings, settings);
  if (difference === null) return;
  throw new CheckpointError(
    "OTHER_RUN",
    `${file} has ${difference.key} ${difference.now}, but ${checkpoint} was written with ${difference.before}; ` +
      "put that back, or choose another folder",
  );
}
