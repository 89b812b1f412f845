import { mkdir, mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { SgdFrozenLearner } from "@milliner/continual/baselines";
import { readCheckpoint } from "./checkpoint.ts";
import { CheckpointFolder } from "./run-folder.ts";
import { run } from "./run.ts";
import { readResult } from "./stored-result.ts";
import { syntheticScenario } from "./testing/synthetic-scenario.ts";
import { verifyRun } from "./verify-run.ts";

// What a call is given is meant as seen from where the process was then, wherever it has gone since.
const home = process.cwd();
let here = "";
let elsewhere = "";
beforeEach(async () => {
  const parent = await realpath(await mkdtemp(join(tmpdir(), "milliner-relative-")));
  [here, elsewhere] = [join(parent, "here"), join(parent, "elsewhere")];
  await mkdir(here);
  await mkdir(elsewhere);
  process.chdir(here);
});
afterEach(async () => {
  process.chdir(home);
  await rm(join(here, ".."), { recursive: true });
});

const backend = selectBackend("reference");
const scenario = syntheticScenario({ imagesPerClass: 8 });
const make = (): SgdFrozenLearner =>
  new SgdFrozenLearner({
    body: network([4, 4, 1], flatten(), linear(4), relu()),
    backend,
    seed: 1,
    schedule: { epochs: 1, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 },
  });

test.each(["at once", "run-started", "task-started", "checkpoint", "evaluated"])(
  "a run whose process goes elsewhere (%s) stays in one folder, whole, and is verified and read there",
  async (moment) => {
    const learner = make();
    const leave = (): void => process.chdir(elsewhere);

    const done = run(scenario, learner, {
      seed: 1,
      backend,
      folder: "run",
      makeLearner: make,
      verifier: async (folder) => await verifyRun(folder, scenario, make, backend),
      checkpointSeconds: 0,
      events: ({ type }) => (type === moment ? leave() : undefined),
    });
    if (moment === "at once") leave();
    const result = await done;
    learner.dispose();
    process.chdir(here);
    const checkpoints = new CheckpointFolder("run");
    const read = readCheckpoint("run/checkpoints/task-002.json");
    const verified = verifyRun("run", scenario, make, backend);
    const stored = readResult("run");
    leave();

    expect(result.bitExactCheckedIn).toBe("fresh-process");
    expect((await readdir(join(here, "run"))).toSorted()).toEqual([
      "checkpoints",
      "events.jsonl",
      "result.json",
    ]);
    expect(await readdir(elsewhere)).toEqual([]);
    expect(await stored).toEqual(result);
    expect((await verified).tasks).toHaveLength(3);
    expect((await read).snapshot.arrays.size).toBeGreaterThan(0);
    expect(await checkpoints.places()).toHaveLength(3);
  },
);
