import { isIntact, isPoison, Numbers, poisoned } from "../arrays.ts";
import { rounding } from "../bounded.ts";
import type { Claims } from "./case.ts";
import { check, checkNear, checkRefused, checkSame } from "./check.ts";

const shapes: readonly (readonly [number, number])[] = [
  [0, 3],
  [1, 1],
  [2, 2],
  [5, 10],
  [3, 17],
  [7, 100],
];

export const lossClaims: Claims = {
  "crossEntropy is -log softmax of the label by rows, and (softmax - onehot) / n": (backend) => {
    const numbers = new Numbers(60);
    for (const [n, classes] of shapes) {
      const logits = numbers.floats(n * classes).map((v) => 20 * v);
      const labels = Int32Array.from({ length: n }, () => numbers.below(classes));
      const [losses, dlogits] = [poisoned(n), poisoned(n * classes)];

      backend.kernels.crossEntropy(logits, labels, losses, dlogits, n, classes);

      for (let row = 0; row < n; row++) {
        const x = [...logits.subarray(row * classes, (row + 1) * classes)];
        const most = Math.max(...x);
        const softmax = (j: number): number => 1 / x.reduce((total, v) => total + Math.exp(v - x[j]!), 0);
        const what = (): string => `crossEntropy of [${n}, ${classes}], row ${row}`;
        const loss = -Math.log(softmax(labels[row]!));
        // The sum of exponentials has an error of 3 roundings per class (distance, exp, addition), log adds an ulp, and the
        // subtraction of the label's distance, no larger than the loss, two roundings more.
        const sumError = (3 * classes + 8) * rounding;
        checkNear(losses[row]!, loss, sumError + 4 * rounding * loss, what);
        x.forEach((v, j) => {
          const [p, hot] = [softmax(j), j === labels[row] ? 1 : 0];
          const relative = sumError + (most - v + 8) * rounding; // exp turns the distance's rounding into a relative error
          const bound = (p * relative + 2 * rounding * Math.abs(p - hot)) / n;
          checkNear(dlogits[row * classes + j]!, (p - hot) / n, bound, () => `${what()}, gradient ${j}`);
        });
      }
      check(isIntact(losses) && isIntact(dlogits), () => "something outside of the outputs was written");
    }
  },

  "crossEntropy may write the gradient over the logits": (backend) => {
    const numbers = new Numbers(61);
    const [logits, labels, losses] = [numbers.floats(15), Int32Array.of(0, 4, 2), new Float32Array(3)];
    const apart = new Float32Array(15);
    backend.kernels.crossEntropy(logits, labels, losses, apart, 3, 5);

    backend.kernels.crossEntropy(logits, labels, losses, logits, 3, 5);

    logits.forEach((value, i) => checkSame(value, apart[i]!, () => `gradient ${i}`));
  },

  "crossEntropy of a row with NaN is NaN, and large logits do not overflow": (backend) => {
    const losses = new Float32Array(3);
    const logits = Float32Array.of(1, NaN, 1e30, -1e30, 1000, 1000);

    backend.kernels.crossEntropy(logits, Int32Array.of(0, 0, 1), losses, null, 3, 2);

    checkSame(losses[0]!, NaN, () => "the loss of [1, NaN]");
    checkSame(losses[1]!, 0, () => "the loss of [1e30, -1e30] with label 0");
    checkNear(losses[2]!, Math.LN2, 2 ** -22, () => "the loss of [1000, 1000]");
  },

  "a label out of range is refused before anything is written": (backend) => {
    for (const label of [-1, 3]) {
      const losses = poisoned(2);

      checkRefused(
        `label ${label} of 3 classes`,
        () => backend.kernels.crossEntropy(new Float32Array(6), Int32Array.of(0, label), losses, null, 2, 3),
        "labels[1]",
        String(label),
      );

      check(isPoison(losses, 0), () => "crossEntropy wrote before it refused");
    }
  },
};
