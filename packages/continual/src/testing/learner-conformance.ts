import assert from "node:assert/strict";
import { types } from "node:util";
import {
  CheckpointError,
  ConfigError,
  keep,
  memoryUse,
  MillinerError,
  NumericError,
  onBackend,
  referenceBackend,
  Tensor,
  type Backend,
} from "@milliner/core";
import { forEachBatch } from "../batches.ts";
import { jsonCopy } from "../checkpoint-json.ts";
import { readerOf, takeSnapshot, type Snapshot, type StoredTensor } from "../checkpoint.ts";
import type { Learner, TaskRecord } from "../learner.ts";
import { measureTask } from "../measure-task.ts";
import type { Scenario, Split, Task } from "../task.ts";
import { testContext, type TestContextOptions } from "./test-context.ts";

/** What a conformance suite is run on. */
export interface LearnerSubject {
  /** Makes a new learner, each time the same. Its schedule has at least 2 epochs per task, and few. */
  readonly make: () => Learner;
  /** At least two tasks, small: the suite learns them some thirty times. */
  readonly scenario: Scenario;
  readonly backend: Backend;
}

/** A promise of the Learner contract, and how to hold a learner to it. */
export interface LearnerClaim {
  readonly name: string;
  /** Rejects when the promise is broken. */
  readonly check: () => Promise<void>;
}

/**
 * The promises of the Learner contract, for any test runner:
 *
 *     for (const { name, check } of learnerConformance(subject)) test(name, check);
 */
export function learnerConformance(subject: LearnerSubject): readonly LearnerClaim[] {
  const { make, scenario, backend } = subject;
  const [first, second] = scenario.tasks as readonly [Task, Task];

  const withLearner = async (body: (learner: Learner) => Promise<void>): Promise<void> => {
    const learner = make();
    try {
      await body(learner);
    } finally {
      learner.dispose();
    }
  };
  const learn = (learner: Learner, task: Task, options: TestContextOptions = {}): Promise<TaskRecord> =>
    learner.learn(task, testContext(options));
  const bits = (learner: Learner, task: Task): string => measureTask(learner, task, backend).logitsSha256;
  /** What a learner that is not interrupted ends with, after the first task and after the second. */
  const uninterrupted = async (): Promise<{
    readonly afterFirst: string;
    readonly afterSecond: readonly string[];
  }> => {
    let afterFirst = "";
    let afterSecond: readonly string[] = [];
    await withLearner(async (learner) => {
      await learn(learner, first);
      afterFirst = bits(learner, first);
      await learn(learner, second);
      afterSecond = [bits(learner, first), bits(learner, second)];
    });
    return { afterFirst, afterSecond };
  };
  const claim = (name: string, check: () => Promise<void>): LearnerClaim => ({ name, check });

  return [
    claim("learning a task twice is refused with TASK_LEARNED and changes no logit", () =>
      withLearner(async (learner) => {
        await learn(learner, first);
        const before = bits(learner, first);

        await assert.rejects(learn(learner, first), hasCode(ConfigError, "TASK_LEARNED"));

        assert.equal(bits(learner, first), before);
      }),
    ),

    claim("logits are finite and of shape [n, classes of the task], for one image as for many", () =>
      withLearner(async (learner) => {
        await learn(learner, first);
        for (const count of [1, 3]) {
          forEachBatch(first.test, count, backend, (images) => {
            const logits = learner.logits(first.id, images);

            assert.deepEqual([...logits.shape], [images.shape[0], first.classes.length]);
            assert.ok(logits.data.every(Number.isFinite));
          });
        }
      }),
    ),

    claim("the logits of an image do not depend on the batch that it is in", () =>
      withLearner(async (learner) => {
        await learn(learner, first);
        const collect = (batchSize: number): number[] => {
          const all: number[] = [];
          forEachBatch(first.test, batchSize, backend, (images) =>
            all.push(...learner.logits(first.id, images).data),
          );
          return all;
        };

        assert.deepEqual(collect(1), collect(7));
      }),
    ),

    claim(
      "an image on another backend has the bits that it has on the learner's, before the task and after",
      () =>
        withLearner(async (learner) => {
          const elsewhere = backend === referenceBackend ? { ...referenceBackend } : referenceBackend;
          const sameBits = (logits: (images: Tensor) => Tensor): void =>
            forEachBatch(first.test, 4, backend, (images) => {
              const here = logits(images);
              const there = logits(onBackend(images, elsewhere));

              assert.equal(there.backend, here.backend);
              assert.deepEqual(there.toArray(), here.toArray());
            });
          if (learner.untrainedLogits !== undefined)
            sameBits((images) => learner.untrainedLogits!(first, images));

          await learn(learner, first);

          sameBits((images) => learner.logits(first.id, images));
        }),
    ),

    claim("logits of a task that was not learned are refused with an error of milliner's", () =>
      withLearner(async (learner) => {
        await learn(learner, first);
        forEachBatch(second.test, second.test.size, backend, (images) => {
          assert.throws(() => learner.logits(second.id, images), MillinerError);
        });
      }),
    ),

    claim(
      "two learners with one seed end with the same bits, and asking for logits in between changes none",
      async () => {
        const { afterSecond } = await uninterrupted();
        await withLearner(async (learner) => {
          await learn(learner, first, { onCheckpoint: async () => void bits(learner, first) });
          await learn(learner, second);

          assert.deepEqual([bits(learner, first), bits(learner, second)], afterSecond);
        });
      },
    ),

    claim("another seed of the run ends with other bits", async () => {
      const { afterFirst } = await uninterrupted();
      await withLearner(async (learner) => {
        await learn(learner, first, { seed: 2 });

        assert.notEqual(bits(learner, first), afterFirst);
      });
    }),

    claim("the record's epochs are those that ended, each with finite figures", () =>
      withLearner(async (learner) => {
        const context = testContext();
        const { epochs, notes } = await learner.learn(first, context);

        const ended = context.seen.filter((event) => event.type === "epoch-ended");
        assert.equal(ended.length, epochs);
        assert.ok(
          ended.every(({ trainLoss, validationLoss }) => Number.isFinite(trainLoss + validationLoss)),
        );
        assert.ok(Object.values(notes).every(Number.isFinite));
      }),
    ),

    claim(
      "a learner loaded from the end of any epoch goes on with the same bits, also through the next task",
      async () => {
        const expected = await uninterrupted();
        for (const task of [first, second]) {
          const snapshots: Snapshot[] = [];
          await withLearner(async (learner) => {
            const earlier = task === second ? [first] : [];
            for (const other of earlier) await learn(learner, other);
            await learn(learner, task, {
              onCheckpoint: async () => void snapshots.push(await takeSnapshot(learner)),
            });
          });

          assert.ok(snapshots.length > 0, "checkpoint() was never called");
          for (const snapshot of snapshots) {
            await withLearner(async (learner) => {
              await learner.load(readerOf(snapshot, "the snapshot"));
              await learn(learner, task);
              if (task === first) {
                assert.equal(bits(learner, first), expected.afterFirst);
                await learn(learner, second);
              }
              assert.deepEqual([bits(learner, first), bits(learner, second)], expected.afterSecond);
            });
          }
        }
      },
    ),

    claim(
      "a learner loaded after a task has its logits, refuses it, and learns the next with the same bits",
      async () => {
        const expected = await uninterrupted();
        await withLearner(async (learner) => {
          await learn(learner, first);
          const snapshot = await takeSnapshot(learner);
          await withLearner(async (loaded) => {
            await loaded.load(readerOf(snapshot, "the snapshot"));

            assert.equal(bits(loaded, first), expected.afterFirst);
            await assert.rejects(learn(loaded, first), hasCode(ConfigError, "TASK_LEARNED"));
            await learn(loaded, second);
            assert.deepEqual([bits(loaded, first), bits(loaded, second)], expected.afterSecond);
          });
        });
      },
    ),

    claim("load replaces all that was there: a used learner becomes the saved one", async () => {
      await withLearner(async (learner) => {
        await learn(learner, first);
        const snapshot = await takeSnapshot(learner);
        await learn(learner, second);

        await learner.load(readerOf(snapshot, "the snapshot"));

        assert.deepEqual(await takeSnapshot(learner), snapshot);
        await learn(learner, second);
        assert.deepEqual([bits(learner, first), bits(learner, second)], (await uninterrupted()).afterSecond);
      });
    }),

    claim("save changes nothing: twice gives the same", () =>
      withLearner(async (learner) => {
        await learn(learner, first, {
          onCheckpoint: async () =>
            assert.deepEqual(await takeSnapshot(learner), await takeSnapshot(learner)),
        });
        assert.deepEqual(await takeSnapshot(learner), await takeSnapshot(learner));
      }),
    ),

    claim("an empty checkpoint is refused with an error of milliner's", () =>
      withLearner(async (learner) => {
        await assert.rejects(
          learner.load(readerOf({ arrays: new Map(), values: new Map() }, "an empty checkpoint")),
          MillinerError,
        );
      }),
    ),

    claim(
      "an aborted task rejects with the signal's reason, and its last checkpoint goes on with the same bits",
      async () => {
        const { afterFirst } = await uninterrupted();
        const abort = new AbortController();
        const reason = new Error("stopped by the test");
        let snapshot: Snapshot | undefined;
        await withLearner(async (learner) => {
          const stopped = learn(learner, first, {
            signal: abort.signal,
            onCheckpoint: async () => {
              snapshot ??= await takeSnapshot(learner);
            },
            onPause: () => {
              if (snapshot !== undefined) abort.abort(reason);
            },
          });

          await assert.rejects(stopped, (error) => error === reason);
        });
        await withLearner(async (learner) => {
          await learner.load(readerOf(snapshot!, "the snapshot"));
          await learn(learner, first);
          assert.equal(bits(learner, first), afterFirst);
        });
      },
    ),

    claim(
      "a learner that was stopped within an epoch is neither saved nor goes on, until a checkpoint is loaded",
      async () => {
        const { afterFirst } = await uninterrupted();
        await withLearner(async (learner) => {
          const abort = new AbortController();
          let snapshot: Snapshot | undefined;
          const stopped = learn(learner, first, {
            signal: abort.signal,
            onCheckpoint: async () => {
              snapshot ??= await takeSnapshot(learner);
            },
            onPause: () => {
              if (snapshot !== undefined) abort.abort(new Error("stopped by the test"));
            },
          });
          await assert.rejects(stopped);
          const isRefused = hasCode(ConfigError, "TASK_UNFINISHED");

          await assert.rejects(takeSnapshot(learner), isRefused, "it was saved");
          for (const task of [first, second]) await assert.rejects(learn(learner, task), isRefused);

          await learner.load(readerOf(snapshot!, "the snapshot"));
          await learn(learner, first);
          assert.equal(bits(learner, first), afterFirst);
        });
      },
    ),

    claim("a checkpoint with one entry spoiled is refused with a CheckpointError, and nothing changes", () =>
      withLearner(async (learner) => {
        const expected = await uninterrupted();
        await learn(learner, first);
        // Stopped at the end of an epoch, so that there is all that a checkpoint can have, and something to go on with.
        const enough = new Error("stopped by the test");
        const stopped = learn(learner, second, { onCheckpoint: () => Promise.reject(enough) });
        await assert.rejects(stopped, (error) => error === enough);
        const sound = await takeSnapshot(learner);
        const images = bits(learner, first);
        // Of another run: what is taken of it before it is refused shows.
        let other = sound;
        await withLearner(async (another) => {
          await learn(another, first, { seed: 2 });
          const again = learn(another, second, { seed: 2, onCheckpoint: () => Promise.reject(enough) });
          await assert.rejects(again, (error) => error === enough);
          other = await takeSnapshot(another);
        });

        for (const { how, snapshot } of spoiled(other)) {
          await assert.rejects(
            learner.load(readerOf(snapshot, "the spoiled snapshot")),
            CheckpointError,
            `${how}: it was loaded`,
          );
          assert.deepEqual(await takeSnapshot(learner), sound, `${how}: what save writes has changed`);
        }

        assert.equal(bits(learner, first), images);
        await learn(learner, second);
        assert.deepEqual([bits(learner, first), bits(learner, second)], expected.afterSecond);
      }),
    ),

    claim("a label that is no class of its task is refused with BAD_LABEL, and no task has been begun", () =>
      withLearner(async (learner) => {
        const labels = first.train.labels.map(() => first.classes.length);

        const wrong = { ...first, train: { ...first.train, labels } };
        await assert.rejects(learn(learner, wrong), hasCode(ConfigError, "BAD_LABEL"));

        await learn(learner, first);
      }),
    ),

    claim("NaN in the data is refused with a NumericError, and no logit of an earlier task becomes NaN", () =>
      withLearner(async (learner) => {
        await learn(learner, first);

        await assert.rejects(learn(learner, { ...second, train: withNaN(second.train) }), NumericError);

        bits(learner, first); // throws for a logit that is not finite
      }),
    ),

    claim("its settings are plain JSON, the same after learning and in another one made so", () =>
      withLearner(async (learner) => {
        const copy = (of: Learner): unknown => jsonCopy(of.settings ?? null, `settings of "${of.name}"`);
        const before = copy(learner);

        await learn(learner, first);

        assert.deepEqual(copy(learner), before);
        await withLearner(async (another) => assert.deepEqual(copy(another), before));
      }),
    ),

    claim("learning, logits and dispose leave no buffer behind", async () => {
      const before = memoryUse().buffers;
      await withLearner(async (learner) => {
        await learn(learner, first);
        bits(learner, first);
        const snapshot = await takeSnapshot(learner);
        await learner.load(readerOf(snapshot, "the snapshot"));
        const images = keep(new Tensor([1, ...first.test.shape], { backend }));
        first.test.read([0], images.data);
        learner.untrainedLogits?.(second, images).dispose();
        images.dispose();
      });

      assert.equal(memoryUse().buffers, before);
    }),

    claim("what a task has locked, later tasks leave alone, and its logits keep their bits", () =>
      withLearner(async (learner) => {
        await learn(learner, first);
        const locked = learner.lockedHash(first.id);
        const before = bits(learner, first);
        await learn(learner, second);

        if (locked === null) return; // a method without locks promises nothing here
        assert.equal(learner.lockedHash(first.id), locked);
        assert.equal(bits(learner, first), before);
      }),
    ),
  ];
}

function hasCode(kind: typeof MillinerError, code: string): (error: unknown) => boolean {
  return (error) => error instanceof kind && error.code === code;
}

/** Copies of a snapshot, each with one entry that is missing, or is not what a learner would have saved. */
function* spoiled(sound: Snapshot): Generator<{ readonly how: string; readonly snapshot: Snapshot }> {
  for (const [name, array] of sound.arrays) {
    const { shape, data } = array;
    const lies: Record<string, StoredTensor | undefined> = {
      "is missing": undefined,
      "has a row more": { shape: [shape[0]! + 1, ...shape.slice(1)], data: longer(array) },
      "has another type": { shape, data: new Float64Array(data) },
    };
    if (types.isFloat32Array(data)) {
      lies["holds NaN"] = { shape, data: data.with(data.length - 1, NaN) };
      lies["holds an infinity"] = { shape, data: data.with(0, Infinity) };
    }
    for (const [how, lie] of Object.entries(lies))
      yield { how: `"${name}" ${how}`, snapshot: { ...sound, arrays: withEntry(sound.arrays, name, lie) } };
  }
  for (const [name, value] of sound.values) {
    for (const lie of [undefined, ofAnotherKind(value)])
      yield {
        how: `"${name}" ${lie === undefined ? "is missing" : `is ${JSON.stringify(lie)}`}`,
        snapshot: { ...sound, values: withEntry(sound.values, name, lie) },
      };
  }
}

function longer({ shape, data }: StoredTensor): StoredTensor["data"] {
  const row = data.length / shape[0]!;
  const result = new (data.constructor as Float32ArrayConstructor)(data.length + row);
  result.set(data);
  return result;
}

function ofAnotherKind(value: unknown): unknown {
  if (Array.isArray(value)) return { 0: value[0] as unknown };
  return typeof value === "object" ? [value] : typeof value === "string" ? 1 : JSON.stringify(value);
}

function withEntry<T>(
  entries: ReadonlyMap<string, T>,
  name: string,
  value: T | undefined,
): ReadonlyMap<string, T> {
  const result = new Map(entries);
  if (value === undefined) result.delete(name);
  else result.set(name, value);
  return result;
}

/** The split with one pixel of its last image NaN. */
function withNaN(split: Split): Split {
  return {
    ...split,
    read(indices, into) {
      split.read(indices, into);
      const pixels = into.length / indices.length;
      for (let i = 0; i < indices.length; i++) if (indices[i] === split.size - 1) into[i * pixels] = NaN;
    },
  };
}
