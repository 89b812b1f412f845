import { ShapeError } from "../errors.ts";
import type { Tape } from "../tape.ts";
import { elements, Tensor, type Shape } from "../tensor.ts";
import { checkOneBackend } from "./one-backend.ts";

/** The same elements in another shape (a copy). */
export function reshape(x: Tensor, shape: Shape, tape?: Tape): Tensor {
  if (elements(shape) !== x.data.length) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `[${x.shape.join(", ")}] cannot be reshaped to [${shape.join(", ")}]`,
    );
  }
  const y = new Tensor(shape, { backend: x.backend });
  y.data.set(x.data);
  tape?.record("reshape", [x], y, (dy, sink) => sink.add(x, reshape(dy, x.shape)));
  return y;
}

/** [n, ...] to [n, product of the others]. */
export function flatten(x: Tensor, tape?: Tape): Tensor {
  const [n = 1, ...rest] = x.shape;
  return reshape(x, [n, elements(rest)], tape);
}

/** Joins along the last dimension. The other dimensions are the same. */
export function concat(parts: readonly Tensor[], tape?: Tape): Tensor {
  const [first] = parts;
  const outer = (t: Tensor): string => t.shape.slice(0, -1).join();
  if (first === undefined || parts.some((part) => outer(part) !== outer(first))) {
    const shapes = parts.map((part) => `[${part.shape.join(", ")}]`).join(" and ");
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `concat joins tensors that differ only in the last dimension, not ${shapes}`,
    );
  }
  checkOneBackend("concat", first, ...parts);
  const widths = parts.map((part) => part.shape.at(-1)!);
  const width = widths.reduce((sum, w) => sum + w, 0);
  const rows = elements(first.shape.slice(0, -1));
  const y = new Tensor([...first.shape.slice(0, -1), width], { backend: first.backend });
  let at = 0;
  parts.forEach((part, p) => {
    const w = widths[p]!;
    for (let r = 0; r < rows; r++) y.data.set(part.data.subarray(r * w, (r + 1) * w), r * width + at);
    at += w;
  });
  tape?.record("concat", parts, y, (dy, sink) => {
    let from = 0;
    parts.forEach((part, p) => {
      const w = widths[p]!;
      if (sink.needs(part)) {
        const gradient = new Tensor(part.shape, { backend: part.backend });
        for (let r = 0; r < rows; r++) {
          gradient.data.set(dy.data.subarray(r * width + from, r * width + from + w), r * w);
        }
        sink.add(part, gradient);
      }
      from += w;
    });
  });
  return y;
}
