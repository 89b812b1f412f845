import {
  Bits,
  networkWork,
  Plan,
  widened,
  widenedCount,
  type Locks,
  type Network,
  type NetworkWork,
  type Parameters,
  type TaskMasks,
  type Tape,
  type Tensor,
} from "@milliner/core";
import type { Compensation } from "./compensation.ts";
import type { Gates } from "./regulariser.ts";

/** What a step computes with: the whole model, or the part of it that is awake. */
export interface Part {
  readonly network: Network;
  readonly parameters: Parameters;
  readonly locks: Locks;
  readonly gates: ReadonlyMap<string, Tensor>;
  /** For dropout, see `TrainingDraws`; undefined for the whole model. */
  readonly numbers: ReadonlyMap<string, Uint32Array> | undefined;
}

/** The whole of what is trained. */
export interface WholeModel {
  readonly network: Network;
  readonly parameters: Parameters;
  readonly locks: Locks;
}

// What gathering a weight and writing it back costs, in multiply-adds of the products: 0.6 to 1.2 ns against 45 in a
// nanosecond (`npm run bench:kernels`, gather, Zen 4). It only decides when to plan anew, which changes no bit.
export const copyCost = 50;
// Forward, input gradient, weight gradient.
const products = 3;

/**
 * Units asleep: a gate left of the window, s e < -50, is 0 by definition, and so is the gradient of its embedding (`gate`,
 * `gateGradient`). Such a unit passes nothing on and learns nothing, so a step without it has the bits of the whole step. The
 * slope s grows within an epoch, and an embedding that is asleep does not move, so the units that are awake only get fewer:
 * they are gathered into a `Plan`, anew whenever the work on units that have fallen asleep since has cost as much as a new
 * plan would. (Never more than twice the cost of the best choice of moments, as with renting or buying skis.)
 *
 * Which moment that is changes no bit, as long as gathering changes none (`Backend.gatheringKeepsBits`); elsewhere no unit may
 * sleep, or bits would depend on where a run was resumed.
 *
 * While a plan is in use the whole parameters are out of date: `wake` before they are read.
 *
 * Source: hat.md 3.5; DESIGN section 3, exactness 2.
 */
export class Sleep {
  #plan: Plan | null = null;
  // Written again in every step: a new array of this size is an allocation outside the JavaScript heap.
  #open = new Map<string, Bits>();
  #wasted = 0;

  /**
   * What to compute this step with.
   * @param gates - of all units, for this step
   * @param rows - examples in the batch
   */
  awake(model: WholeModel, gates: Gates, rows: number, tape?: Tape): Part {
    const units = openUnits(gates, this.#open);
    if (this.#plan !== null && !covers(this.#plan.units, units)) this.wake();
    this.#replanWhereItPays(model, units, rows);
    const plan = this.#plan;
    if (plan === null) return { ...model, gates, numbers: undefined };
    const { network, parameters, locks, numbers } = plan;
    return { network, parameters, locks, numbers, gates: plan.gates(gates, tape) };
  }

  #replanWhereItPays(model: WholeModel, units: TaskMasks, rows: number): void {
    const { network, parameters, locks } = model;
    const now = networkWork(network, (space) => this.#plan?.units.get(space)?.count());
    const then = workOf(network, units);
    this.#wasted += products * rows * (now.multiplyAdds - then.multiplyAdds);
    if (this.#wasted <= copyCost * (then.weights + (this.#plan === null ? 0 : now.weights))) return;
    this.wake();
    this.#plan = new Plan(network, parameters, widened(units), locks);
  }

  /** Brings the whole parameters up to date and forgets the plan. Bits do not depend on when. */
  wake(): void {
    this.#plan?.writeBack();
    this.dispose();
  }

  /** Forgets the plan, with what was learned in it. */
  dispose(): void {
    this.#plan?.dispose();
    this.#plan = null;
    this.#open = new Map(); // the next plan may keep what has been in it
    this.#wasted = 0;
  }
}

/** Whether a gate of 0 goes with a gradient of 0 for its embedding: only then may its unit sleep. */
export function allowsSleep(compensation: Compensation): boolean {
  return compensation !== "straight";
}

/**
 * The units whose gate is not 0.
 * @param into - what an earlier call has returned for gates of the same spaces; it is written again
 */
export function openUnits(gates: Gates, into: Map<string, Bits> = new Map()): Map<string, Bits> {
  for (const [space, { data }] of gates) {
    let bits = into.get(space);
    if (bits?.length !== data.length) {
      bits = new Bits(data.length);
      into.set(space, bits);
    }
    markNonZero(data, bits.words);
  }
  return into;
}

// In every step over every gate: a loop over words, no call for a unit, and no branch, since nobody can predict which gates
// are 0.
function markNonZero(values: Float32Array, words: Uint32Array): void {
  for (let word = 0; word < words.length; word++) {
    const end = Math.min((word + 1) * 32, values.length);
    let ones = 0;
    for (let i = word * 32; i < end; i++) ones |= Number(values[i] !== 0) << (i & 31);
    words[word] = ones;
  }
}

/** Whether all of these units are planned. */
export function covers(planned: TaskMasks, units: TaskMasks): boolean {
  for (const [space, { words }] of units) {
    const has = planned.get(space)?.words;
    if (has === undefined) continue;
    for (let i = 0; i < words.length; i++) if ((words[i]! & ~has[i]!) !== 0) return false;
  }
  return true;
}

/** The work of a plan of these units, made as wide as it would be. */
export function workOf(network: Network, units: TaskMasks): NetworkWork {
  return networkWork(network, (space) => {
    const bits = units.get(space);
    return bits === undefined ? undefined : widenedCount(bits.count(), bits.length);
  });
}
