import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readCheckpoint, run, type RunOptions, type RunResult } from "@milliner/continual";
import { SgdLearner } from "@milliner/continual/baselines";
import { syntheticScenario } from "@milliner/continual/testing";
import {
  flatten,
  linear,
  network,
  readSafetensors,
  selectBackend,
  Sgd,
  tensor,
  tidy,
  writeSafetensors,
} from "@milliner/core";
import { createDataset, createImageSet, loadFolder, saveFolder } from "@milliner/data";
import { Hat } from "@milliner/hat";
import { exportNetwork, inspectModel } from "@milliner/onnx";

// These claims hold in every realm. realms.slow.test.ts has them checked in a `node:vm` context, as Jest has one for each file:
// there Node's errors and the addon's arrays are no `instanceof` the file's own `Error` and `Float32Array`.

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-realm-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const backend = selectBackend();
const scenario = syntheticScenario({ imagesPerClass: 8 });
const options = {
  body: network([4, 4, 1], flatten(), linear(8)),
  backend,
  seed: 7,
  schedule: { epochs: 1, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 },
};
const makers = [(): SgdLearner => new SgdLearner(options), (): Hat => new Hat({ ...options, c: 0 })];

async function runOnce(make: () => SgdLearner | Hat, rest: Partial<RunOptions> = {}): Promise<RunResult> {
  const learner = make();
  try {
    return await run(scenario, learner, { seed: 7, backend, makeLearner: make, ...rest });
  } finally {
    learner.dispose();
  }
}

test.runIf(process.env["MILLINER_TESTS_REALM"] === "other")("the realm is not Node's own", async () => {
  const error: unknown = await stat(join(folder, "none")).catch((thrown: unknown) => thrown);

  expect(Object.getPrototypeOf(error)).not.toBe(Error.prototype);
});

test.each(makers)("a run in a folder ends as one without, and is resumed after a break", async (make) => {
  const expected = await runOnce(make);
  const controller = new AbortController();

  const stopped = runOnce(make, {
    folder,
    signal: controller.signal,
    events: ({ type }) => type === "evaluated" && controller.abort(),
  });
  await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
  const resumed = await runOnce(make, { folder, resume: true });

  expect(resumed.matrix).toEqual(expected.matrix);
  expect(resumed.lockedHash).toBe(expected.lockedHash);
  await expect(runOnce(make, { folder: join(folder, "result.json") })).rejects.toMatchObject({
    code: "WRITE_FAILED",
    message: expect.stringMatching(/is a file or lies below one/),
  });
  await expect(readCheckpoint(join(folder, "none.json"))).rejects.toMatchObject({ code: "READ_FAILED" });
});

test("arrays of the backend are written as tensors, as the state of an optimizer and as a model", () => {
  const weights = tensor([1, 2, 3, 4], [2, 2], { backend });
  const bytes = writeSafetensors(new Map([["w", { dtype: "F32", shape: [2, 2], data: weights.data }]]));
  const optimizer = new Sgd({ lr: 0.1, momentum: 0.9 });
  const model = exportNetwork(network([2], linear(2, { bias: false })), new Map([["fc1.weight", weights]]), {
    transform: "none",
  });

  optimizer.load({
    steps: { w: 1 },
    arrays: new Map([["w.momentum_buffer", { shape: [2, 2], data: weights.data }]]),
  });

  expect([...readSafetensors(bytes, "w").tensors.get("w")!.data]).toEqual([1, 2, 3, 4]);
  expect([...optimizer.state().arrays.keys()]).toEqual(["w.momentum_buffer"]);
  expect(inspectModel(model, "w.onnx").parameters).toBe(4);
  expect(() => tidy(() => Promise.resolve(weights))).toThrow("not an async one");
  weights.dispose();
  optimizer.dispose();
});

test("images are the bytes that they were, in memory and in a folder", async () => {
  const images = Uint8Array.of(0, 1, 2, 3, 252, 253, 254, 255);
  const set = createImageSet({ images, shape: [2, 2, 1], count: 2 }, Uint8Array.of(0, 1), ["a", "b"]);
  await saveFolder(join(folder, "images"), createDataset("two", set, set));

  expect(set.images).toBe(images);
  expect([...(await loadFolder(join(folder, "images"))).train.images]).toEqual([...images]);
  await expect(loadFolder(join(folder, "none"))).rejects.toMatchObject({ code: "FILE_MISSING" });
});
