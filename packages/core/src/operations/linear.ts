import { ShapeError } from "../errors.ts";
import { checkNumber } from "../number-range.ts";
import { checkKeys, type OptionKeys } from "../option-keys.ts";
import type { Stream } from "../philox.ts";
import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";
import { checkOneBackend } from "./one-backend.ts";

/** Dropout of one step: elements are kept with probability `keep`; which ones is decided by (seed, stream, step, element). */
export interface DropoutDraw {
  /** Above 0, up to 1. */
  readonly keep: number;
  readonly stream: Stream;
  readonly step: number;
  /**
   * The number of each unit of the last dimension in the full layer, ascending: by it the unit is counted, so that a layer
   * of which only some units are computed drops what the whole one drops. Default: 0, 1, 2, ...
   */
  readonly numbers?: Uint32Array | undefined;
}

/**
 * What kernels draw a dropout from.
 * @throws ConfigError (`BAD_DROPOUT`, `BAD_VALUE`) when the share that is kept, or the step, makes no sense
 */
export function dropoutKey({ keep, stream, step }: DropoutDraw): Uint32Array {
  checkNumber("keep", keep, { above: 0, upTo: 1 }, "BAD_DROPOUT");
  return stream.key(step);
}

/** What is done to a product before it is written: bias, then ReLU, then dropout, then the gate. */
export interface LinearOptions {
  readonly bias?: Tensor | undefined;
  readonly relu?: boolean | undefined;
  /** Needs `relu`. */
  readonly dropout?: DropoutDraw | undefined;
  /** One factor per output unit; a gate of 0 selects +0, it does not multiply. */
  readonly gate?: Tensor | undefined;
}

/** All keys of `LinearOptions`. */
export const linearKeys: OptionKeys<LinearOptions> = {
  bias: true,
  relu: "switch",
  dropout: true,
  gate: true,
};

function vector(t: Tensor | undefined, units: number, what: string): void {
  if (t !== undefined && (t.shape.length !== 1 || t.shape[0] !== units)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `linear: ${what} has shape [${t.shape.join(", ")}], expected [${units}]`,
    );
  }
}

/**
 * `gate * dropout(relu(x w' + bias))`, in one pass over the product.
 *
 * @param x - [n, in]
 * @param w - [out, in]
 * @returns [n, out]; the caller owns it
 * @throws ShapeError when the shapes do not fit
 * @throws ConfigError (`MIXED_BACKENDS`) for tensors of two backends, as every operation of several tensors
 */
export function linear(x: Tensor, w: Tensor, options: LinearOptions = {}, tape?: Tape): Tensor {
  checkKeys("linear", options, linearKeys);
  const { bias, relu = false, dropout, gate } = options;
  if (x.shape.length !== 2 || w.shape.length !== 2 || x.shape[1] !== w.shape[1]) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `linear multiplies [n, in] by [out, in], but got [${x.shape.join(", ")}] and [${w.shape.join(", ")}]`,
    );
  }
  const [n, k, m] = [x.shape[0]!, x.shape[1]!, w.shape[0]!];
  vector(bias, m, "bias");
  vector(gate, m, "gate");
  checkOneBackend("linear", x, w, bias, gate);
  if (dropout !== undefined && !relu)
    throw new ShapeError("UNSUPPORTED", "linear applies dropout only behind a ReLU");
  const { backend } = x;
  const keep = dropout?.keep ?? 1;
  const random = dropout === undefined ? null : dropoutKey(dropout);
  const inputs = [x, w, bias, gate].filter((input) => input !== undefined);
  const recording = tape !== undefined && inputs.some((input) => tape.tracks(input));
  const y = new Tensor([n, m], { backend });
  // The gate's gradient and the ReLU's mask need the value before the gate.
  const h = gate !== undefined && recording ? new Tensor(y.shape, { backend }) : undefined;
  const data = (t: Tensor | undefined): Float32Array | null => t?.data ?? null;
  backend.kernels.linearForward(
    x.data,
    w.data,
    data(bias),
    data(gate),
    data(h),
    y.data,
    n,
    k,
    m,
    relu,
    keep,
    random,
    dropout?.numbers,
  );

  tape?.record("linear", inputs, y, (dy, sink) => {
    const wantsBias = bias !== undefined && sink.needs(bias);
    const wantsGate = gate !== undefined && sink.needs(gate);
    const plain = !relu && gate === undefined;
    const dbias = wantsBias ? new Tensor(bias.shape, { backend }) : undefined;
    const dgate = wantsGate ? new Tensor(gate.shape, { backend }) : undefined;
    let dv = dy;
    if (!plain) {
      dv = new Tensor(y.shape, { backend });
      const before = (h ?? y).data;
      backend.kernels.activationBackward(
        dy.data,
        before,
        data(gate),
        dv.data,
        data(dgate),
        data(dbias),
        n,
        m,
        relu,
        keep,
      );
    } else if (dbias !== undefined) {
      backend.kernels.columnSum(dy.data, dbias.data, n, m);
    }
    if (bias !== undefined && dbias !== undefined) sink.add(bias, dbias);
    if (gate !== undefined && dgate !== undefined) sink.add(gate, dgate);
    if (sink.needs(w)) {
      sink.addPending(w, {
        kind: "linear",
        dy: dv,
        x,
        materialise: (out) => backend.kernels.linearWeightGradient(dv.data, x.data, out.data, n, k, m),
      });
    }
    if (sink.needs(x)) {
      const dx = new Tensor(x.shape, { backend });
      backend.kernels.linearInputGradient(dv.data, w.data, dx.data, n, k, m);
      sink.add(x, dx);
    }
  });
  return y;
}
