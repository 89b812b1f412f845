import { CheckpointError, type Backend } from "@milliner/core";
import { readCheckpoint, readerOf } from "./checkpoint.ts";
import type { Learner } from "./learner.ts";
import { measureTask } from "./measure-task.ts";
import { CheckpointFolder } from "./run-folder.ts";
import { identifyTried, triedDifference } from "./run-identity.ts";
import { checkRecord, parseRecord } from "./run-record.ts";
import { brief } from "./stored-json.ts";
import type { Scenario } from "./task.ts";

/** What `verifyRun` found. Plain JSON, so that a child process can hand it to its parent. */
export interface Verification {
  /** Path of the checkpoint that was loaded. */
  readonly checkpoint: string;
  /** For each learned task, SHA-256 of its test logits when its training ended, and now. */
  readonly tasks: readonly { readonly task: number; readonly expected: string; readonly found: string }[];
  /** Whether all of them are the same. */
  readonly bitExactOldLogits: boolean;
  /** Whether the locked elements have the hashes noted when each task ended; null for methods that lock nothing. */
  readonly lockedUnchanged: boolean | null;
}

/**
 * Loads the newest checkpoint at the end of a task, and compares the test logits of every learned task with what they were
 * when its training ended. Called in a fresh process it shows that nothing of a task lives outside its checkpoint. Reads
 * only, and takes no lock: the run may be waiting for it.
 *
 * @param folder - the run's folder
 * @param scenario - the one that was run
 * @param makeLearner - makes a learner like the one that was run
 * @throws CheckpointError when there is no such checkpoint, it cannot be read or belongs to another scenario; (`OTHER_RUN`) to
 *   one with other images
 */
export async function verifyRun(
  folder: string,
  scenario: Scenario,
  makeLearner: () => Learner,
  backend: Backend,
): Promise<Verification> {
  const checkpoints = new CheckpointFolder(folder);
  const newest = (await checkpoints.places()).find(({ epoch }) => epoch === null);
  if (newest === undefined) {
    throw new CheckpointError(
      "MISSING",
      `${checkpoints.path} has no checkpoint of a learned task; train first`,
    );
  }
  const checkpoint = checkpoints.file(newest);
  const stored = await readCheckpoint(checkpoint);
  const record = parseRecord(stored.record, checkpoint);
  const { learned } = record;
  if (record.scenario !== scenario.name || record.tasks !== scenario.tasks.length) {
    throw new CheckpointError(
      "OTHER_RUN",
      `${checkpoint} was written with scenario ${brief(record.scenario)}, not ${brief(scenario.name)}; give the run's own`,
    );
  }
  checkRecord(record, newest, checkpoint);
  const begunWith = record.identity?.tasks.slice(0, learned.length) ?? [];
  for (const [task, before] of begunWith.entries()) {
    const difference = triedDifference(task, before, await identifyTried(scenario.tasks[task]!));
    if (difference !== null) {
      throw new CheckpointError(
        "OTHER_RUN",
        `${checkpoint} was written with ${difference}; give the run's own`,
      );
    }
  }
  const learner = makeLearner();
  try {
    await learner.load(readerOf(stored.snapshot, checkpoint));
    const tasks = learned.map(({ logitsSha256 }, task) => ({
      task,
      expected: logitsSha256,
      found: measureTask(learner, scenario.tasks[task]!, backend).logitsSha256,
    }));
    const locked = learned.flatMap(({ lockedHash }, task) =>
      lockedHash === null ? [] : [learner.lockedHash(task) === lockedHash],
    );
    return {
      checkpoint,
      tasks,
      bitExactOldLogits: tasks.every(({ expected, found }) => expected === found),
      lockedUnchanged: locked.length === 0 ? null : locked.every(Boolean),
    };
  } finally {
    learner.dispose();
  }
}
