/** A fixed number of bits in 32-bit words, least significant first. Masks of units and locks of elements are made of it. */
export class Bits {
  readonly length: number;
  readonly words: Uint32Array;

  /** All zero, or on `words` (not copied; bits behind `length` must be 0). */
  constructor(length: number, words: Uint32Array = new Uint32Array(Math.ceil(length / 32))) {
    if (words.length !== Math.ceil(length / 32))
      throw new RangeError(`${length} bits are not ${words.length} words`);
    this.length = length;
    this.words = words;
  }

  /** Bit i is `predicate(i)`. */
  static from(length: number, predicate: (index: number) => boolean): Bits {
    const bits = new Bits(length);
    for (let i = 0; i < length; i++) if (predicate(i)) bits.set(i, true);
    return bits;
  }

  /** All bits one. */
  static ones(length: number): Bits {
    return Bits.from(length, () => true);
  }

  get(index: number): boolean {
    return ((this.words[index >>> 5]! >>> (index & 31)) & 1) === 1;
  }

  set(index: number, value: boolean): void {
    const mask = 1 << (index & 31);
    const word = this.words[index >>> 5]!;
    this.words[index >>> 5] = value ? word | mask : word & ~mask;
  }

  /** How many bits are one. */
  count(): number {
    let total = 0;
    // By index: training counts in every step, and an iterator makes an object for each word.
    for (let i = 0; i < this.words.length; i++) {
      let word = this.words[i]!;
      word -= (word >>> 1) & 0x55555555;
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
      total += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
    }
    return total;
  }

  /** Positions of the ones, ascending. */
  indices(): Uint32Array {
    const out = new Uint32Array(this.count());
    let at = 0;
    for (let i = 0; i < this.length; i++) if (this.get(i)) out[at++] = i;
    return out;
  }

  /** A new set with the bits that are one here or in `other`, which has the same length. */
  or(other: Bits): Bits {
    if (other.length !== this.length) throw new RangeError(`or of ${this.length} and ${other.length} bits`);
    return new Bits(
      this.length,
      this.words.map((word, i) => word | other.words[i]!),
    );
  }

  /** As float32: 1 where a bit is one, else 0. */
  toFloats(): Float32Array {
    return Float32Array.from({ length: this.length }, (_, i) => (this.get(i) ? 1 : 0));
  }

  clone(): Bits {
    return new Bits(this.length, this.words.slice());
  }
}
