import type { Backend } from "../backend/backend.ts";
import { activationClaims } from "./conformance/activation.ts";
import type { ConformanceCase } from "./conformance/case.ts";
import { convolutionClaims } from "./conformance/convolution.ts";
import { dropoutClaims } from "./conformance/dropout.ts";
import { elementwiseClaims } from "./conformance/elementwise.ts";
import { gatherClaims } from "./conformance/gather.ts";
import { gateClaims } from "./conformance/gate.ts";
import { lossClaims } from "./conformance/loss.ts";
import { nonFiniteConvolutionClaims } from "./conformance/non-finite-convolution.ts";
import { nonFiniteLayerClaims } from "./conformance/non-finite-layers.ts";
import { nonFiniteProductClaims } from "./conformance/non-finite-products.ts";
import { nonFiniteClaims } from "./conformance/non-finite.ts";
import { normalisationClaims } from "./conformance/normalisation.ts";
import { optimizerStepClaims } from "./conformance/optimizer-step.ts";
import { overlapClaims } from "./conformance/overlap.ts";
import { poolingClaims } from "./conformance/pooling.ts";
import { productClaims } from "./conformance/products.ts";
import { reductionClaims } from "./conformance/reductions.ts";

/**
 * What every backend promises, one case a claim: each kernel against a naive loop in double, written from its formula, within
 * a stated bound; outputs are full of NaN first and have NaN around them. The bound of a fully connected product is that of
 * the backend's `precision`. A backend that calls itself `exact` is also held
 * to the bits of the single-chain rule, by an fma in software. The cases take no test runner: call `check`, which throws.
 *
 * @example
 * for (const { name, check } of conformanceCases(myBackend)) test(name, check);
 */
export function conformanceCases(backend: Backend): readonly ConformanceCase[] {
  const title = backend.precision === "float32" ? backend.name : `${backend.name} in ${backend.precision}`;
  return [
    productClaims,
    optimizerStepClaims,
    activationClaims,
    convolutionClaims,
    normalisationClaims,
    poolingClaims,
    gatherClaims,
    gateClaims,
    lossClaims,
    elementwiseClaims,
    dropoutClaims,
    reductionClaims,
    overlapClaims,
    nonFiniteClaims,
    nonFiniteLayerClaims,
    nonFiniteProductClaims,
    nonFiniteConvolutionClaims,
  ].flatMap((claims) =>
    Object.entries(claims).map(([name, check]) => ({
      name: `${title}: ${name}`,
      check: () => check(backend),
    })),
  );
}
