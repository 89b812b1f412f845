/// <reference lib="esnext.disposable" preserve="true" />
import { ConfigError, ShapeError } from "./errors.ts";
import { elements, sameShape, Tensor, zeros } from "./tensor.ts";
import type { Backend } from "./backend/backend.ts";

/**
 * The gradient of a weight that a product has read, as its two factors: `dw = dy' x` (linear) or the convolution of both.
 * An optimizer that can update inside the product's tiles takes the factors, and the gradient is never written; everybody
 * else calls `Gradients.get`.
 */
export interface PendingProduct {
  readonly kind: "linear" | "conv2d";
  /** Of a convolution, as the kernels take it. */
  readonly geometry?: Int32Array;
  /** Gradient of the pre-activations, [n, out] or [n, height, width, out]. */
  readonly dy: Tensor;
  /** What the layer read, [n, in] or [n, height, width, in]. */
  readonly x: Tensor;
  /** Writes the gradient, in the weight's shape, to `out`. */
  readonly materialise: (out: Tensor) => void;
}

/** Where the backward function of an operation puts the gradients of its inputs. */
export interface GradientSink {
  /** Whether anybody wants the gradient of this input. */
  needs(input: Tensor): boolean;
  /** Adds `gradient` (the sink becomes its owner) to the gradient of `input`. */
  add(input: Tensor, gradient: Tensor): void;
  /** Adds a product that is not computed yet to the gradient of the leaf `weight`. */
  addPending(weight: Tensor, product: PendingProduct): void;
}

/** Computes the gradients of the inputs from the gradient of the output. `dy` belongs to the tape: do not keep or write it. */
export type Backward = (dy: Tensor, sink: GradientSink) => void;

interface Entry {
  readonly operation: string;
  readonly output: Tensor;
  readonly backward: Backward;
}

/**
 * What `backward` found for the leaves: by tensor, materialised when asked. Owns its tensors; pending factors live as long as
 * the `tidy` in which the step ran, so use it there.
 */
export class Gradients {
  readonly #ready: Map<Tensor, Tensor>;
  readonly #pending: Map<Tensor, PendingProduct>;

  constructor(ready: Map<Tensor, Tensor>, pending: Map<Tensor, PendingProduct>) {
    this.#ready = ready;
    this.#pending = pending;
  }

  /** Whether the loss depends on `leaf`. */
  has(leaf: Tensor): boolean {
    return this.#ready.has(leaf) || this.#pending.has(leaf);
  }

  /** The unmultiplied factors of a weight's gradient, or undefined when it is not (or no longer) pending. */
  pending(leaf: Tensor): PendingProduct | undefined {
    return this.#pending.get(leaf);
  }

  /** The gradient of `leaf`, computed now if it was pending; undefined when the loss does not depend on it. */
  get(leaf: Tensor): Tensor | undefined {
    const product = this.#pending.get(leaf);
    if (product !== undefined) {
      this.#ready.set(leaf, materialised(leaf, product));
      this.#pending.delete(leaf);
    }
    return this.#ready.get(leaf);
  }

  /** Frees all gradients that were materialised. */
  dispose(): void {
    for (const gradient of this.#ready.values()) gradient.dispose();
    this.#ready.clear();
    this.#pending.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function materialised(leaf: Tensor, product: PendingProduct): Tensor {
  const gradient = new Tensor(leaf.shape, { backend: leaf.backend });
  product.materialise(gradient);
  return gradient;
}

function isFactor(dy: Tensor, pending: ReadonlyMap<Tensor, PendingProduct>): boolean {
  for (const product of pending.values()) if (product.dy === dy) return true;
  return false;
}

/**
 * A record of operations, in the order in which they ran. Operations take it as their last argument; without one they only
 * compute. A tape serves one `backward`; the tensors on it must live until then (`tidy` around the whole step).
 */
export class Tape {
  readonly #entries: Entry[] = [];
  readonly #tracked = new Set<Tensor>();
  #isWalked = false;

  /** Whether gradients reach this tensor: a leaf with `requiresGrad`, or computed from one on this tape. */
  tracks(input: Tensor): boolean {
    return input.requiresGrad || this.#tracked.has(input);
  }

  /** Called by operations: `output` was computed from `inputs`. Nothing is kept when no gradient can reach them. */
  record(operation: string, inputs: readonly Tensor[], output: Tensor, backward: Backward): void {
    if (!inputs.some((input) => this.tracks(input))) return;
    this.#tracked.add(output);
    this.#entries.push({ operation, output, backward });
  }

  /**
   * Gradients of `loss` with respect to every leaf with `requiresGrad`, by the chain rule from the last entry to the first.
   * Where a tensor was used several times, the parts are added in that order, so the result has the same bits each time.
   * @throws ShapeError when `loss` is not a single number; ConfigError (`TAPE_USED`) the second time
   */
  backward(loss: Tensor): Gradients {
    if (elements(loss.shape) !== 1) {
      throw new ShapeError(
        "NOT_A_SCALAR",
        `backward needs a loss with one element, not shape [${loss.shape.join(", ")}]`,
      );
    }
    if (this.#isWalked)
      throw new ConfigError("TAPE_USED", "this tape has been walked already; record each step on a new one");
    this.#isWalked = true;
    const backend: Backend = loss.backend;
    const gradients = new Map<Tensor, Tensor>();
    const pending = new Map<Tensor, PendingProduct>();
    const sink: GradientSink = {
      needs: (input) => this.tracks(input),
      add: (input, gradient) => {
        if (!this.tracks(input)) {
          gradient.dispose();
          return;
        }
        if (!sameShape(input.shape, gradient.shape)) {
          throw new ShapeError(
            "SHAPE_MISMATCH",
            `a gradient of shape [${gradient.shape.join(", ")}] was given for a tensor of shape [${input.shape.join(", ")}]`,
          );
        }
        const product = pending.get(input);
        if (product !== undefined) {
          gradients.set(input, materialised(input, product));
          pending.delete(input);
        }
        const before = gradients.get(input);
        if (before === undefined) {
          gradients.set(input, gradient);
          return;
        }
        backend.kernels.add(before.data, gradient.data, before.data);
        gradient.dispose();
      },
      addPending: (weight, product) => {
        if (!this.tracks(weight)) return;
        // A second use of the weight, or a weight that is itself computed: the product is needed as a tensor. And a factor
        // that is a parameter may be updated before the product would be formed.
        if (!weight.requiresGrad || product.x.requiresGrad || pending.has(weight) || gradients.has(weight)) {
          sink.add(weight, materialised(weight, product));
        } else {
          pending.set(weight, product);
        }
      },
    };

    const seed = zeros(loss.shape, { backend });
    seed.data[0] = 1;
    gradients.set(loss, seed);
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const { output, backward } = this.#entries[i]!;
      const dy = gradients.get(output);
      if (dy === undefined) continue;
      backward(dy, sink);
      // Pending products may hold dy; those of the leaves are read after this loop, so dy is freed with the scope or by
      // the finaliser unless it is plainly done with.
      gradients.delete(output);
      if (!isFactor(dy, pending)) dy.dispose();
    }
    this.#entries.length = 0;
    for (const input of gradients.keys()) if (!input.requiresGrad) gradients.delete(input);
    return new Gradients(gradients, pending);
  }
}
