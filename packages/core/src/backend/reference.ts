import type { Backend } from "./backend.ts";
import { activationKernels } from "./reference/activation.ts";
import { keptApart } from "./reference/apart.ts";
import { convolutionKernels } from "./reference/convolution.ts";
import { dropoutKernels } from "./reference/dropout.ts";
import { elementwiseKernels } from "./reference/elementwise.ts";
import { gatherKernels } from "./reference/gather.ts";
import { gateKernels } from "./reference/gate.ts";
import { lossKernels } from "./reference/loss.ts";
import { normalisationKernels } from "./reference/normalisation.ts";
import { poolingKernels } from "./reference/pooling.ts";
import { productKernels } from "./reference/products.ts";
import { reductionKernels } from "./reference/reductions.ts";
import { optimizerStepKernels } from "./reference/optimizer-step.ts";

/**
 * The specification of the kernels: plain loops in double, rounded to float32 when stored, never optimised. It runs wherever
 * JavaScript runs, so it is also the fallback where no addon fits. It has no fma and promises bounds, not bits; subnormal
 * numbers stay as they are, which the addon reads and writes as zero.
 */
export const referenceBackend: Backend = {
  name: "reference",
  exact: false,
  precision: "float32",
  gatheringKeepsBits: true,
  allocate: (bytes) => new ArrayBuffer(bytes),
  kernels: keptApart({
    ...productKernels,
    ...activationKernels,
    ...convolutionKernels,
    ...normalisationKernels,
    ...poolingKernels,
    ...gatherKernels,
    ...gateKernels,
    ...lossKernels,
    ...optimizerStepKernels,
    ...elementwiseKernels,
    ...dropoutKernels,
    ...reductionKernels,
  }),
};
