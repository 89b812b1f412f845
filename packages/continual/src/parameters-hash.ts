import { createHash } from "node:crypto";
import type { Tensor } from "@milliner/core";

/** SHA-256 over names, shapes and bits of parameters, in the order in which they come. */
export function hashParameters(parameters: Iterable<readonly [name: string, values: Tensor]>): string {
  const hash = createHash("sha256");
  for (const [name, { shape, data }] of parameters) {
    hash.update(`${JSON.stringify([name, shape])}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
