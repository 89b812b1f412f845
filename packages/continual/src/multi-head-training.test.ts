import { describe, expect, test } from "vitest";
import { availableBackends, dropout, flatten, linear, network, relu, type Network } from "@milliner/core";
import { readerOf, takeSnapshot, type Snapshot } from "./checkpoint.ts";
import type { Schedule } from "./fit.ts";
import type { CheckpointWriter, Learner } from "./learner.ts";
import { MultiHeadTraining } from "./multi-head-training.ts";
import { syntheticScenario } from "./testing/synthetic-scenario.ts";
import { testContext } from "./testing/test-context.ts";

const backend = availableBackends()[0]!;
const schedule: Schedule = { epochs: 2, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 2, lrMin: 1e-4 };
const [first, second] = syntheticScenario().tasks as [
  ReturnType<typeof syntheticScenario>["tasks"][number],
  ReturnType<typeof syntheticScenario>["tasks"][number],
];
const plain = network([4, 4, 1], flatten(), linear(12), relu());
const dropped = network([4, 4, 1], flatten(), linear(12), relu(), dropout(0.5));

function snapshotOf(training: MultiHeadTraining): Promise<Snapshot> {
  const save = async (into: CheckpointWriter): Promise<void> => training.save(into);
  return takeSnapshot({ name: "training", save } as Learner);
}

/** The head of the second task, trained alone on a body that stays: after the first task, or as the first thing. */
async function secondHead(body: Network, afterFirst: boolean): Promise<unknown> {
  const training = new MultiHeadTraining({ body, backend, seed: 3, schedule });
  if (afterFirst) await training.learn(first, testContext(), "head");
  await training.learn(second, testContext(), "head");
  const { arrays } = await snapshotOf(training);
  training.dispose();
  return arrays.get("parameters/heads.1.weight")!.data;
}

describe("dropout is counted over all tasks", () => {
  test("so a later task draws other units than it would as the first", async () => {
    expect(await secondHead(dropped, true)).not.toEqual(await secondHead(dropped, false));
  });

  test("and nothing else of a head depends on the tasks before, where the body stays", async () => {
    expect(await secondHead(plain, true)).toEqual(await secondHead(plain, false));
  });

  test("and the count is kept in a checkpoint", async () => {
    const training = new MultiHeadTraining({ body: dropped, backend, seed: 3, schedule });
    const loaded = new MultiHeadTraining({ body: dropped, backend, seed: 3, schedule });
    await training.learn(first, testContext(), "body-and-head");
    const snapshot = await snapshotOf(training);
    loaded.load(readerOf(snapshot, "the snapshot"));
    for (const each of [training, loaded]) await each.learn(second, testContext(), "body-and-head");

    const steps = schedule.epochs * Math.ceil(first.train.size / schedule.batchSize);
    expect(snapshot.values.get("training")).toEqual({ steps });
    expect(await snapshotOf(loaded)).toEqual(await snapshotOf(training));
    training.dispose();
    loaded.dispose();
  });
});

test("a checkpoint that does not fit leaves heads, fit and count as they were", async () => {
  const training = new MultiHeadTraining({ body: dropped, backend, seed: 3, schedule });
  await training.learn(first, testContext(), "body-and-head");
  const before = await snapshotOf(training);
  const lies: readonly [string, unknown][] = [
    ["training", { steps: -1 }],
    ["fit", { task: 1 }],
    ["heads", [[0, 3]]],
    ["body", plain],
  ];

  for (const [name, lie] of lies) {
    const values = new Map([...before.values, [name, lie]]);
    expect(() => training.load(readerOf({ ...before, values }, "the lie")), name).toThrow(/checkpoint/);
    expect(await snapshotOf(training), name).toEqual(before);
  }
  training.dispose();
});
