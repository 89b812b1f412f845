import {
  CheckpointError,
  keep,
  Stream,
  tensor,
  type Backend,
  type ChannelSpace,
  type Tensor,
} from "@milliner/core";
import { StoredJson, type CheckpointReader, type CheckpointWriter } from "@milliner/continual";

/** Embeddings of one task, the parameters behind its gates: by channel space, each [units]. */
export type Embeddings = ReadonlyMap<string, Tensor>;

function leaf(values: ArrayLike<number>, units: number, backend: Backend): Tensor {
  return keep(tensor(values, [units], { backend, requiresGrad: true }));
}

/** New embeddings from N(0, 1), as the paper starts them: half of the units begin active. The caller disposes them. */
export function initialEmbeddings(
  spaces: readonly ChannelSpace[],
  task: number,
  options: { readonly seed: number; readonly backend: Backend },
): Embeddings {
  return new Map(
    spaces.map(({ name, units }) => {
      const values = new Stream(options.seed, `embedding/${task}/${name}`).normal(units, 0, 1);
      return [name, leaf(values, units, options.backend)];
    }),
  );
}

/** Frees embeddings. */
export function disposeEmbeddings(embeddings: Embeddings | null): void {
  for (const e of embeddings?.values() ?? []) e.dispose();
}

// Training asks in every step, and looks each name up: a string that is made anew is hashed anew.
const named = new WeakMap<Embeddings, readonly (readonly [name: string, e: Tensor])[]>();

/** Embeddings under the names `embedding/SPACE`, beside which parameters can stand. */
export function namedEmbeddings(embeddings: Embeddings): readonly (readonly [name: string, e: Tensor])[] {
  const known = named.get(embeddings);
  if (known !== undefined) return known;
  const result = [...embeddings].map(([space, e]) => [`embedding/${space}`, e] as const);
  named.set(embeddings, result);
  return result;
}

/** Writes the embeddings of the task being learned, if one is. */
export function saveEmbeddings(embeddings: Embeddings | null, into: CheckpointWriter): void {
  into.json("learning", embeddings !== null);
  for (const [name, e] of namedEmbeddings(embeddings ?? new Map())) into.array(name, e.shape, e.data);
}

/**
 * Reads what `saveEmbeddings` wrote. The caller disposes it.
 * @throws CheckpointError when the embeddings of a layer are not as many as its units
 */
export function loadEmbeddings(
  spaces: readonly ChannelSpace[],
  from: CheckpointReader,
  backend: Backend,
): Embeddings | null {
  if (!new StoredJson({ learning: from.json("learning") }, "the checkpoint").boolean("learning")) return null;
  const values = spaces.map(({ name, units }) => {
    const { data } = from.array(`embedding/${name}`);
    if (!(data instanceof Float32Array) || data.length !== units) {
      throw new CheckpointError(
        "DOES_NOT_FIT",
        `"embedding/${name}" of the checkpoint is not float32 of ${units} units`,
      );
    }
    return data;
  });
  return new Map(spaces.map(({ name, units }, i) => [name, leaf(values[i]!, units, backend)]));
}
