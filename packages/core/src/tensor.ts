/// <reference lib="esnext.disposable" preserve="true" />
import type { Backend } from "./backend/backend.ts";
import { ShapeError } from "./errors.ts";
import { checkKeys, type OptionKeys } from "./option-keys.ts";
import { acquire, own, release, unwatch, watch } from "./memory.ts";

/** Sizes of the dimensions, outermost first; row-major and contiguous. Images are [n, height, width, channels]. */
export type Shape = readonly number[];

// The shape of a tensor is frozen, and V8 makes an object for each turn of `for (... of ...)` over a frozen array. Every
// tensor of a step comes through here, so these go by index.

/** Number of elements of a shape. */
export function elements(shape: Shape): number {
  let count = 1;
  for (let i = 0; i < shape.length; i++) count *= shape[i]!;
  return count;
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

function checkShape(shape: Shape): void {
  for (let i = 0; i < shape.length; i++) {
    const size = shape[i]!;
    if (!Number.isSafeInteger(size) || size < 0)
      throw new ShapeError("BAD_SHAPE", `a shape holds whole numbers from 0 up, not [${shape.join(", ")}]`);
  }
}

/** How a tensor is made: on which backend, and whether tapes follow it. */
export interface TensorOptions {
  readonly backend: Backend;
  /** A leaf whose gradient is wanted, such as a weight. Default false. */
  readonly requiresGrad?: boolean;
}

const tensorKeys: OptionKeys<TensorOptions> = { backend: true, requiresGrad: "switch" };

/**
 * A float32 array with a shape, in memory outside the JavaScript heap. Whoever makes a tensor owns it: `dispose`, `using`
 * or an enclosing `tidy` frees it. Operations never change their arguments; optimizers write parameters in place.
 */
export class Tensor {
  readonly shape: Shape;
  readonly backend: Backend;
  readonly requiresGrad: boolean;
  #buffer: ArrayBuffer | null;
  #data: Float32Array;
  #isWatched = false;
  #version = 0;

  /** A tensor with undefined contents; `tensor`, `zeros` and the operations are what most code wants. */
  constructor(shape: Shape, options: TensorOptions) {
    checkShape(shape);
    checkKeys("a tensor", options, tensorKeys);
    const count = elements(shape);
    // The shape of another tensor is shared.
    this.shape = Object.isFrozen(shape) ? shape : Object.freeze([...shape]);
    this.backend = options.backend;
    this.requiresGrad = options.requiresGrad ?? false;
    this.#buffer = acquire(options.backend, count * 4);
    this.#data = new Float32Array(this.#buffer, 0, count);
    own(this);
  }

  /** Called by `tidy` and `keep`: nobody but the caller frees this tensor any more. */
  escaped(): void {
    if (this.#buffer === null || this.#isWatched) return;
    this.#isWatched = true;
    watch(this, this.#buffer);
  }

  /**
   * The elements themselves, not a copy: valid until the tensor is disposed. Who writes a parameter calls `written`.
   * @throws TypeError after `dispose`
   */
  get data(): Float32Array {
    if (this.#buffer === null)
      throw new TypeError(`this tensor of shape [${this.shape.join(", ")}] has been disposed`);
    return this.#data;
  }

  /** How often `written` has been called: what was derived from the elements is out of date when it has grown. */
  get version(): number {
    return this.#version;
  }

  /** Called by whoever has written elements in place: optimizers, plans, checkpoints. */
  written(): void {
    this.#version += 1;
  }

  /** Whether `dispose` has been called. */
  get disposed(): boolean {
    return this.#buffer === null;
  }

  /** The only element of a tensor that has one. */
  item(): number {
    if (this.data.length !== 1) {
      throw new ShapeError(
        "NOT_A_SCALAR",
        `item() needs one element, but the shape is [${this.shape.join(", ")}]`,
      );
    }
    return this.data[0]!;
  }

  /** A copy of the elements in ordinary memory. */
  toArray(): Float32Array {
    return this.data.slice();
  }

  /** Frees the memory. A second call does nothing. */
  dispose(): void {
    if (this.#buffer === null) return;
    if (this.#isWatched) unwatch(this);
    release(this.backend, this.#buffer);
    this.#buffer = null;
    this.#data = new Float32Array(0);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * A tensor with a copy of `values`.
 * @throws ShapeError when there are not as many values as the shape says
 */
export function tensor(values: ArrayLike<number>, shape: Shape, options: TensorOptions): Tensor {
  checkShape(shape);
  if (values.length !== elements(shape)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `shape [${shape.join(", ")}] has ${elements(shape)} elements, but ${values.length} values were given`,
    );
  }
  const result = new Tensor(shape, options);
  result.data.set(values);
  return result;
}

/** A tensor of zeros. */
export function zeros(shape: Shape, options: TensorOptions): Tensor {
  const result = new Tensor(shape, options);
  result.data.fill(0);
  return result;
}

/**
 * A tensor on a backend: itself where it is there, else a copy of its elements, which the caller owns and no tape follows. What
 * computes with parameters of its own moves its input to them so.
 */
export function onBackend(t: Tensor, backend: Backend): Tensor {
  return t.backend === backend ? t : tensor(t.data, t.shape, { backend });
}
