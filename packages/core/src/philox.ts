import { ConfigError } from "./errors.ts";

/**
 * Philox4x32-10: a counter-based generator (Salmon et al. 2011). A block of four words is a pure function of a 128-bit
 * counter and a 64-bit key, so any element can be drawn in any order on any thread, and there is no state to save.
 */

function multiplyHigh(a: number, b: number): number {
  // 32 x 32 -> upper 32 bits, by halves: doubles hold 53 bits.
  const [ah, al, bh, bl] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = ah * bl + Math.floor((al * bl) / 65536);
  const low = (middle & 0xffff) + al * bh;
  return (ah * bh + Math.floor(middle / 65536) + Math.floor(low / 65536)) >>> 0;
}

/** Writes the four words of one block to `out[at..at+3]`. */
export function philoxBlock(
  out: Uint32Array,
  at: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  seedLow: number,
  seedHigh: number,
): void {
  let [x0, x1, x2, x3, k0, k1] = [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0, seedLow >>> 0, seedHigh >>> 0];
  for (let round = 0; round < 10; round++) {
    const [h0, l0] = [multiplyHigh(0xd2511f53, x0), Math.imul(0xd2511f53, x0)];
    const [h1, l1] = [multiplyHigh(0xcd9e8d57, x2), Math.imul(0xcd9e8d57, x2)];
    x0 = (h1 ^ x1 ^ k0) >>> 0;
    x1 = l1 >>> 0;
    x2 = (h0 ^ x3 ^ k1) >>> 0;
    x3 = l0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[at] = x0;
  out[at + 1] = x1;
  out[at + 2] = x2;
  out[at + 3] = x3;
}

// FNV-1a: short, fixed, and good enough to keep a few dozen stream names apart.
function streamId(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

function checkWhole(name: string, value: number, greatest: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= greatest) return;
  throw new ConfigError("BAD_VALUE", `${name} must be a whole number from 0 to ${greatest}, not ${value}`);
}

/**
 * A named sequence of random numbers: words are counted by (seed, name, step, row, element), and nothing else decides them.
 * Whoever draws says which step it is; two draws with the same step give the same numbers.
 */
export class Stream {
  readonly #seedLow: number;
  readonly #seedHigh: number;
  readonly #id: number;

  /**
   * @param seed - whole number from 0 to 2^53 - 1
   * @param name - what the numbers are for, such as `dropout/fc1`
   * @throws ConfigError (`BAD_VALUE`) for another seed: half a number, NaN or a text would be the numbers of some other seed
   */
  constructor(seed: number, name: string) {
    checkWhole("seed", seed, Number.MAX_SAFE_INTEGER);
    this.#seedLow = (seed % 0x1_0000_0000) >>> 0;
    this.#seedHigh = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.#id = streamId(name);
  }

  /**
   * What kernels take to draw for themselves: [seedLow, seedHigh, stream, step].
   * @throws ConfigError (`BAD_VALUE`), as all of these, when `step` is not a whole number from 0 to 2^32 - 1
   */
  key(step: number): Uint32Array {
    checkWhole("step", step, 0xffff_ffff);
    // Not `of`, which is slow: training asks in every step, for every dropout.
    const key = new Uint32Array(4);
    key[0] = this.#seedLow;
    key[1] = this.#seedHigh;
    key[2] = this.#id;
    key[3] = step;
    return key;
  }

  /** `count` words of the given step and row. */
  words(count: number, step: number, row = 0): Uint32Array {
    checkWhole("step", step, 0xffff_ffff);
    checkWhole("row", row, 0xffff_ffff);
    const out = new Uint32Array(Math.ceil(count / 4) * 4);
    for (let i = 0; i < out.length; i += 4) {
      philoxBlock(out, i, i >>> 2, row, step, this.#id, this.#seedLow, this.#seedHigh);
    }
    return out.subarray(0, count);
  }

  /**
   * `count` float32 numbers, uniform from low up to high: 24 random bits each. Rounding may reach `high` itself.
   * @param out - where they go, at least `count` elements; default a new array
   */
  uniform(
    count: number,
    low: number,
    high: number,
    step = 0,
    out: Float32Array = new Float32Array(count),
  ): Float32Array {
    checkWhole("step", step, 0xffff_ffff);
    // Block by block: millions of weights need no second array of words.
    const block = new Uint32Array(4);
    for (let i = 0; i < count; i++) {
      if ((i & 3) === 0) philoxBlock(block, 0, i >>> 2, 0, step, this.#id, this.#seedLow, this.#seedHigh);
      out[i] = low + (high - low) * (block[i & 3]! >>> 8) * 2 ** -24;
    }
    return out;
  }

  /**
   * `count` float32 numbers from N(mean, deviation^2) by Box-Muller, two words a number. It runs on JavaScript's log and cos,
   * which are the same code on every platform that V8 runs on.
   */
  normal(count: number, mean: number, deviation: number, step = 0): Float32Array {
    const words = this.words(2 * count, step);
    return Float32Array.from({ length: count }, (_, i) => {
      const u = ((words[2 * i]! >>> 8) + 1) * 2 ** -24; // (0, 1]: log stays finite
      const v = (words[2 * i + 1]! >>> 8) * 2 ** -24;
      return mean + deviation * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
    });
  }

  /** A permutation of 0..count-1 by Fisher-Yates from the end. The draw is by multiplication: bias below count / 2^32. */
  permutation(count: number, step = 0): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    const words = this.words(count, step);
    for (let i = count - 1; i > 0; i--) {
      const j = multiplyHigh(words[i]!, i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}
