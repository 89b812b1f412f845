import { counted } from "./counted.ts";
import { exitStatus, Failed, sentence, tryAgainStatus } from "./exit-status.ts";
import type { Trained } from "./train.ts";

/** A seed whose run did not come to its end. */
export interface FailedSeed {
  readonly seed: number;
  readonly error: unknown;
}

/** What came of several seeds of one experiment, so far. */
export interface SeedRuns {
  readonly done: readonly Trained[];
  readonly failed: readonly FailedSeed[];
}

/**
 * Trains one seed after the other. One that fails does not end those after it; an interruption does.
 *
 * @param runs - filled as it goes, so that those which are done can be told where it is interrupted
 * @param onFailed - hears of each that fails, when it does
 */
export async function trainSeeds(
  seeds: readonly number[],
  trainOne: (seed: number) => Promise<Trained>,
  runs: { readonly done: Trained[]; readonly failed: FailedSeed[] },
  onFailed: (failed: FailedSeed) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const seed of seeds) {
    try {
      runs.done.push(await trainOne(seed));
    } catch (error) {
      if (signal.aborted) throw error;
      runs.failed.push({ seed, error });
      onFailed({ seed, error });
    }
  }
}

/**
 * The error that a command ends with when seeds failed, null when none did. Seeds that failed for the same reason are told
 * together. Its status is 1: a run failed. It is 75 where trying again is right for all of them, and theirs where no seed is done
 * and all agree, for then it is the settings that are wrong and no run.
 */
export function seedsFailure({ done, failed }: SeedRuns): Failed | null {
  if (failed.length === 0) return null;
  const bySentence = new Map<string, number[]>();
  for (const { seed, error } of failed) {
    const reason = sentence(error).replace(/\.$/, "");
    bySentence.set(reason, [...(bySentence.get(reason) ?? []), seed]);
  }
  const reasons = [...bySentence].map(
    ([reason, seeds]) => `${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}: ${reason}`,
  );
  const [status, ...others] = new Set(failed.map(({ error }) => exitStatus(error)));
  const isTheirs = others.length === 0 && (done.length === 0 || status === tryAgainStatus);
  return new Failed(
    "SEEDS_FAILED",
    `${failed.length} of ${counted(done.length + failed.length, "seed")} failed: ${reasons.join("; ")}`,
    { status: isTheirs ? status! : 1, cause: failed[0]!.error },
  );
}
