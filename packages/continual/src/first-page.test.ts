import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const home = process.cwd();
const parent = mkdtempSync(join(tmpdir(), "milliner-readme-"));
process.chdir(parent); // the example's folder is where it is run
afterAll(() => {
  process.chdir(home);
  rmSync(parent, { recursive: true });
});

// README's example begins.
import { run, verifyRun } from "@milliner/continual";
import { SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import { syntheticScenario } from "@milliner/continual/testing";
import { flatten, linear, network, relu, selectBackend } from "@milliner/core";

const backend = selectBackend();
const scenario = syntheticScenario(); // three tasks of two classes; splitScenario makes tasks of your own images
const settings = {
  body: network(scenario.inputShape, flatten(), linear(32), relu()), // what tasks share; each gets a head of its own
  backend,
  seed: 1,
  schedule: { epochs: 10, batchSize: 16, lr: 0.1, lrFactor: 3, lrPatience: 5, lrMin: 1e-4 },
};
const makeLearner = (): SgdFrozenLearner => new SgdFrozenLearner(settings);
const folder = "run-of-three-tasks";

const learner = makeLearner();
const control = new SgdLearner(settings);
const result = await run(scenario, learner, {
  seed: 1,
  backend,
  folder,
  resume: true, // killed at any moment and run again, it goes on and ends with the same bits
  controls: [control],
  makeLearner, // tasks are evaluated on a new object that has loaded the checkpoint
});
learner.dispose();
control.dispose();

const { bitExactOldLogits } = await verifyRun(folder, scenario, makeLearner, backend); // from the files alone
// README's example ends.

test("README's example does what it says", () => {
  expect(result.acc).toBeGreaterThan(0.9);
  expect(result).toMatchObject({ forgetting: 0, bitExactOldLogits: true, bitExactCheckedIn: "checkpoint" });
  expect(result.controls["sgd"]!.bitExactOldLogits).toBe(false);
  expect(bitExactOldLogits).toBe(true);
});

test("README's example is the code above", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const source = readFileSync(new URL(import.meta.url), "utf8");

  const example = source.split(/^\/\/ README's example (?:begins|ends)\.\n/m)[1]!;

  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\`\n`);
});
