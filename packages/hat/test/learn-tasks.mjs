// Learns three small tasks on the cpu backend and prints the SHA-256 of all logits and of the locked elements, with the
// instruction set that computed them. The sizes lie beside the tiles of the kernels, and one product is large enough to be
// split over threads. Usage: MILLINER_ISA=avx2 node learn-tasks.mjs THREADS WIDTH
import { createHash } from "node:crypto";
import {
  cpuStatus,
  dropout,
  flatten,
  linear,
  network,
  relu,
  selectBackend,
  setThreads,
} from "@milliner/core";
import { evaluate } from "@milliner/continual";
import { syntheticScenario, testContext } from "@milliner/continual/testing";
import { Hat } from "@milliner/hat";

const [threads, width] = process.argv.slice(2).map(Number);
const backend = selectBackend("cpu");
setThreads(threads);
const scenario = syntheticScenario({ side: 14, imagesPerClass: 100 });
const body = network(
  [14, 14, 1],
  flatten(),
  dropout(0.2),
  linear(width),
  relu(),
  dropout(0.5),
  linear(width),
  relu(),
);
const schedule = { epochs: 2, batchSize: 61, lr: 0.05, lrFactor: 3, lrPatience: 2, lrMin: 1e-4 };
const hat = new Hat({ body, backend, seed: 5, schedule, c: 0.75 });
const hash = createHash("sha256");
for (const task of scenario.tasks) {
  await hat.learn(task, testContext({ seed: 5 }));
  evaluate(
    task.test,
    backend,
    (images) => hat.logits(task.id, images),
    (logits) => hash.update(logits),
  );
}
const status = cpuStatus();
process.stdout.write(
  JSON.stringify({
    isa: status.available ? status.isa : null,
    logits: hash.digest("hex"),
    locked: hat.lockedHash(scenario.tasks.length - 1),
  }),
);
hat.dispose();
