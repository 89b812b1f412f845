import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";

type Name = "exp" | "log" | "tanh" | "sigmoid";

// Each derivative is written with the function's own value y where that is cheaper than x.
const derivatives: Readonly<Record<Name, (x: number, y: number) => number>> = {
  exp: (_, y) => y,
  log: (x) => 1 / x,
  tanh: (_, y) => 1 - y * y,
  sigmoid: (_, y) => y * (1 - y),
};

function apply(name: Name, x: Tensor, tape: Tape | undefined): Tensor {
  const y = new Tensor(x.shape, { backend: x.backend });
  x.backend.kernels[name](x.data, y.data);
  tape?.record(name, [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend: x.backend });
    for (let i = 0; i < dx.data.length; i++)
      dx.data[i] = dy.data[i]! * derivatives[name](x.data[i]!, y.data[i]!);
    sink.add(x, dx);
  });
  return y;
}

/** `e^x`, element by element. */
export function exp(x: Tensor, tape?: Tape): Tensor {
  return apply("exp", x, tape);
}

/** Natural logarithm. */
export function log(x: Tensor, tape?: Tape): Tensor {
  return apply("log", x, tape);
}

/** Hyperbolic tangent. */
export function tanh(x: Tensor, tape?: Tape): Tensor {
  return apply("tanh", x, tape);
}

/** `1 / (1 + e^-x)`. */
export function sigmoid(x: Tensor, tape?: Tape): Tensor {
  return apply("sigmoid", x, tape);
}
