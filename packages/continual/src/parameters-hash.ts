import { createHash } from "node:crypto";
import { pieces, type Tensor } from "@milliner/core";

/** SHA-256 over names, shapes and bits of parameters, in the order in which they come. */
export function hashParameters(parameters: Iterable<readonly [name: string, values: Tensor]>): string {
  const hash = createHash("sha256");
  for (const [name, { shape, data }] of parameters) {
    hash.update(`${JSON.stringify([name, shape])}\n`);
    for (const piece of pieces(data)) hash.update(piece);
  }
  return hash.digest("hex");
}
