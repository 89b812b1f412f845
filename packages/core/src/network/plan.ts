import type { Bits } from "../bits.ts";
import { ConfigError } from "../errors.ts";
import type { Tape } from "../tape.ts";
import { Tensor, zeros } from "../tensor.ts";
import { channelSpaces } from "./channel-spaces.ts";
import { gathered, networkPart, type NetworkPart } from "./compact.ts";
import { edgeBits, LockBits, Locks } from "./locks.ts";
import type { Network } from "./network.ts";
import type { Parameters } from "./parameters.ts";
import type { TaskMasks } from "./unit-masks.ts";

// Whole vectors of every instruction set, so that no product has a ragged edge.
const widthStep = 16;
// Rows of a weight this many floats apart, or a multiple, fall into few sets of a cache (kernels.md 2.2).
const crowdedStride = 256;

/** How many of `units` units `widened` takes where `needed` of them are wanted. */
export function widenedCount(needed: number, units: number): number {
  const width = Math.max(Math.ceil(needed / widthStep), 1) * widthStep;
  if (width % crowdedStride !== 0) return Math.min(width, units);
  // Half a step less where that is enough: a ragged edge costs less than another step of units.
  return Math.min(needed <= width - widthStep / 2 ? width - widthStep / 2 : width + widthStep, units);
}

/**
 * The units of some masks and a few more: a width that the kernels like. A unit more than is needed costs a little and changes
 * no bit, since its gate is 0.
 */
export function widened(masks: TaskMasks): TaskMasks {
  return new Map([...masks].map(([space, bits]) => [space, widenedBits(bits)]));
}

function widenedBits(bits: Bits): Bits {
  const result = bits.clone();
  let missing = widenedCount(bits.count(), bits.length) - bits.count();
  for (let unit = 0; missing > 0; unit++) {
    if (result.get(unit)) continue;
    result.set(unit, true);
    missing -= 1;
  }
  return result;
}

/**
 * A part of a network, gathered into dense matrices of its own: what is computed with while all other units are gated to 0.
 * Evaluating it, or training it and writing it back, gives the bits of the whole network, since a chain is not changed by
 * terms that are exactly zero, and a unit behind a gate of 0 gets no gradient.
 *
 * A plan is a copy of the parameters. Whoever holds one drops it when they change elsewhere, and writes it back before they
 * are read. It is never saved.
 */
export class Plan {
  readonly network: Network;
  /** The part's own parameters, by the names of the whole ones. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Locks of the part's elements. */
  readonly locks: Locks;
  /** The units that it has, by channel space. A space without an entry is whole. */
  readonly units: TaskMasks;
  /** Numbers of the units in the full layers, by dropout node: for `forward`. */
  readonly numbers: ReadonlyMap<string, Uint32Array>;
  readonly #whole: Parameters;
  readonly #part: NetworkPart;
  readonly #indices: ReadonlyMap<string, Uint32Array>;

  /**
   * @param units - bits per channel space; a space without an entry stays whole. `widened` makes them fast
   * @param locks - of the whole parameters
   * @throws ConfigError when a mask has another width, or leaves a space without units
   */
  constructor(network: Network, parameters: Parameters, units: TaskMasks, locks: Locks = new Locks()) {
    this.#whole = parameters;
    this.#part = networkPart(network, units);
    this.network = this.#part.network;
    this.units = units;
    this.#indices = new Map([...units].map(([space, bits]) => [space, bits.indices()]));
    this.numbers = dropoutNumbers(network, units);
    this.locks = gatheredLocks(this.#part, parameters, locks);
    this.parameters = new Map(this.#part.parameters.map((one) => [one.name, gathered(one, parameters)]));
  }

  /**
   * The gates of the part's units, by channel space; gradients go back to the whole gates.
   * @param gates - of all units, shape [units]
   */
  gates(gates: ReadonlyMap<string, Tensor>, tape?: Tape): Map<string, Tensor> {
    return new Map(
      [...gates].map(([space, gate]) => {
        const indices = this.#indices.get(space);
        return [space, indices === undefined ? gate : selected(gate, indices, tape)];
      }),
    );
  }

  /** Copies what is not locked back into the whole parameters. */
  writeBack(): void {
    for (const { name, rows, columns, wholeRows, wholeColumns } of this.#part.parameters) {
      const [from, to] = [this.parameters.get(name)!, this.#whole.get(name)!];
      const locks = this.locks.get(name)?.words ?? null;
      const { kernels } = to.backend;
      kernels.scatterMatrix(from.data, locks, to.data, rows, columns, wholeRows, wholeColumns);
      to.written();
    }
  }

  /** Frees the part's parameters; the whole ones stay as they are. */
  dispose(): void {
    for (const one of this.parameters.values()) one.dispose();
  }
}

function dropoutNumbers(network: Network, units: TaskMasks): Map<string, Uint32Array> {
  const spaces = channelSpaces(network);
  return new Map(
    network.nodes
      .filter(({ layer }) => layer.kind === "dropout")
      .map(({ name }) => [name, edgeBits(spaces.edge(name), (space) => units.get(space)).indices()]),
  );
}

function gatheredLocks(part: NetworkPart, parameters: Parameters, locks: Locks): Locks {
  const result = new Locks();
  for (const { name, rows, columns, wholeRows, wholeColumns, shape } of part.parameters) {
    const whole = locks.get(name);
    if (whole === undefined) continue;
    const bits = new LockBits(shape);
    const { kernels } = parameters.get(name)!.backend;
    kernels.gatherBits(whole.words, bits.words, rows, columns, wholeRows, wholeColumns);
    result.set(name, bits);
  }
  return result;
}

const firstRow = Uint32Array.of(0);

function selected(values: Tensor, indices: Uint32Array, tape: Tape | undefined): Tensor {
  const count = values.data.length;
  const last = indices.at(-1);
  if (last !== undefined && last >= count)
    throw new ConfigError("BAD_MASK", `a gate of ${count} units has no unit ${last}`);
  const { backend } = values;
  const part = new Tensor([indices.length], { backend });
  backend.kernels.gatherMatrix(values.data, part.data, firstRow, indices, 1, count);
  tape?.record("select", [values], part, (dy, sink) => {
    const gradient = zeros([count], { backend });
    backend.kernels.scatterMatrix(dy.data, null, gradient.data, firstRow, indices, 1, count);
    sink.add(values, gradient);
  });
  return part;
}
