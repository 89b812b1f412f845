import { tensor, type Backend, type Tape, type TaskMasks, type Tensor } from "@milliner/core";
import type { Compensation } from "./compensation.ts";
import { gate } from "./gate.ts";
import type { Embeddings } from "./embeddings.ts";

/** The gates of all layers at one slope, while a task is being learned. */
export function softGates(
  embeddings: Embeddings,
  s: number,
  sMax: number,
  compensation: Compensation,
  tape?: Tape,
): Map<string, Tensor> {
  return new Map([...embeddings].map(([space, e]) => [space, gate(e, s, sMax, compensation, tape)]));
}

/** The gates of a hardened task: 1 where it uses the unit, else 0. */
export function hardGates(masks: TaskMasks, backend: Backend): Map<string, Tensor> {
  return new Map(
    [...masks].map(([space, bits]) => [space, tensor(bits.toFloats(), [bits.length], { backend })]),
  );
}
