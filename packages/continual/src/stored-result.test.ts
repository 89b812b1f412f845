import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import type { RunResult } from "./result.ts";
import { run } from "./run.ts";
import { readResult } from "./stored-result.ts";
import { syntheticScenario } from "./testing/index.ts";

let folder = "";
let result: RunResult;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-result-"));
  const backend = selectBackend("reference");
  const scenario = syntheticScenario({ imagesPerClass: 6 });
  const body = network(scenario.inputShape, flatten(), linear(4), relu());
  const schedule = { epochs: 1, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 2, lrMin: 1e-3 };
  const options = { body, backend, seed: 3, schedule };
  const learners = [new SgdLearner(options), new SgdFrozenLearner(options)] as const;
  result = await run(scenario, learners[0], { seed: 3, backend, controls: [learners[1]], folder });
  for (const learner of learners) learner.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a result is read back as it was returned", async () => {
  expect(await readResult(folder)).toEqual(result);
});

test("a folder without a result is that of a run that is not done", async () => {
  expect(await readResult(join(folder, "none"))).toBeNull();
});

test.each([
  ["is torn", (text: string) => text.slice(0, -9), "DAMAGED"],
  ["is of another version", (text: string) => text.replace('"version": 1', '"version": 2'), "BAD_VERSION"],
  [
    "lacks a figure",
    (text: string) => text.replace('"bitExactOldLogits"', '"bitExactOldLogit"'),
    "BAD_VALUE",
  ],
])("a result that %s is refused by the name of its file", async (_, damage, code) => {
  const other = await mkdtemp(join(folder, "damaged-"));
  const path = join(other, "result.json");
  await writeFile(path, damage(await readFile(join(folder, "result.json"), "utf8")));

  await expect(readResult(other)).rejects.toMatchObject({
    name: "CheckpointError",
    code,
    message: expect.stringContaining(path) as string,
  });
});
