import { createHash } from "node:crypto";
import { pieces, type Locks, type Parameters } from "@milliner/core";

/**
 * SHA-256 over the elements that `locks` lock and over the whole of the tensors in `whole` (heads, which belong to their
 * tasks): name, positions and bits, in a fixed order. Two equal hashes mean that none of them was written.
 */
export function lockedHash(parameters: Parameters, locks: Locks, whole: readonly string[]): string {
  const hash = createHash("sha256");
  for (const name of [...locks.names].sort()) {
    const bits = locks.get(name)!;
    const { data } = parameters.get(name)!;
    const values = new Float32Array(bits.count());
    let at = 0;
    for (let row = 0; row < bits.rows; row++) {
      for (let column = 0; column < bits.columns; column++) {
        if (bits.isLocked(row, column)) values[at++] = data[row * bits.columns + column]!;
      }
    }
    hash.update(name);
    for (const part of [bits.words, values]) for (const piece of pieces(part)) hash.update(piece);
  }
  for (const name of [...whole].sort()) {
    hash.update(name);
    for (const piece of pieces(parameters.get(name)!.data)) hash.update(piece);
  }
  return hash.digest("hex");
}
