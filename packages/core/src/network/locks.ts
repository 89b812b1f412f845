import { Bits } from "../bits.ts";
import { ShapeError } from "../errors.ts";
import { elements, type Shape } from "../tensor.ts";
import { edgeWidth, type ChannelSpaces, type EdgeUnits } from "./channel-spaces.ts";
import type { ParameterSpec } from "./parameters.ts";

/**
 * Which elements of one parameter are locked: a matrix of bits with a row per output unit. Rows begin at a word, as the
 * kernels want it.
 */
export class LockBits {
  readonly rows: number;
  readonly columns: number;
  readonly words: Uint32Array;

  constructor(shape: Shape) {
    this.rows = shape[0] ?? 1;
    this.columns = elements(shape.slice(1));
    this.words = new Uint32Array(this.rows * this.wordsPerRow);
  }

  get wordsPerRow(): number {
    return Math.ceil(this.columns / 32);
  }

  isLocked(row: number, column: number): boolean {
    return ((this.words[row * this.wordsPerRow + (column >>> 5)]! >>> (column & 31)) & 1) === 1;
  }

  /** Locks the columns that are one in `pattern`, in one row. */
  lockRow(row: number, pattern: Bits): void {
    const start = row * this.wordsPerRow;
    pattern.words.forEach((word, i) => {
      this.words[start + i]! |= word;
    });
  }

  /** How many elements are locked. */
  count(): number {
    return new Bits(this.words.length * 32, this.words).count();
  }
}

/**
 * The elements that no later training may write, by parameter name. A parameter without an entry is free. Methods fill it;
 * optimizers skip what is locked: not scaled by a zero, not decayed, not touched by momentum, but not written.
 */
export class Locks {
  readonly #parameters = new Map<string, LockBits>();

  get(parameter: string): LockBits | undefined {
    return this.#parameters.get(parameter);
  }

  set(parameter: string, bits: LockBits): void {
    this.#parameters.set(parameter, bits);
  }

  /** Names of the parameters that have locks, in the order in which they were set. */
  get names(): readonly string[] {
    return [...this.#parameters.keys()];
  }

  /** How many elements are locked in all. */
  count(): number {
    let total = 0;
    for (const bits of this.#parameters.values()) total += bits.count();
    return total;
  }
}

/** A bit for each element of an edge's last dimension: that of its unit. A space without bits counts as all ones. */
export function edgeBits(edge: EdgeUnits, bitsOf: (space: string) => Bits | undefined): Bits {
  const bits = new Bits(edgeWidth(edge));
  let at = 0;
  for (const { spaces, positions } of edge.pieces) {
    const parts = spaces.map(({ name, units }) => [bitsOf(name), units] as const);
    for (let position = 0; position < positions; position++) {
      for (const [part, units] of parts) {
        for (let i = 0; i < units; i++) bits.set(at + i, part === undefined || part.get(i));
        at += units;
      }
    }
  }
  return bits;
}

/** Which units the rows and the columns of a parameter belong to: column c of a weight belongs to element `c % edgeWidth(columns)` of the edge. */
export function parameterEdges(
  spec: ParameterSpec,
  spaces: ChannelSpaces,
): { readonly rows: EdgeUnits; readonly columns: EdgeUnits | undefined } {
  const rows = spaces.edge(spec.node.name);
  return { rows, columns: spec.role === "weight" ? spaces.edge(spec.node.inputs[0]!) : undefined };
}

/**
 * Repeats the bits of an edge over the columns of a weight: once for a linear layer, once per kernel position for a convolution.
 * @throws ShapeError (`SHAPE_MISMATCH`) when `columns` is no multiple of the edge's width
 */
export function columnPattern(
  edge: EdgeUnits,
  columns: number,
  bitsOf: (space: string) => Bits | undefined,
): Bits {
  const period = edgeBits(edge, bitsOf);
  if (columns % period.length !== 0)
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `a weight of ${columns} columns does not divide into edges of ${period.length} elements`,
    );
  return Bits.from(columns, (column) => period.get(column % period.length));
}
