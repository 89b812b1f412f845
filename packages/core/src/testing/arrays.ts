// Elements before an output that nobody may write; 3 also makes its address one that no vector is aligned to.
const guard = 3;
// A signalling NaN: arithmetic makes it a quiet one, so even `w - 0 * g` shows.
const poison = 0x7fa0dead;

/** Numbers for tests, the same at each run: a linear congruential generator, so that nothing under test makes them. */
export class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * count);
  }

  /** A float32 in [-1, 1) with all its digits, of magnitude 2^-20 at least: no product or sum is ever subnormal. */
  next(): number {
    const magnitude = (this.below(2 ** 20 - 1) + 1) / 2 ** 20 + this.below(8) / 2 ** 24;
    return Math.fround(this.below(2) === 0 ? magnitude : -magnitude);
  }

  /** `count` of `next`. */
  floats(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => this.next());
  }

  /** Gates: about a third each of 0, of 1, and between. */
  gates(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => [0, 1, Math.abs(this.next())][this.below(3)]!);
  }

  /** Lock bits for rows x columns elements, about half of them 1; bits behind a row are 0. */
  locks(rows: number, columns: number): Uint32Array {
    const words = Math.ceil(columns / 32);
    const locks = new Uint32Array(rows * words);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const at = i * words + (j >> 5);
        if (this.below(2) === 1) locks[at] = locks[at]! | (1 << (j & 31));
      }
    }
    return locks;
  }
}

/** An output full of NaN, with more NaN around it: what the kernel does not write stays visible. */
export function poisoned(count: number): Float32Array {
  const words = new Uint32Array(count + 2 * guard).fill(poison);
  return new Float32Array(words.buffer, 4 * guard, count);
}

/** The same for integers: 0x7fa0dead is no index. */
export function poisonedIntegers(count: number): Int32Array {
  return new Int32Array(poisoned(count).buffer, 4 * guard, count);
}

/** Whether an element has never been written since `poisoned`. */
export function isPoison(array: Float32Array | Int32Array, at: number): boolean {
  return new Uint32Array(array.buffer, array.byteOffset, array.length)[at] === poison;
}

/** Whether everything around a `poisoned` array is as it was. */
export function isIntact(array: Float32Array | Int32Array): boolean {
  const words = new Uint32Array(array.buffer);
  return words.every((word, i) => (i >= guard && i < guard + array.length) || word === poison);
}
