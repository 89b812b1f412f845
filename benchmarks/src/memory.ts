import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isMet, type Row, type Target } from "./row.ts";

/** What memory-run.ts prints, in bytes. The first three are the largest that the process has been so far. */
export interface MemoryRun {
  /** With everything loaded and before there is a network. */
  readonly before: number;
  /** After a tenth of the steps. */
  readonly afterTenth: number;
  readonly after: number;
  /** Computed from shapes. */
  readonly weights: number;
  readonly activations: number;
  readonly plan: number;
}

const steps = 10_000;
const needed: Target = { ratio: { atLeast: 1 / 1.5 } };
// The largest ever cannot shrink: what is left of it after nine tenths more of the steps is growth.
const flat: Target = { ratio: { atLeast: 0.98 } };

/** What the names of the rows begin with. */
export const memoryCase = "memory";

/** Trains in a process of its own and compares its memory with what the network needs. */
export async function memoryRows(): Promise<readonly Row[]> {
  const script = fileURLToPath(new URL("memory-run.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, `${steps}`]);
  const { before, afterTenth, after, weights, activations, plan } = JSON.parse(stdout) as MemoryRun;
  const need = weights + activations + plan;
  const name = "weights, activations and one plan";
  return [
    row(
      `${memoryCase}: peak of the MLP run beyond the process without a network`,
      after - before,
      need,
      name,
      needed,
    ),
    row(`${memoryCase}: peak of the whole process`, after, need, name, null),
    row(
      `${memoryCase}: peak after ${steps} steps`,
      after,
      afterTenth,
      `the same process after ${steps / 10} steps`,
      flat,
    ),
  ];
}

function row(name: string, ours: number, other: number, otherName: string, target: Target | null): Row {
  const figures = { ratio: other / ours, share: null };
  return {
    case: name,
    threads: 1,
    unit: "MiB",
    ours: ours / 2 ** 20,
    peer: other / 2 ** 20,
    peerName: otherName,
    ...figures,
    ratioP10: null,
    ratioP90: null,
    ratioOfMinima: null,
    limit: null,
    target,
    met: isMet(target, figures),
  };
}
