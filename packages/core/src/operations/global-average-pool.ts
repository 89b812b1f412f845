import { ShapeError } from "../errors.ts";
import type { Tape } from "../tape.ts";
import { elements, Tensor } from "../tensor.ts";

/**
 * The mean of every channel over all positions: images [n, height, width, channels] become [n, channels].
 *
 * @param x - [n, ..., channels] with one position or more
 * @returns [n, channels]; the caller owns it
 * @throws ShapeError when x has no positions
 */
export function globalAveragePool(x: Tensor, tape?: Tape): Tensor {
  const [n = 0, channels = 0] = [x.shape[0], x.shape.at(-1)];
  const positions = elements(x.shape.slice(1, -1));
  if (x.shape.length < 3 || positions === 0) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `globalAveragePool takes [n, ..., channels] with positions between, but got [${x.shape.join(", ")}]`,
    );
  }
  const { backend } = x;
  const y = new Tensor([n, channels], { backend });
  backend.kernels.globalAveragePoolForward(x.data, y.data, n, positions, channels);
  tape?.record("globalAveragePool", [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend });
    backend.kernels.globalAveragePoolBackward(dy.data, dx.data, n, positions, channels);
    sink.add(x, dx);
  });
  return y;
}
