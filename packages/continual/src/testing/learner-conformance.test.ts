import { describe, expect, test } from "vitest";
import { flatten, keep, linear, network, onBackend, relu, selectBackend, Tensor } from "@milliner/core";
import { SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import type { CheckpointReader, CheckpointWriter, Learner, RunContext } from "../learner.ts";
import type { Task } from "../task.ts";
import { learnerConformance } from "./learner-conformance.ts";
import { syntheticScenario } from "./synthetic-scenario.ts";

const backend = selectBackend("reference");
const scenario = syntheticScenario({ imagesPerClass: 8 });
const options = {
  body: network([4, 4, 1], flatten(), linear(6), relu()),
  backend,
  seed: 1,
  schedule: { epochs: 2, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 },
};

/** A learner that keeps its promises but for what `change` replaces. */
function broken(
  change: (sound: Learner) => Partial<Learner>,
  sound: Learner = new SgdLearner(options),
): Learner {
  const bound: Learner = {
    name: sound.name,
    learn: (task, run) => sound.learn(task, run),
    logits: (task, images) => sound.logits(task, images),
    untrainedLogits: (task, images) => sound.untrainedLogits!(task, images),
    lockedHash: (upTo) => sound.lockedHash(upTo),
    save: (into) => sound.save(into),
    load: (from) => sound.load(from),
    dispose: () => sound.dispose(),
  };
  return { ...bound, ...change(sound) };
}

/** The claims that a learner breaks. */
async function brokenClaims(make: () => Learner): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { name, check } of learnerConformance({ make, scenario, backend })) {
    try {
      await check();
    } catch {
      names.push(name);
    }
  }
  return names;
}

test("a sound learner keeps every claim", async () => {
  expect(await brokenClaims(() => broken(() => ({})))).toEqual([]);
});

let leaked = 0;

describe("the suite finds a learner that", () => {
  test.each<[string, RegExp, () => Learner]>([
    [
      "forgets a part of its state in save",
      /loaded from the end of any epoch goes on with the same bits/,
      () =>
        broken((sound) => ({
          async save(into: CheckpointWriter) {
            await sound.save({
              ...into,
              json: (name, value) => into.json(name, name === "fit" ? null : value),
            });
          },
        })),
    ],
    [
      "draws from a source that no seed decides",
      /two learners with one seed end with the same bits/,
      () => {
        const salt = ++leaked;
        return broken((sound) => ({
          learn: (task: Task, run: RunContext) => sound.learn(task, { ...run, seed: run.seed + salt }),
        }));
      },
    ],
    [
      "does not look at the seed of the run",
      /another seed of the run ends with other bits/,
      () =>
        broken((sound) => ({
          learn: (task: Task, run: RunContext) => sound.learn(task, { ...run, seed: 1 }),
        })),
    ],
    [
      "computes where the image is",
      /an image on another backend has the bits that it has on the learner's/,
      () =>
        broken((sound) => ({
          logits: (task, images) => onBackend(sound.logits(task, images), images.backend),
        })),
    ],
    [
      "takes a label that is no class for another",
      /a label that is no class of its task is refused/,
      () =>
        broken((sound) => ({
          learn: (task: Task, run: RunContext) => {
            const labels = task.train.labels.map((label) => Math.min(label, 1));
            return sound.learn({ ...task, train: { ...task.train, labels } }, run);
          },
        })),
    ],
    [
      "has settings that no two have alike",
      /its settings are plain JSON, the same/,
      () => broken(() => ({ settings: { salt: ++leaked } })),
    ],
    [
      "has settings that JSON would change",
      /its settings are plain JSON, the same/,
      () => broken(() => ({ settings: { strength: Number.NaN } })),
    ],
    [
      "learns a task twice",
      /learning a task twice is refused/,
      () =>
        broken((sound) => ({
          learn: (task: Task, run: RunContext) =>
            sound.learn(task, run).catch(() => ({ epochs: 2, notes: {} })),
        })),
    ],
    [
      "is deaf to an abort",
      /an aborted task rejects with the signal's reason/,
      () =>
        broken((sound) => ({
          learn: (task: Task, run: RunContext) =>
            sound.learn(task, { ...run, pause: () => run.pause().catch(() => undefined) }),
        })),
    ],
    [
      "saves what it trained of an epoch",
      /stopped within an epoch is neither saved/,
      () =>
        broken((sound) => ({
          save: (into: CheckpointWriter) => sound.save(into).catch(() => undefined),
        })),
    ],
    [
      "takes half of a checkpoint that it refuses",
      /with one entry spoiled/,
      () =>
        broken((sound) => ({
          async load(from: CheckpointReader) {
            await sound.load({
              ...from,
              json: (name) => (name === "training" ? { steps: 0 } : from.json(name)),
            });
            await sound.load(from);
          },
        })),
    ],
    [
      "never offers a checkpoint",
      /loaded from the end of any epoch/,
      () =>
        broken((sound) => ({
          learn: (task: Task, run: RunContext) =>
            sound.learn(task, { ...run, checkpoint: async () => undefined }),
        })),
    ],
    [
      "keeps what it had when it is loaded",
      /load replaces all that was there/,
      () => broken(() => ({ load: async () => undefined })),
    ],
    [
      "believes an empty checkpoint",
      /an empty checkpoint is refused/,
      () =>
        broken((sound) => ({ load: (from: CheckpointReader) => sound.load(from).catch(() => undefined) })),
    ],
    [
      "says that it locks what it goes on to change",
      /what a task has locked, later tasks leave alone/,
      () => broken(() => ({ lockedHash: () => "always the same" })),
    ],
    [
      "says of locks that they changed",
      /what a task has locked, later tasks leave alone/,
      () => broken(() => ({ lockedHash: () => String(++leaked) }), new SgdFrozenLearner(options)),
    ],
    [
      "leaves a buffer behind",
      /leave no buffer behind/,
      () =>
        broken((sound) => ({
          dispose() {
            keep(new Tensor([1], { backend }));
            sound.dispose();
          },
        })),
    ],
    [
      "answers for a task that it has not learned",
      /logits of a task that was not learned are refused/,
      () => broken((sound) => ({ logits: (_: number, images: Tensor) => sound.logits(0, images) })),
    ],
    [
      "lets a batch decide the logits of an image",
      /do not depend on the batch/,
      () =>
        broken((sound) => ({
          logits(task: number, images: Tensor) {
            const logits = sound.logits(task, images);
            logits.data[0]! += images.shape[0]!;
            return logits;
          },
        })),
    ],
  ])("%s", async (_, claim, make) => {
    const names = await brokenClaims(make);

    expect(
      names.filter((name) => claim.test(name)),
      `broken: ${names.join("; ")}`,
    ).toHaveLength(1);
  });
});
