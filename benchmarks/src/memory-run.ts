// Trains the MLP for some steps and says what memory that took: a process of its own for `npm run bench:step`, whose other
// networks and peers would be counted otherwise.
//
//   node memory-run.js STEPS
//
// stdout: one JSON object, all in bytes; see MemoryRun.
import { existsSync, readFileSync } from "node:fs";
import { selectBackend, setThreads } from "@milliner/core";
import type { MemoryRun } from "./memory.ts";
import { ourStep } from "./our-step.ts";
import { batchSize, classes, mlpInputs, mlpUnits } from "./published-networks.ts";

const steps = Number(process.argv[2]);
const backend = selectBackend("cpu");
setThreads(1);
// The kernels are loaded and have run, but there is no network yet.
backend.kernels.add(new Float32Array(16), new Float32Array(16), new Float32Array(16));
const before = peak();

const step = ourStep(backend, { network: "mlp", kind: "hat", task: 5, s: 20, density: 0.5 });
const early = Math.ceil(steps / 10);
for (let i = 0; i < early; i++) step.once();
const afterTenth = peak();
for (let i = early; i < steps; i++) step.once();

const float = 4;
const layers = (inputs: number, units: number): number =>
  inputs * units + units + units * units + units + units * classes + classes;
const result: MemoryRun = {
  before,
  afterTenth,
  after: peak(),
  weights: float * layers(mlpInputs, mlpUnits),
  // Images, both hidden layers before and after their gates, logits.
  activations: float * batchSize * (mlpInputs + 4 * mlpUnits + classes),
  // The compact weights of the half of each layer that is active.
  plan: float * layers(mlpInputs, mlpUnits / 2),
};
process.stdout.write(`${JSON.stringify(result)}\n`);

// Linux keeps ru_maxrss across exec, so it begins with what the process that started this one had; VmHWM does not.
function peak(): number {
  const fallback = process.resourceUsage().maxRSS;
  if (!existsSync("/proc/self/status")) return fallback * 1024;
  const kibibytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return Number(kibibytes ?? fallback) * 1024;
}
