import { keep, Stream, tensor, type Backend, type ChannelSpace, type Tensor } from "@milliner/core";
import type { CheckpointReader, CheckpointWriter } from "@milliner/continual";

/** Embeddings of one task, the parameters behind its gates: by channel space, each [units]. */
export type Embeddings = ReadonlyMap<string, Tensor>;

function leaf(values: ArrayLike<number>, units: number, backend: Backend): Tensor {
  return keep(tensor(values, [units], { backend, requiresGrad: true }));
}

/** New embeddings from N(0, 1), as the paper starts them: half of the units begin active. The caller disposes them. */
export function initialEmbeddings(
  spaces: readonly ChannelSpace[],
  task: number,
  seed: number,
  backend: Backend,
): Embeddings {
  return new Map(
    spaces.map(({ name, units }) => {
      const values = new Stream(seed, `embedding/${task}/${name}`).normal(units, 0, 1);
      return [name, leaf(values, units, backend)];
    }),
  );
}

/** Frees embeddings. */
export function disposeEmbeddings(embeddings: Embeddings | null): void {
  for (const e of embeddings?.values() ?? []) e.dispose();
}

/** Writes the embeddings of the task being learned, if one is. */
export function saveEmbeddings(embeddings: Embeddings | null, into: CheckpointWriter): void {
  into.json("embeddings", embeddings === null ? null : [...embeddings.keys()]);
  for (const [space, e] of embeddings ?? []) into.array(`embedding/${space}`, e.shape, e.data);
}

/** Reads what `saveEmbeddings` wrote. The caller disposes it. */
export function loadEmbeddings(from: CheckpointReader, backend: Backend): Embeddings | null {
  const spaces = from.json("embeddings") as string[] | null;
  if (spaces === null) return null;
  return new Map(
    spaces.map((space) => {
      const { data } = from.array(`embedding/${space}`);
      return [space, leaf(data, data.length, backend)];
    }),
  );
}
