import {
  CheckpointError,
  keep,
  Stream,
  tensor,
  type Backend,
  type ChannelSpace,
  type Tensor,
} from "@milliner/core";
import { storedFloats, StoredJson, type CheckpointReader, type CheckpointWriter } from "@milliner/continual";

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
 *
 * @param learning - the task that is being learned, if one is: it has embeddings, and nothing else has
 * @throws CheckpointError when they are not there, there are some without a task, or not as many as a layer's units
 */
export function loadEmbeddings(
  spaces: readonly ChannelSpace[],
  from: CheckpointReader,
  learning: { readonly task: number } | null,
  backend: Backend,
): Embeddings | null {
  const saved = new StoredJson({ learning: from.json("learning") }, "the checkpoint").boolean("learning");
  if (saved !== (learning !== null)) {
    throw new CheckpointError(
      "BAD_VALUE",
      `the checkpoint contradicts itself: it ${saved ? "has" : "lacks"} embeddings, and ${learning === null ? "no task" : `task ${learning.task}`} is being learned`,
    );
  }
  if (learning === null) return null;
  const values = spaces.map(({ name, units }) => storedFloats(from, `embedding/${name}`, [units]));
  return new Map(spaces.map(({ name, units }, i) => [name, leaf(values[i]!, units, backend)]));
}
