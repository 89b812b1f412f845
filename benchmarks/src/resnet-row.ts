import { fileURLToPath } from "node:url";
import type { Backend } from "@milliner/core";
import { interleave, type Candidate, type Cost } from "./interleave.ts";
import { LineProcess } from "./line-process.ts";
import { pytorchEnvironment, pytorchPython } from "./pytorch.ts";
import { ourResnetStep, resnetStepFlops } from "./resnet.ts";
import { rowOf, type Row } from "./row.ts";

/** Name of the row. */
export const resnetCase = "ResNet-18 (CIFAR stem) step, batch 32, momentum";

const layouts = ["channels_last", "contiguous"] as const;

/** What the row needs to know of the run. */
export interface ResnetOptions {
  readonly threads: number;
  readonly rounds: number;
  /** Milliseconds of a run that count: of the processor, or of the wall. */
  readonly time: (cost: Cost) => number;
  /** Samples the FMA peak between the rounds and says what it is by now, in GFLOP/s a core; 0 without one. */
  readonly peak: () => Promise<number>;
}

/** Our ResNet-18 step against PyTorch's in both of its layouts, each in a process of its own: the faster one counts. */
export async function resnetRow(backend: Backend, options: ResnetOptions): Promise<Row> {
  const script = fileURLToPath(new URL("../peers/resnet18.py", import.meta.url));
  const processes = layouts.map(
    () => new LineProcess(pytorchPython(), [script], pytorchEnvironment(options.threads)),
  );
  const peers = await Promise.all(processes.map((process, i) => peerOf(process, layouts[i]!)));
  let gflops = 0;
  const costs = await interleave([ourResnetStep(backend), ...peers], {
    rounds: options.rounds,
    steps: 1,
    warm: 1,
    beside: async () => {
      gflops = await options.peak();
    },
  });
  for (const process of processes) process.close();
  return rowOf({
    case: resnetCase,
    threads: options.threads,
    ours: costs[0]!.map(options.time),
    peers: peers.map(({ name }, i) => ({ name, values: costs[i + 1]!.map(options.time) })),
    least: gflops === 0 ? null : (resnetStepFlops / (gflops * options.threads)) * 1e-6,
    target: { ratio: { atLeast: 1.15 } },
  });
}

async function peerOf(process: LineProcess, layout: (typeof layouts)[number]): Promise<Candidate> {
  const { name } = (await process.ask({ describe: true })) as { readonly name: string };
  await process.ask({ case: { layout, flush: false } });
  return { name: `${name}, ${layout}`, run: async (count) => (await process.ask({ run: count })) as Cost };
}
