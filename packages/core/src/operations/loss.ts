import { ShapeError } from "../errors.ts";
import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";

/** Sum of all elements, in a fixed order that depends on their number only. Shape [1]. */
export function sum(x: Tensor, tape?: Tape): Tensor {
  const y = new Tensor([1], { backend: x.backend });
  y.data[0] = x.backend.kernels.sum(x.data);
  tape?.record("sum", [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend: x.backend });
    dx.data.fill(dy.data[0]!);
    sink.add(x, dx);
  });
  return y;
}

/** Mean of all elements. Shape [1]. */
export function mean(x: Tensor, tape?: Tape): Tensor {
  const y = new Tensor([1], { backend: x.backend });
  y.data[0] = x.backend.kernels.sum(x.data) / x.data.length;
  tape?.record("mean", [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend: x.backend });
    dx.data.fill(dy.data[0]! / x.data.length);
    sink.add(x, dx);
  });
  return y;
}

/**
 * Mean over the batch of `log(sum_j exp(x_j)) - x_label`.
 *
 * @param logits - [n, classes]
 * @param labels - n whole numbers in 0..classes-1
 * @returns shape [1]; the caller owns it
 * @throws ShapeError when there are not n labels, or one is out of range
 */
export function crossEntropy(logits: Tensor, labels: Int32Array, tape?: Tape): Tensor {
  const [n, classes] = logits.shape as [number, number];
  if (logits.shape.length !== 2 || labels.length !== n) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `crossEntropy takes logits [n, classes] and n labels, but got [${logits.shape.join(", ")}] and ${labels.length}`,
    );
  }
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  if (wrong >= 0) {
    throw new ShapeError(
      "LABEL_OUT_OF_RANGE",
      `label ${labels[wrong]} at ${wrong} is not in 0..${classes - 1}`,
    );
  }
  const { backend } = logits;
  const losses = new Tensor([n], { backend });
  const gradient = tape?.tracks(logits) === true ? new Tensor(logits.shape, { backend }) : undefined;
  backend.kernels.crossEntropy(logits.data, labels, losses.data, gradient?.data ?? null, n, classes);
  const loss = mean(losses);
  losses.dispose();
  if (gradient !== undefined) {
    tape?.record("crossEntropy", [logits], loss, (dy, sink) => {
      const dlogits = new Tensor(logits.shape, { backend });
      backend.kernels.scale(gradient.data, dy.data[0]!, dlogits.data);
      sink.add(logits, dlogits);
    });
  }
  return loss;
}
