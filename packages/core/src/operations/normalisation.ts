import { ShapeError } from "../errors.ts";
import { checkNumber } from "../number-range.ts";
import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";
import { checkOneBackend } from "./one-backend.ts";

/** Refuses a tensor that has not one number per channel. */
export function checkPerChannel(
  operation: string,
  channels: number,
  tensors: Readonly<Record<string, Tensor | undefined>>,
): void {
  for (const [name, t] of Object.entries(tensors)) {
    if (t !== undefined && (t.shape.length !== 1 || t.shape[0] !== channels)) {
      throw new ShapeError(
        "SHAPE_MISMATCH",
        `${operation}: ${name} has shape [${t.shape.join(", ")}], expected [${channels}]`,
      );
    }
  }
}

/** Refuses an `eps` that would divide by zero where a variance is 0. */
export function checkEpsilon(operation: string, eps: number): void {
  checkNumber(`${operation}: eps`, eps, { above: 0 });
}

/** What x is to the kernels of group normalisation. */
export interface GroupNormGeometry {
  readonly n: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
}

/** Group normalisation of x as the geometry reads it, and its gradients: what `groupNorm` and `layerNorm` are. */
export function normaliseGroups(
  operation: string,
  { n, positions, channels, groups }: GroupNormGeometry,
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  eps: number,
  tape: Tape | undefined,
): Tensor {
  checkOneBackend(operation, x, gamma, beta);
  const { backend } = x;
  const { kernels } = backend;
  const y = new Tensor(x.shape, { backend });
  const mean = new Tensor([n, groups], { backend });
  const root = new Tensor([n, groups], { backend });
  kernels.groupNormForward(
    x.data,
    gamma.data,
    beta.data,
    y.data,
    mean.data,
    root.data,
    n,
    positions,
    channels,
    groups,
    eps,
  );

  const inputs = [x, gamma, beta];
  if (!inputs.some((input) => tape?.tracks(input))) {
    mean.dispose();
    root.dispose();
  }
  tape?.record(operation, inputs, y, (dy, sink) => {
    const { data: d } = dy;
    if (sink.needs(x)) {
      const dx = new Tensor(x.shape, { backend });
      kernels.groupNormInputGradient(
        d,
        x.data,
        mean.data,
        root.data,
        gamma.data,
        dx.data,
        n,
        positions,
        channels,
        groups,
      );
      sink.add(x, dx);
    }
    if (sink.needs(gamma) || sink.needs(beta)) {
      const [dgamma, dbeta] = [new Tensor(gamma.shape, { backend }), new Tensor(beta.shape, { backend })];
      kernels.groupNormParameterGradient(
        d,
        x.data,
        mean.data,
        root.data,
        dgamma.data,
        dbeta.data,
        n,
        positions,
        channels,
        groups,
      );
      sink.add(gamma, dgamma);
      sink.add(beta, dbeta);
    }
  });
  return y;
}
