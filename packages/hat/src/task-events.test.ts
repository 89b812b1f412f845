import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { run, type RunEvent, type RunOptions } from "@milliner/continual";
import { syntheticScenario } from "@milliner/continual/testing";
import { Hat } from "./hat.ts";

const backend = selectBackend();
const scenario = syntheticScenario({ classes: 16, imagesPerClass: 8 });
// So few units, and so little pressure, that the second layer is full after the first tasks, and the first one later.
const body = network([4, 4, 1], flatten(), linear(24), relu(), linear(8), relu());
const schedule = { epochs: 1, batchSize: 8, lr: 0.05, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 };

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-full-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function warningsOf(options: Partial<RunOptions> = {}): Promise<readonly string[]> {
  const learner = new Hat({ body, backend, seed: 1, schedule, c: 0 });
  try {
    return (await run(scenario, learner, { seed: 1, backend, ...options })).warnings;
  } finally {
    learner.dispose();
  }
}

test("each layer that becomes full is warned of once, when the next task begins", async () => {
  const began: Record<string, number> = {};
  let task = -1;
  const events = (event: RunEvent): void => {
    if (event.type === "task-ended") task = event.task + 1;
    if (event.type === "warning") began[event.message.split('"')[1]!] = task;
  };

  const warnings = await warningsOf({ events });

  expect(Object.keys(began).sort()).toEqual(["fc1", "fc2"]);
  expect([...warnings].sort()).toEqual(
    ["fc1", "fc2"].map(
      (layer) =>
        `"${layer}" has no free unit left: from task ${began[layer]} on, tasks can only reuse its units`,
    ),
  );
});

test("and a run that is stopped when each task has begun and is resumed says no more", async () => {
  const expected = await warningsOf();
  for (let stops = 0; ; stops++) {
    const abort = new AbortController();
    let started = 0;
    const events = ({ type }: RunEvent): void => {
      if (type === "task-started" && ++started === 2) abort.abort(new Error("Ctrl-C"));
    };
    const options = { folder, resume: true, events, signal: abort.signal, checkpointSeconds: 0 };
    const found = await warningsOf(options).catch(() => null);
    if (found === null) continue;

    expect(stops).toBe(scenario.tasks.length - 1);
    expect(found).toEqual(expected);
    return;
  }
});
