import { NumericError, type Backend, type Tensor } from "@milliner/core";
import { crossEntropy } from "@milliner/core/operations";
import { forEachBatch } from "./batches.ts";
import { checkSplit } from "./check-task.ts";
import type { Split } from "./task.ts";

/** How well logits fit the labels of a split. */
export interface Evaluation {
  /** Mean cross-entropy over the images. */
  readonly loss: number;
  /** Share of images whose largest logit is that of their label, 0..1. */
  readonly accuracy: number;
}

// Fixed, so that the sums of the loss have the same order in every evaluation.
const evaluationBatch = 256;

/** Position of the largest value, the first of them where several are equal: what ONNX's ArgMax and numpy answer. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/**
 * Runs `logits` over a split, in order.
 *
 * @param logits - [n, classes] of images [n, height, width, channels]; runs inside a `tidy`
 * @param observe - sees the logits of each batch, in order; they are freed when it returns
 * @throws ConfigError (`EMPTY_SPLIT`) when there is nothing to evaluate on; (`BAD_SPLIT`, `BAD_LABEL`) for a split that cannot be
 *   what it says
 * @throws NumericError (`NON_FINITE_LOGITS`) for a logit that is NaN or infinite: it has no rank
 */
export function evaluate(
  split: Split,
  backend: Backend,
  logits: (images: Tensor, labels: Int32Array) => Tensor,
  observe?: (logits: Float32Array) => void,
): Evaluation {
  checkSplit("the split", split, Infinity);
  let loss = 0;
  let right = 0;
  forEachBatch(split, evaluationBatch, backend, (images, labels, first) => {
    const y = logits(images, labels);
    const classes = y.data.length / labels.length;
    const wrong = y.data.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      const image = first + Math.floor(wrong / classes);
      throw new NumericError(
        "NON_FINITE_LOGITS",
        `logit ${wrong % classes} of image ${image} is ${y.data[wrong]}`,
      );
    }
    loss += crossEntropy(y, labels).item() * labels.length;
    labels.forEach((label, i) => {
      if (argmax(y.data.subarray(i * classes, (i + 1) * classes)) === label) right += 1;
    });
    observe?.(y.data);
  });
  return { loss: loss / split.size, accuracy: right / split.size };
}
