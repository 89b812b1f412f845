import { ShapeError, Tensor, type Tape } from "@milliner/core";
import { add, checkOneBackend, scale } from "@milliner/core/operations";

/** Gates by channel space, soft or hard. */
export type Gates = ReadonlyMap<string, Tensor>;

/** Cumulative gates of the tasks before, by channel space: 0 free, 1 used; fractions only under soft masks. Not written again. */
export type CumulativeGates = ReadonlyMap<string, Float32Array>;

/**
 * The share of the free units that the task uses. Equation (5):
 *
 *     R = sum_l sum_i a_i (1 - a_i^{<t})  /  sum_l sum_i (1 - a_i^{<t})
 *
 * One ratio over the whole network: units that were used before cost nothing, and the pressure on a unit grows as capacity
 * is used up. When nothing is free R is 0 (the published code divides 0 by 0 there).
 *
 * Source: Serrà et al. 2018, section 2.6, (5).
 *
 * @param gates - gates of the task being learned
 * @param before - cumulative gates of the tasks before; a space without an entry is free
 * @returns shape [1]; the caller owns it
 * @throws ShapeError when an entry of `before` has another number of units than its gates
 * @throws ConfigError (`MIXED_BACKENDS`) when the gates are on two backends
 */
export function sparsityRegulariser(gates: Gates, before: CumulativeGates, tape?: Tape): Tensor {
  const spaces = [...gates].map(([space, a]) => {
    const used = before.get(space);
    const units = a.data.length;
    if (used !== undefined && used.length !== units) {
      throw new ShapeError(
        "SHAPE_MISMATCH",
        `"${space}" has ${units} gates, but ${used.length} cumulative ones`,
      );
    }
    return { a, free: used === undefined ? new Float32Array(units).fill(1) : freePart(used) };
  });
  checkOneBackend("sparsityRegulariser", spaces[0]!.a, ...gates.values());
  const { backend } = spaces[0]!.a;
  const { kernels } = backend;
  let [weighted, total] = [0, 0];
  for (const { a, free } of spaces) {
    const product = new Tensor(a.shape, { backend });
    kernels.multiply(a.data, free, product.data);
    weighted += kernels.sum(product.data);
    product.dispose();
    total += kernels.sum(free);
  }
  const r = new Tensor([1], { backend });
  r.data[0] = weighted / (total === 0 ? 1 : total); // where nothing is free the sum is 0 too, or NaN as a gate is
  tape?.record(
    "sparsityRegulariser",
    spaces.map(({ a }) => a),
    r,
    (dr, sink) => {
      for (const { a, free } of spaces) {
        const da = new Tensor(a.shape, { backend });
        kernels.scale(free, dr.data[0]! / (total === 0 ? 1 : total), da.data);
        sink.add(a, da);
      }
    },
  );
  return r;
}

// By cumulative gates: the same in every step of a task.
const freeParts = new WeakMap<Float32Array, Float32Array>();

function freePart(used: Float32Array): Float32Array {
  const known = freeParts.get(used);
  if (known !== undefined) return known;
  const free = used.map((value) => 1 - value);
  freeParts.set(used, free);
  return free;
}

/**
 * The loss of a HAT step. Equation (4):
 *
 *     L' = L + c R
 *
 * Source: Serrà et al. 2018, section 2.6, (4).
 *
 * @param loss - cross-entropy, shape [1]
 * @param c - compressibility, >= 0 (paper: 0.75)
 */
export function regularisedLoss(loss: Tensor, r: Tensor, c: number, tape?: Tape): Tensor {
  return add(loss, scale(r, c, tape), tape);
}
