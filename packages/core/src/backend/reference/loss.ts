import type { Kernels } from "../backend.ts";
import { checkSize, refuse } from "./argument.ts";

export const lossKernels: Pick<Kernels, "crossEntropy"> = {
  crossEntropy(logits, labels, losses, dlogits, n, classes) {
    const kernel = "crossEntropy";
    checkSize(kernel, "logits", logits, n * classes);
    checkSize(kernel, "labels", labels, n);
    checkSize(kernel, "losses", losses, n);
    checkSize(kernel, "dlogits", dlogits, n * classes);
    const wrong = labels.findIndex((label) => label < 0 || label >= classes);
    if (wrong >= 0) refuse(kernel, `labels[${wrong}] is ${labels[wrong]}, outside 0..${classes - 1}`);
    for (let row = 0; row < n; row++) {
      const x = logits.subarray(row * classes, (row + 1) * classes);
      const label = labels[row]!;
      const most = x.reduce((a, b) => Math.max(a, b), -Infinity); // a NaN anywhere makes it NaN
      const labelDistance = x[label]! - most; // dlogits may be logits: read before they are written
      let sum = 0;
      for (const value of x) sum += Math.exp(value - most);
      losses[row] = Math.log(sum) - labelDistance;
      if (dlogits === null) continue;
      for (let j = 0; j < classes; j++) {
        const softmax = Math.exp(x[j]! - most) / sum;
        dlogits[row * classes + j] = (softmax - (j === label ? 1 : 0)) / n;
      }
    }
  },
};
