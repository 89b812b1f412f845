// Times an epoch of task 0 (784-2000-2000-10, batch 64, 938 steps, s from 1/400 to 400) against PyTorch with the published
// operations, and against our own epoch with every unit computed, which must end with the same bits; some steps of HAT AlexNet likewise.
//
//   npm run bench:epoch -- [--data FOLDER] [--json] [--write] [--threads N[,N]] [--epochs 8] [--steps 938]
//   npm run bench:epoch -- --whole-run [--data FOLDER] [--json] [--write] [--threads N] [--epochs 8] [--tasks 10]
//
// FOLDER holds MNIST as IDX files; default is .cache/digits, the fewer digits that `npm run demo` makes. --epochs is how
// many are trained before the second epoch that is measured, or, in a whole run, for each task.
//
// stdout: a table, or with --json one object { machine, images, epochs, rows }. --write keeps that object in
// results/epoch.json or results/whole-run.json, and needs PyTorch.
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { cpuStatus, selectBackend, setThreads, type Backend } from "@milliner/core";
import { permutedScenario, type Scenario, type Split } from "@milliner/continual";
import { DataError, loadFolder } from "@milliner/data";
import { Command } from "./command.ts";
import { EpochTraining, type TrainingState } from "./epoch-training.ts";
import { epochRows, type EpochCase } from "./epoch-rows.ts";
import { startFmaPeak } from "./fma-peak.ts";
import { currentLoad, describeMachine } from "./machine.ts";
import { paddedImages } from "./padded-images.ts";
import { Pytorch } from "./pytorch.ts";
import { resultsText, writeResults } from "./results.ts";
import type { Row } from "./row.ts";
import { table } from "./table.ts";
import { wholeRunRows } from "./whole-run.ts";

// As many as 60,000 images give.
const publishedSteps = 938;
// Enough for s to pass through all its values, and for some plans.
const alexnetSteps = 140;
const demoDigits = fileURLToPath(new URL("../../.cache/digits", import.meta.url));

const command = new Command("bench:epoch");
const flags = command.flags({
  data: { type: "string" },
  json: { type: "boolean" },
  write: { type: "boolean" },
  threads: { type: "string" },
  epochs: { type: "string" },
  steps: { type: "string" },
  tasks: { type: "string" },
  "whole-run": { type: "boolean" },
});
const isWholeRun = flags["whole-run"];
const epochs = command.count("epochs", flags.epochs, 8);
const steps = command.count("steps", flags.steps, publishedSteps);
const tasks = command.count("tasks", flags.tasks, 10);

await main();

async function main(): Promise<void> {
  const status = cpuStatus();
  if (!status.available) return command.refuse(`nothing to measure: ${status.reason}`);
  const backend = selectBackend("cpu");
  const loadAverage = currentLoad();
  const scenario = await readScenario();
  const peak = startFmaPeak(status.isa);
  if (peak === null)
    command.note("the loop that finds the FMA peak could not be compiled: no shares of the limit");

  const cores = isWholeRun ? 1 : availableParallelism();
  const rows: Row[] = [];
  let peer: unknown = null;
  let trained: TrainingState | undefined;
  for (const threads of command.threads(flags.threads, cores)) {
    setThreads(threads);
    const started = await Pytorch.start(threads);
    if (typeof started === "string" && flags.write) return command.refuse(`nothing to write: ${started}`);
    if (typeof started === "string") command.note(started);
    const pytorch = typeof started === "string" ? null : started;
    peer = pytorch?.description ?? peer;
    if (isWholeRun) {
      rows.push(...(await wholeRunRows(scenario, { backend, threads, epochs, pytorch, note })));
    } else {
      const split = scenario.tasks[0]!.train;
      // Bits do not depend on the number of threads: trained once.
      trained ??= trainedState(backend, split);
      for (const epochCase of casesOf(trained, split)) {
        note(`${epochCase.case}, ${threads === 1 ? "1 thread" : `${threads} threads`}`);
        const found = await epochRows(epochCase, { backend, threads, pytorch, peak });
        if (found === null)
          return command.fail(`${epochCase.case}: units asleep changed the bits of the epoch`);
        rows.push(...found);
      }
    }
    pytorch?.close();
  }
  const fmaPeakGflops = peak === null || peak.gflops === 0 ? null : peak.gflops;
  peak?.close();

  const isa = { name: status.isa, reason: status.reason };
  const machine = describeMachine(isa, { peer, fmaPeakGflops, loadAverage });
  const images = scenario.tasks[0]!.train.size;
  const results = { machine, images, epochs, rows };
  if (flags.write) writeResults(isWholeRun ? "whole-run" : "epoch", results);
  const remark = `seconds of CPU time with one thread, of wall time with more; ${images} images`;
  process.stdout.write(flags.json ? resultsText(results) : table(machine, rows, remark));
}

async function readScenario(): Promise<Scenario> {
  try {
    const dataset = await loadFolder(flags.data ?? demoDigits);
    // An epoch of the published task is one of all training images.
    return permutedScenario(dataset, {
      seed: 0,
      tasks: isWholeRun ? tasks : 1,
      ...(isWholeRun ? {} : { validationShare: 0 }),
    });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return command.refuse(
      `${error.message}; name a folder of MNIST's IDX files by --data, or run npm run demo once`,
    );
  }
}

function trainedState(backend: Backend, split: Split): TrainingState {
  const training = new EpochTraining(backend, "mlp", split, { sleep: true });
  for (let epoch = 0; epoch < epochs; epoch++) {
    note(`epoch ${epoch + 1} of ${epochs} before the one that is measured`);
    training.run(0, steps, steps);
    training.nextEpoch();
  }
  const state = training.state();
  training.dispose();
  return state;
}

function casesOf(trained: TrainingState, split: Split): readonly EpochCase[] {
  const mlp = { network: "mlp", split, steps } as const;
  return [
    {
      ...mlp,
      case: "an epoch of task 0, e as initialised",
      state: undefined,
      overPytorch: 3.2,
      overDense: 1.75,
    },
    {
      ...mlp,
      case: `an epoch of task 0, e after ${epochs} epochs`,
      state: trained,
      overPytorch: 6,
      overDense: 3.3,
    },
    {
      case: `an epoch of HAT AlexNet, ${alexnetSteps} steps, e as initialised`,
      network: "alexnet",
      split: paddedImages(split),
      steps: alexnetSteps,
      state: undefined,
      overPytorch: 3,
      overDense: null,
    },
  ];
}

function note(text: string): void {
  command.note(text);
}
