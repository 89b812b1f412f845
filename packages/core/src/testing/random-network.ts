import { ShapeError } from "../errors.ts";
import { channelSpaces } from "../network/channel-spaces.ts";
import {
  concat,
  conv2d,
  dropout,
  flatten,
  linear,
  maxPool2d,
  network,
  outputShape,
  relu,
  residual,
  sequential,
  type Block,
  type Network,
  type Size2d,
} from "../network/network.ts";
import type { Shape } from "../tensor.ts";
import { Numbers } from "./arrays.ts";

/** What a drawn network has to look like. */
export interface RandomNetworkOptions {
  /** Default: an image of up to 7 x 7 pixels and 3 channels, or a vector of up to 9 features. */
  readonly inputShape?: Shape;
  /** Whether the output has to be a vector, as a body's before its head. Default true. */
  readonly flat?: boolean;
  /** Fewest units of a layer. Default 1. */
  readonly leastUnits?: number;
}

/** How deep combinators may lie in each other. */
const deepest = 2;

/**
 * Draws a network from every layer and combinator there is: convolutions of odd sizes, branches that are joined as images or
 * flattened apart, sums of joined branches, an input that goes past the layers, layers of one unit and a few of many, no
 * layer at all. For claims that have to hold for any network. The same seed gives the same network.
 *
 * @param seed - whole number from 0 up
 */
export function randomNetwork(seed: number, options: RandomNetworkOptions = {}): Network {
  const draw = new Draw(seed, options.leastUnits ?? 1);
  const inputShape = options.inputShape ?? draw.inputShape();
  const blocks: Block[] = [];
  const fits = (block: Block): boolean => {
    try {
      // Sums of branches that are joined in different ways can be built, but not run.
      channelSpaces(network(inputShape, ...blocks, block));
      return true;
    } catch (error) {
      if (error instanceof ShapeError) return false;
      throw error;
    }
  };
  const shape = (): Shape => outputShape(network(inputShape, ...blocks));
  for (let wanted = draw.below(7); wanted > 0; wanted--) {
    const block = draw.block(shape(), 0);
    if (fits(block)) blocks.push(block);
  }
  if ((options.flat ?? true) && shape().length !== 1) blocks.push(flatten());
  return network(inputShape, ...blocks);
}

class Draw {
  readonly #numbers: Numbers;

  readonly #leastUnits: number;

  constructor(seed: number, leastUnits: number) {
    this.#leastUnits = leastUnits;
    // Neighbouring seeds of a linear congruential generator begin alike.
    this.#numbers = new Numbers(Math.imul(seed + 1, 0x9e3779b1));
    for (let i = 0; i < 4; i++) this.below(2);
  }

  below(count: number): number {
    return this.#numbers.below(count);
  }

  #chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  #one<T>(...choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** A few, one rather often, and now and then more than any tile and any step of a widened plan has. */
  units(): number {
    if (this.#chance(8)) return this.#leastUnits + 32 + this.below(40);
    return this.#leastUnits + (this.#chance(15) ? 0 : this.below(6));
  }

  inputShape(): Shape {
    return this.#chance(25)
      ? [1 + this.below(9)]
      : [1 + this.below(7), 1 + this.below(7), this.#one(1, 1, 2, 3)];
  }

  /** A block that may or may not fit what has the shape `shape`. */
  block(shape: Shape, depth: number): Block {
    return shape.length === 1 ? this.#vectorBlock(shape, depth) : this.#imageBlock(shape, depth);
  }

  #vectorBlock(shape: Shape, depth: number): Block {
    const choice = this.below(depth < deepest ? 9 : 6);
    switch (choice) {
      case 0:
      case 1:
        return this.#linear(this.units());
      case 2:
        return sequential(this.#linear(this.units()), relu(), dropout(0.3));
      case 3:
        return relu();
      case 4:
        return dropout(0.2);
      case 5:
        return flatten(); // of a vector: nothing, and still a node
      case 6:
        return residual(sequential(relu(), this.#linear(shape[0]!)));
      case 7: {
        const branch = this.#branch(shape, depth);
        // The same branch twice: sums of what is joined alike, whatever it is.
        return residual(branch, this.#chance(50) ? branch : this.#branch(shape, depth));
      }
      default:
        return this.#concat(shape, depth);
    }
  }

  #imageBlock(shape: Shape, depth: number): Block {
    const choice = this.below(depth < deepest ? 13 : 6);
    const channels = shape.at(-1)!;
    switch (choice) {
      case 0:
      case 1:
        return this.#convolution();
      case 2:
        return sequential(this.#convolution(), relu(), this.#pool());
      case 3:
        return relu();
      case 4:
        return dropout(0.2);
      case 5:
        return this.#pool();
      case 6:
        return residual(sequential(conv2d(channels, 3, { padding: 1 }), relu()));
      case 7: {
        const outputs = this.units();
        return residual(conv2d(outputs, 3, { padding: 1 }), conv2d(outputs, 1, { bias: false }));
      }
      case 8: {
        const branch = this.#branch(shape, depth);
        return residual(branch, branch);
      }
      case 9:
        return this.#concat(shape, depth);
      case 10: {
        // Branches that are flattened apart, each with positions of its own.
        const branches = Array.from({ length: 1 + this.below(3) }, () =>
          sequential(this.#branch(shape, depth), flatten()),
        );
        return concat(...branches);
      }
      case 11: {
        // Wide and deep: a layer of the pixels, or the pixels themselves, beside a network of them.
        const wide = sequential(flatten(), this.#chance(50) ? linear(this.units()) : sequential());
        return concat(wide, sequential(this.#convolution(), relu(), flatten(), linear(this.units()), relu()));
      }
      default:
        return flatten();
    }
  }

  #concat(shape: Shape, depth: number): Block {
    return concat(...Array.from({ length: 1 + this.below(3) }, () => this.#branch(shape, depth)));
  }

  /** Blocks one after the other, none of which changes the height and width of an image. Maybe none at all. */
  #branch(shape: Shape, depth: number): Block {
    const blocks: Block[] = [];
    let at = shape;
    for (let wanted = this.below(3); wanted > 0; wanted--) {
      const next = shape.length === 1 ? this.block(at, depth + 1) : this.#pointwise(at, depth + 1);
      try {
        at = outputShape(network(at, next));
        blocks.push(next);
      } catch (error) {
        if (!(error instanceof ShapeError)) throw error;
      }
    }
    return sequential(...blocks);
  }

  #pointwise(shape: Shape, depth: number): Block {
    switch (this.below(depth < deepest ? 5 : 4)) {
      case 0:
        return conv2d(this.units(), 1, { bias: this.#chance(70) });
      case 1:
        return sequential(conv2d(this.units(), 3, { padding: 1 }), relu());
      case 2:
        return relu();
      case 3:
        return dropout(0.2);
      default:
        return this.#concat(shape, depth);
    }
  }

  #linear(units: number): Block {
    return linear(units, { bias: this.#chance(80) });
  }

  #convolution(): Block {
    const kernel = [1 + this.below(3), 1 + this.below(3)] as const;
    return conv2d(this.units(), kernel, {
      stride: [1 + this.below(2), 1 + this.below(2)],
      padding: [this.below(kernel[0]), this.below(kernel[1])],
      bias: this.#chance(80),
    });
  }

  #pool(): Block {
    return maxPool2d(this.#one<Size2d>(1, 2, 2, [1, 2], 3), { stride: this.#one(1, 2) });
  }
}
