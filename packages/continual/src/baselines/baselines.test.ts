import { describe, expect, test } from "vitest";
import { availableBackends, dropout, flatten, linear, network, relu, type Backend } from "@milliner/core";
import { readerOf, takeSnapshot } from "../checkpoint.ts";
import { evaluate } from "../evaluate.ts";
import type { Schedule } from "../fit.ts";
import type { Learner } from "../learner.ts";
import { measureTask } from "../measure-task.ts";
import type { Split } from "../task.ts";
import { learnerConformance } from "../testing/learner-conformance.ts";
import { syntheticScenario } from "../testing/synthetic-scenario.ts";
import { testContext } from "../testing/test-context.ts";
import { JointLearner, RandomBodyLearner, SgdFrozenLearner, SgdLearner } from "./index.ts";

const schedule: Schedule = { epochs: 2, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 2, lrMin: 1e-4 };
const scenario = syntheticScenario();
const body = network([4, 4, 1], flatten(), dropout(0.1), linear(12), relu());

function learners(backend: Backend, seed = 3): Readonly<Record<string, () => Learner>> {
  const options = { body, backend, seed, schedule };
  return {
    sgd: () => new SgdLearner(options),
    "sgd-frozen": () => new SgdFrozenLearner(options),
    "random-body": () => new RandomBodyLearner(options),
    joint: () => new JointLearner({ ...options, scenario }),
  };
}

/** The arrays that a learner saves, as copies; those of heads only, or of all else. */
async function saved(learner: Learner, part: "body" | "heads"): Promise<ReadonlyMap<string, unknown>> {
  const { arrays } = await takeSnapshot(learner);
  return new Map([...arrays].filter(([name]) => name.startsWith("parameters/heads.") === (part === "heads")));
}

describe.each(availableBackends())("on the backend $name", (backend) => {
  describe.each(Object.entries(learners(backend)))("%s keeps the Learner contract", (_, make) => {
    for (const { name, check } of learnerConformance({ make, scenario, backend })) test(name, check);
  });

  test.each(Object.entries(learners(backend)))("%s is called so", (name, make) => {
    const learner = make();

    expect(learner.name).toBe(name);
    learner.dispose();
  });

  test("sgd changes the body with every task, and forgets nothing that it locks, for it locks nothing", async () => {
    const learner = learners(backend).sgd!();
    const seen = [await saved(learner, "body")];
    for (const task of scenario.tasks) {
      await learner.learn(task, testContext());
      seen.push(await saved(learner, "body"));
    }

    for (let i = 1; i < seen.length; i++) expect(seen[i]).not.toEqual(seen[i - 1]);
    expect(learner.lockedHash(0)).toBeNull();
    learner.dispose();
  });

  test("sgd-frozen leaves every bit of the body as the first task made it", async () => {
    const learner = learners(backend)["sgd-frozen"]!();
    const initial = await saved(learner, "body");
    await learner.learn(scenario.tasks[0]!, testContext());
    const afterFirst = await saved(learner, "body");
    for (const task of scenario.tasks.slice(1)) await learner.learn(task, testContext());

    expect(afterFirst).not.toEqual(initial);
    expect(await saved(learner, "body")).toEqual(afterFirst);
    learner.dispose();
  });

  test("random-body leaves every bit of the body as it was drawn, and trains heads", async () => {
    const learner = learners(backend)["random-body"]!();
    const initial = await saved(learner, "body");
    for (const task of scenario.tasks) await learner.learn(task, testContext());
    const untrained = learners(backend)["random-body"]!();

    expect(await saved(learner, "body")).toEqual(initial);
    expect(initial).toEqual(await saved(untrained, "body"));
    expect((await saved(learner, "heads")).size).toBe(2 * scenario.tasks.length);
    untrained.dispose();
    learner.dispose();
  });

  test("the heads of earlier tasks keep their bits under every method that learns one task at a time", async () => {
    for (const name of ["sgd", "sgd-frozen", "random-body"]) {
      const learner = learners(backend)[name]!();
      await learner.learn(scenario.tasks[0]!, testContext());
      const before = await saved(learner, "heads");
      await learner.learn(scenario.tasks[1]!, testContext());
      const after = await saved(learner, "heads");

      for (const [head, values] of before) expect(after.get(head), `${head} of ${name}`).toEqual(values);
      learner.dispose();
    }
  });

  test.each(["sgd-frozen", "random-body"])(
    "%s locks the body and the heads up to the task, that one's included, and no later head",
    async (name) => {
      const learner = learners(backend)[name]!();
      for (const task of scenario.tasks) await learner.learn(task, testContext());
      const snapshot = await takeSnapshot(learner);
      const hashes = (): (string | null)[] => [0, 1, 2].map((upTo) => learner.lockedHash(upTo));
      const before = hashes();
      /** Which of the three hashes see one turned bit of a parameter. */
      const seenBy = async (parameter: string): Promise<readonly boolean[]> => {
        const stored = snapshot.arrays.get(`parameters/${parameter}`)!;
        const data = stored.data.slice();
        new Uint32Array(data.buffer)[0]! ^= 1;
        const arrays = new Map([...snapshot.arrays, [`parameters/${parameter}`, { ...stored, data }]]);
        await learner.load(readerOf({ ...snapshot, arrays }, "the turned bit"));
        return hashes().map((hash, i) => hash !== before[i]);
      };

      const hidden = [...(await saved(learner, "body")).keys()][0]!.replace("parameters/", "");
      expect(await seenBy(hidden)).toEqual([true, true, true]);
      expect(await seenBy("heads.0.weight")).toEqual([true, true, true]);
      expect(await seenBy("heads.1.bias")).toEqual([false, true, true]);
      expect(await seenBy("heads.2.weight")).toEqual([false, false, true]);
      learner.dispose();
    },
  );

  test("joint training of the first task alone is plain training: the bits of sgd", async () => {
    const [joint, sgd] = [learners(backend).joint!(), learners(backend).sgd!()];
    await joint.learn(scenario.tasks[0]!, testContext());
    await sgd.learn(scenario.tasks[0]!, testContext());

    expect(await saved(joint, "heads")).toEqual(await saved(sgd, "heads"));
    expect(await saved(joint, "body")).toEqual(await saved(sgd, "body"));
    joint.dispose();
    sgd.dispose();
  });

  test("joint training begins anew with each task: the second does not depend on whether the first was learned", async () => {
    const [both, secondOnly] = [learners(backend).joint!(), learners(backend).joint!()];
    await both.learn(scenario.tasks[0]!, testContext());
    await both.learn(scenario.tasks[1]!, testContext());
    await secondOnly.learn(scenario.tasks[1]!, testContext());

    expect(await saved(both, "body")).toEqual(await saved(secondOnly, "body"));
    both.dispose();
    secondOnly.dispose();
  });

  test("joint trains and validates on all images of the tasks up to this one, and of none after it", async () => {
    const seen = new Map<string, Set<number>>();
    const watched = (split: Split, name: string): Split => ({
      ...split,
      read(positions, into) {
        const known = seen.get(name) ?? new Set();
        seen.set(name, known);
        for (let i = 0; i < positions.length; i++) known.add(positions[i]!);
        split.read(positions, into);
      },
    });
    const tasks = scenario.tasks.map((task) => ({
      ...task,
      train: watched(task.train, `train ${task.id}`),
      validation: watched(task.validation, `validation ${task.id}`),
      test: watched(task.test, `test ${task.id}`),
    }));
    const learner = new JointLearner({ body, backend, seed: 3, schedule, scenario: { ...scenario, tasks } });
    await learner.learn(tasks[1]!, testContext());

    const { train, validation } = scenario.tasks[0]!;
    expect([...seen].map(([name, { size }]) => `${name}: ${size}`).sort()).toEqual([
      `train 0: ${train.size}`,
      `train 1: ${scenario.tasks[1]!.train.size}`,
      `validation 0: ${validation.size}`,
      `validation 1: ${scenario.tasks[1]!.validation.size}`,
    ]);
    learner.dispose();
  });

  test("joint training after the second task is right about both, where sgd is trained on the second alone", async () => {
    const patient: Schedule = { ...schedule, epochs: 20, lrPatience: 20 };
    const learner = new JointLearner({ body, backend, seed: 3, schedule: patient, scenario });
    await learner.learn(scenario.tasks[1]!, testContext());

    for (const task of scenario.tasks.slice(0, 2))
      expect(measureTask(learner, task, backend).accuracy, task.name).toBe(1);
    learner.dispose();
  });

  test("joint judges each sample in its own task's head, and no other head", async () => {
    const once: Schedule = { ...schedule, epochs: 1 };
    const learner = new JointLearner({ body, backend, seed: 3, schedule: once, scenario });
    const run = testContext();
    await learner.learn(scenario.tasks[2]!, run);
    const ended = run.seen.find((event) => event.type === "epoch-ended")!;

    let loss = 0;
    let images = 0;
    for (const { id, validation } of scenario.tasks) {
      loss += evaluate(validation, backend, (x) => learner.logits(id, x)).loss * validation.size;
      images += validation.size;
    }
    expect(ended.validationLoss).toBeCloseTo(loss / images, 5); // float32 means
    learner.dispose();
  });

  test("joint refuses a task that its scenario does not hold", async () => {
    const learner = learners(backend).joint!();

    await expect(
      learner.learn({ ...scenario.tasks[0]!, name: "another" }, testContext()),
    ).rejects.toMatchObject({ code: "TASK_UNKNOWN", message: expect.stringContaining("another") });
    learner.dispose();
  });
});
