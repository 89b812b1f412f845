import type { Backend } from "@milliner/core";
import type { Split } from "@milliner/continual";
import { EpochTraining, equalBits, slopeOf, type TrainingState } from "./epoch-training.ts";
import type { FmaPeak } from "./fma-peak.ts";
import type { Cost } from "./interleave.ts";
import type { NetworkName } from "./published-networks.ts";
import type { Pytorch } from "./pytorch.ts";
import { rowOf, type Row } from "./row.ts";

/** Where an epoch begins, and how many times faster than the others it is to be. */
export interface EpochCase {
  readonly case: string;
  readonly network: NetworkName;
  readonly split: Split;
  /** Steps of the epoch. */
  readonly steps: number;
  readonly state: TrainingState | undefined;
  readonly overPytorch: number;
  readonly overDense: number | null;
}

/** With what an epoch is measured. */
export interface EpochOptions {
  readonly backend: Backend;
  readonly threads: number;
  readonly pytorch: Pytorch | null;
  readonly peak: FmaPeak | null;
}

/** Steps after which it is the next one's turn. */
const chunk = 14;

/**
 * One epoch of ours, of ours with every unit computed, and of PyTorch, in turns of some steps at the same slopes. What is
 * compared are the sums: within an epoch our steps get shorter.
 * @returns the rows; null when the two epochs of ours did not end with the same bits
 */
export async function epochRows(epochCase: EpochCase, options: EpochOptions): Promise<readonly Row[] | null> {
  const { backend, threads, pytorch, peak } = options;
  const { network, split, steps } = epochCase;
  warm(backend, epochCase);
  const start = epochCase.state === undefined ? {} : { state: epochCase.state };
  const ours = new EpochTraining(backend, network, split, { ...start, sleep: true });
  const dense = new EpochTraining(backend, network, split, { ...start, sleep: false });
  if (pytorch !== null) {
    await pytorch.prepare({ network, gated: true, task: 0, flush: false });
    await pytorch.setEmbeddings(ours.embeddings());
    await pytorch.run(Array.from({ length: 5 }, () => 1));
  }

  const runs = [
    (from: number, to: number): Cost => ours.run(from, to, steps),
    (from: number, to: number): Cost => dense.run(from, to, steps),
    ...(pytorch === null ? [] : [(from: number, to: number) => pytorch.run(slopes(from, to, steps))]),
  ];
  const seconds = runs.map(() => 0);
  let flops = 0;
  for (let from = 0, turn = 0; from < steps; from += chunk, turn++) {
    const to = Math.min(from + chunk, steps);
    await peak?.sample();
    flops += (to - from) * ours.awakeFlops(slopeOf(from, steps));
    for (let i = 0; i < runs.length; i++) {
      const index = (turn + i) % runs.length;
      const { cpuSeconds, wallSeconds } = await runs[index]!(from, to);
      seconds[index]! += threads === 1 ? cpuSeconds : wallSeconds;
    }
  }
  const isSame = equalBits(ours.state(), dense.state());
  ours.dispose();
  dense.dispose();
  if (!isSame) return null;

  const row = (name: string, peerName: string, peer: number, atLeast: number | null): Row =>
    rowOf({
      case: name,
      threads,
      unit: "s",
      ours: [seconds[0]!],
      peers: [{ name: peerName, values: [peer] }],
      least: peak === null ? null : flops / (peak.gflops * threads * 1e9),
      target: atLeast === null ? null : { ratio: { atLeast } },
    });
  return [
    ...(pytorch === null ? [] : [row(epochCase.case, pytorch.name, seconds[2]!, epochCase.overPytorch)]),
    row(
      `${epochCase.case}, over every unit computed, same bits`,
      "ours with every unit computed",
      seconds[1]!,
      epochCase.overDense,
    ),
  ];
}

// The just-in-time compiler would count as ours of the first steps.
function warm(backend: Backend, { network, split }: EpochCase): void {
  const training = new EpochTraining(backend, network, split, { sleep: true });
  training.run(0, 10, 10);
  training.dispose();
}

function slopes(from: number, to: number, steps: number): readonly number[] {
  return Array.from({ length: to - from }, (_, i) => slopeOf(from + i, steps));
}
