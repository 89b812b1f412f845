import type { Backend } from "@milliner/core";
import { ourStep, type OurCase } from "./our-step.ts";
import { isMet, median, type Row } from "./row.ts";

type Kernel = (...args: readonly unknown[]) => unknown;

/** Time that is spent inside kernels, and how often they were called. */
interface Clock {
  milliseconds: number;
  calls: number;
}

const step: OurCase = { network: "mlp", kind: "hat", task: 5, s: 20, density: 0.5 };
const target = { share: { atMost: 0.03 } } as const;
const [rounds, stepsPerRound] = [15, 10];
// An epoch has more: by then the compiler has seen every function often enough to optimise it.
const warmSteps = 500;

/** The name of the row. */
export const overheadCase = "TypeScript and Node-API in the task-5 step";

/**
 * What a step spends outside the kernels: its wall time, less the time inside the functions of the backend, and again the
 * time that calling so many native functions takes when they do nothing. The share is of the whole step.
 */
export function overheadRow(backend: Backend, threads: number): Row {
  const clock: Clock = { milliseconds: 0, calls: 0 };
  const ours = ourStep(timed(backend, clock), step);
  for (let i = 0; i < warmSteps; i++) ours.once();
  const callCost = emptyCall(backend.kernels.add);
  // What the clock takes outside of its own measure.
  const idle: Clock = { milliseconds: 0, calls: 0 };
  const clockCost = emptyCall(timed(backend, idle).kernels.add) - idle.milliseconds / idle.calls;

  const [overheads, totals]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    [clock.milliseconds, clock.calls] = [0, 0];
    const start = performance.now();
    for (let i = 0; i < stepsPerRound; i++) ours.once();
    const total = performance.now() - start;
    overheads.push((total - clock.milliseconds + clock.calls * (callCost - clockCost)) / stepsPerRound);
    totals.push(total / stepsPerRound);
  }

  const figures = { ratio: null, share: median(overheads.map((value, i) => value / totals[i]!)) };
  return {
    case: overheadCase,
    threads,
    unit: "ms",
    ours: median(overheads),
    peer: median(totals),
    peerName: "the whole step, by wall",
    ...figures,
    ratioP10: null,
    ratioP90: null,
    ratioOfMinima: null,
    limit: null,
    target,
    met: isMet(target, figures),
  };
}

/** The backend with a clock around each of its kernels. */
function timed(backend: Backend, clock: Clock): Backend {
  // The addon is an object of functions; only their time matters here, not their types.
  const kernels = backend.kernels as unknown as Readonly<Record<string, Kernel>>;
  const entries = Object.keys(kernels).map((name): [string, Kernel] => {
    const kernel = kernels[name]!;
    return [
      name,
      (...args) => {
        const start = performance.now();
        const result = kernel(...args);
        clock.milliseconds += performance.now() - start;
        clock.calls += 1;
        return result;
      },
    ];
  });
  return {
    ...backend,
    kernels: Object.fromEntries(entries) as unknown as Backend["kernels"],
  };
}

/** Milliseconds of a native call that has nothing to do. */
function emptyCall(add: Backend["kernels"]["add"]): number {
  const nothing = new Float32Array(0);
  const calls = 100_000;
  const start = performance.now();
  for (let i = 0; i < calls; i++) add(nothing, nothing, nothing);
  return (performance.now() - start) / calls;
}
