import { ShapeError } from "../errors.ts";
import type { Tape } from "../tape.ts";
import { sameShape, Tensor } from "../tensor.ts";
import { dropoutKey, type DropoutDraw } from "./linear.ts";
import { checkOneBackend } from "./one-backend.ts";

function sameShapes(operation: string, a: Tensor, b: Tensor): void {
  if (!sameShape(a.shape, b.shape)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `${operation} takes two tensors of one shape, but got [${a.shape.join(", ")}] and [${b.shape.join(", ")}]`,
    );
  }
}

function copyOf(t: Tensor): Tensor {
  const copy = new Tensor(t.shape, { backend: t.backend });
  copy.data.set(t.data);
  return copy;
}

/** `a + b`, same shapes. */
export function add(a: Tensor, b: Tensor, tape?: Tape): Tensor {
  sameShapes("add", a, b);
  checkOneBackend("add", a, b);
  const y = new Tensor(a.shape, { backend: a.backend });
  a.backend.kernels.add(a.data, b.data, y.data);
  tape?.record("add", [a, b], y, (dy, sink) => {
    for (const input of [a, b]) if (sink.needs(input)) sink.add(input, copyOf(dy));
  });
  return y;
}

/** `a * b`, same shapes. */
export function multiply(a: Tensor, b: Tensor, tape?: Tape): Tensor {
  sameShapes("multiply", a, b);
  checkOneBackend("multiply", a, b);
  const { kernels } = a.backend;
  const y = new Tensor(a.shape, { backend: a.backend });
  kernels.multiply(a.data, b.data, y.data);
  tape?.record("multiply", [a, b], y, (dy, sink) => {
    for (const [input, factor] of [
      [a, b],
      [b, a],
    ] as const) {
      if (!sink.needs(input)) continue;
      const gradient = new Tensor(input.shape, { backend: input.backend });
      kernels.multiply(dy.data, factor.data, gradient.data);
      sink.add(input, gradient);
    }
  });
  return y;
}

/** `a * factor` with a number. */
export function scale(a: Tensor, factor: number, tape?: Tape): Tensor {
  const y = new Tensor(a.shape, { backend: a.backend });
  a.backend.kernels.scale(a.data, factor, y.data);
  tape?.record("scale", [a], y, (dy, sink) => sink.add(a, scale(dy, factor)));
  return y;
}

/** `max(x, 0)`; the gradient at 0 is 0. */
export function relu(x: Tensor, tape?: Tape): Tensor {
  const y = new Tensor(x.shape, { backend: x.backend });
  x.backend.kernels.relu(x.data, y.data);
  tape?.record("relu", [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend: x.backend });
    x.backend.kernels.reluBackward(dy.data, y.data, dx.data);
    sink.add(x, dx);
  });
  return y;
}

/** Zeroes elements at random and multiplies the others by 1 / keep. Elements are counted as [rows, last dimension]. */
export function dropout(x: Tensor, draw: DropoutDraw, tape?: Tape): Tensor {
  const { kernels } = x.backend;
  const units = x.shape.at(-1) ?? 1;
  const rows = units === 0 ? 0 : x.data.length / units;
  const random = dropoutKey(draw);
  const y = new Tensor(x.shape, { backend: x.backend });
  kernels.dropout(x.data, y.data, rows, units, draw.keep, random, draw.numbers);
  tape?.record("dropout", [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend: x.backend });
    kernels.dropout(dy.data, dx.data, rows, units, draw.keep, random, draw.numbers);
    sink.add(x, dx);
  });
  return y;
}

/**
 * `h * a` with one gate per unit of the last dimension (`positions` times over it, behind a flatten). A gate of 0 selects
 * +0: what was there does not matter, not even an infinity. Source: Serrà et al. 2018, (1), second half.
 */
export function applyGate(h: Tensor, gate: Tensor, tape?: Tape): Tensor {
  const units = gate.data.length;
  if (units === 0 || (h.shape.at(-1) ?? 0) % units !== 0) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `a gate of ${units} units does not fit values of shape [${h.shape.join(", ")}]`,
    );
  }
  checkOneBackend("applyGate", h, gate);
  const { kernels } = h.backend;
  const rows = h.data.length / units;
  const y = new Tensor(h.shape, { backend: h.backend });
  kernels.gateApply(h.data, gate.data, y.data, rows, units);
  tape?.record("applyGate", [h, gate], y, (dy, sink) => {
    const dh = new Tensor(h.shape, { backend: h.backend });
    const dgate = sink.needs(gate) ? new Tensor(gate.shape, { backend: h.backend }) : undefined;
    kernels.activationBackward(
      dy.data,
      h.data,
      gate.data,
      dh.data,
      dgate?.data ?? null,
      null,
      rows,
      units,
      false,
      1,
    );
    sink.add(h, dh);
    if (dgate !== undefined) sink.add(gate, dgate);
  });
  return y;
}
