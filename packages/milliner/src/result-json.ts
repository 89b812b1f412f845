import type { LearnerResult } from "@milliner/continual";
import { failureOf } from "./exit-status.ts";
import { summariseSeeds } from "./result-table.ts";
import type { SeedRuns } from "./seed-runs.ts";
import type { Trained } from "./train.ts";

/** The figures of one learner, as `--json` gives them. */
function figuresOf(result: LearnerResult): object {
  const { acc, bwt, fwt, forgetting, forgettingRatio, matrix, bitExactOldLogits, lockedHash, seconds } =
    result;
  return { acc, bwt, fwt, forgetting, forgettingRatio, matrix, bitExactOldLogits, lockedHash, seconds };
}

/** A run as one JSON object: what `train --json` prints. */
export function trainedJson({ name, folder, settings, device, result, warnings }: Trained): object {
  return {
    experiment: name,
    learner: result.learner,
    seed: settings.seed,
    tasks: result.tasks.map((task) => task.name),
    ...figuresOf(result),
    bitExactCheckedIn: result.bitExactCheckedIn,
    lockedUnchanged: result.lockedUnchanged,
    controls: Object.fromEntries(
      Object.entries(result.controls).map(([control, figures]) => [control, figuresOf(figures)]),
    ),
    device: device.device,
    isa: device.isa,
    precision: device.precision,
    threads: device.threads,
    run: folder,
    warnings: [...warnings, ...result.warnings],
  };
}

/** Several seeds as one JSON object: each of them, and mean and sample standard deviation of the figures of those that are done. */
export function seedsJson({ done, failed }: SeedRuns): object {
  const own = summariseSeeds(done.map(({ result }) => result));
  const names = Object.keys(done[0]?.result.controls ?? {});
  const controls = names.map(
    (control) => [control, summariseSeeds(done.map(({ result }) => result.controls[control]!))] as const,
  );
  const withControls = (which: "mean" | "std"): object => ({
    ...own[which],
    controls: Object.fromEntries(controls.map(([control, summary]) => [control, summary[which]])),
  });
  return {
    seeds: done.map(trainedJson),
    failed: failed.map(({ seed, error }) => ({ seed, error: failureOf(error) })),
    count: done.length,
    mean: withControls("mean"),
    std: withControls("std"),
  };
}
