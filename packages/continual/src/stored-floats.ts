import { types } from "node:util";
import { CheckpointError, sameShape } from "@milliner/core";
import type { CheckpointReader } from "./learner.ts";

/**
 * Numbers of a checkpoint that are about to be computed with: float32 of exactly this shape, all of them finite.
 * @throws CheckpointError (`DOES_NOT_FIT`, `BAD_VALUE`) that names the array
 */
export function storedFloats(from: CheckpointReader, name: string, shape: readonly number[]): Float32Array {
  const { shape: found, data } = from.array(name);
  if (!types.isFloat32Array(data) || !sameShape(found, shape)) {
    const type = data.constructor.name.replace("Array", "").toLowerCase();
    throw new CheckpointError(
      "DOES_NOT_FIT",
      `"${name}" of the checkpoint is ${type} of shape [${found.join(", ")}], but [${shape.join(", ")}] of float32 ` +
        `belong there; was it written for another width or body?`,
    );
  }
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    throw new CheckpointError(
      "BAD_VALUE",
      `element ${wrong} of "${name}" of the checkpoint is ${data[wrong]}; load an earlier checkpoint`,
    );
  }
  return data;
}
