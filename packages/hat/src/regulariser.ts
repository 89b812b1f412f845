import { ShapeError, Tensor, type Tape } from "@milliner/core";
import { add, multiply, scale } from "@milliner/core/operations";

/** Gates by channel space, soft or hard. */
export type Gates = ReadonlyMap<string, Tensor>;

/** Cumulative gates of the tasks before, by channel space: 0 free, 1 used; fractions only under soft masks. */
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
 */
export function sparsityRegulariser(gates: Gates, before: CumulativeGates, tape?: Tape): Tensor {
  const spaces = [...gates].map(([space, a]) => {
    const { backend } = a;
    const used = before.get(space);
    if (used !== undefined && used.length !== a.data.length) {
      throw new ShapeError(
        "SHAPE_MISMATCH",
        `"${space}" has ${a.data.length} gates, but ${used.length} cumulative ones`,
      );
    }
    const free = new Tensor(a.shape, { backend });
    const { data } = free;
    if (used === undefined) data.fill(1);
    else for (let i = 0; i < used.length; i++) data[i] = 1 - used[i]!;
    return { a, free };
  });
  const { backend } = spaces[0]!.a;
  const { kernels } = backend;
  let [weighted, total] = [0, 0];
  for (const { a, free } of spaces) {
    const product = multiply(a, free);
    weighted += kernels.sum(product.data);
    product.dispose();
    total += kernels.sum(free.data);
  }
  const r = new Tensor([1], { backend });
  r.data[0] = total > 0 ? weighted / total : 0;
  tape?.record(
    "sparsityRegulariser",
    spaces.map(({ a }) => a),
    r,
    (dr, sink) => {
      for (const { a, free } of spaces) {
        const da = new Tensor(a.shape, { backend });
        kernels.scale(free.data, total > 0 ? dr.data[0]! / total : 0, da.data);
        sink.add(a, da);
      }
    },
  );
  // The backward needs them; without one nothing does.
  if (tape === undefined) for (const { free } of spaces) free.dispose();
  return r;
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
