// A small run as a process of its own, for tests that kill it, lock it out or take its disk away:
//
//     node run-process.mjs run FOLDER       runs or resumes; prints "event" at each event and its result at the end
//     node run-process.mjs leave FOLDER     ends at once, with 3, at its first event
//     node run-process.mjs stay FOLDER      says "stays" at its first event to the thread that made it, and goes no further
//     node run-process.mjs verify FOLDER    prints what `verifyRun` finds
//
// An error of milliner's is printed as JSON and ends the process with 1. It runs dist/, which `npm run check` has built from
// these sources before the tests.
import { parentPort } from "node:worker_threads";
import { run, verifyRun } from "@milliner/continual";
import { SgdFrozenLearner, SgdLearner } from "@milliner/continual/baselines";
import { syntheticScenario } from "@milliner/continual/testing";
import { flatten, linear, MillinerError, network, relu, selectBackend } from "@milliner/core";

const [command, folder] = process.argv.slice(2);
const seed = 11;
const backend = selectBackend();
const scenario = syntheticScenario({ imagesPerClass: 12 });
const options = {
  body: network([4, 4, 1], flatten(), linear(256), relu()),
  backend,
  seed,
  schedule: { epochs: 12, batchSize: 8, lr: 0.05, lrFactor: 3, lrPatience: 20, lrMin: 1e-4 },
};

function print(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function work() {
  if (command === "verify") return await verifyRun(folder, scenario, () => new SgdLearner(options), backend);
  return await run(scenario, new SgdLearner(options), {
    seed,
    backend,
    folder,
    resume: true,
    controls: [new SgdFrozenLearner(options)],
    checkpointSeconds: 0, // as many files as there can be
    events: () => {
      if (command === "leave") process.exit(3);
      if (command === "stay") {
        parentPort.postMessage("stays");
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }
      print("event");
    },
  });
}

try {
  print(await work());
} catch (error) {
  if (!(error instanceof MillinerError)) throw error;
  print({ error: error.name, code: error.code, message: error.message });
  process.exitCode = 1;
}
