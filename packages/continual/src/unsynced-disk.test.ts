import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SgdLearner } from "@milliner/continual/baselines";
import { flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { unsyncedWarning } from "@milliner/data";
import type { RunEvent } from "./events.ts";
import { resultFile } from "./run-folder.ts";
import { run } from "./run.ts";
import { syntheticScenario } from "./testing/synthetic-scenario.ts";

const answer = vi.hoisted(() => ({ code: "" }));
vi.mock(import("node:fs"), async (original) => ({
  ...(await original()),
  fsync: ((_: number, done: (error: Error) => void) =>
    done(Object.assign(new Error(), { code: answer.code }))) as never,
  fdatasyncSync: () => {
    throw Object.assign(new Error(), { code: answer.code });
  },
}));

const backend = selectBackend();
const scenario = syntheticScenario({ imagesPerClass: 8 });
const learner = (): SgdLearner =>
  new SgdLearner({
    body: network([4, 4, 1], flatten(), linear(8), relu()),
    backend,
    seed: 7,
    schedule: { epochs: 1, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 },
  });

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-unsynced-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test.each(["EINVAL", "EPERM", "ERR_ACCESS_DENIED"])(
  "a run goes on where syncing is answered by %s, with one warning in its events and in its result",
  async (code) => {
    answer.code = code;
    const events: RunEvent[] = [];
    const method = learner();

    const result = await run(scenario, method, {
      seed: 7,
      backend,
      folder,
      events: (event) => events.push(event),
    });

    method.dispose();
    const told = [unsyncedWarning(folder, code)];
    expect(result.warnings).toEqual(told);
    expect(events.flatMap((event) => (event.type === "warning" ? [event.message] : []))).toEqual(told);
    expect(JSON.parse(await readFile(resultFile(folder), "utf8"))).toMatchObject({ warnings: told });
  },
);

test("a run whose disk answers EIO ends with the file that could not be written", async () => {
  answer.code = "EIO";
  const method = learner();

  await expect(run(scenario, method, { seed: 7, backend, folder })).rejects.toMatchObject({
    name: "CheckpointError",
    code: "WRITE_FAILED",
    message: expect.stringMatching(/cannot be written \(EIO\)/),
  });
  method.dispose();
});
