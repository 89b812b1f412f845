import {
  forward,
  networkWork,
  parameterSpecs,
  Plan,
  widened,
  type Network,
  type Parameters,
  type TaskMasks,
  type Tensor,
} from "@milliner/core";
import type { Gates } from "./regulariser.ts";
import { copyCost, covers, openUnits, workOf } from "./sleep.ts";

/**
 * Evaluates a network under gates, batch after batch. Units whose gate is 0 are left out as soon as computing them has cost as
 * much as gathering the others would; the gathered part, a `Plan`, then serves every later batch. The bits are those of
 * `forward` with the gates, however often it has been asked: on a backend where gathering changes bits nothing is gathered.
 *
 * A plan is a copy of the parameters: it is dropped when one of them has been replaced or written since (`Tensor.version`), when
 * another network is evaluated, or when a unit is wanted that it has not. There is one at a time.
 */
export class TaskPlan {
  #plan: Plan | null = null;
  #network: Network | null = null;
  #versions: ReadonlyMap<Tensor, number> = new Map();
  #wasted = 0;

  /**
   * @param images - [n, ...network.inputShape]
   * @returns [n, classes]; runs inside the caller's `tidy`
   */
  logits(network: Network, parameters: Parameters, images: Tensor, gates: Gates): Tensor {
    if (!images.backend.gatheringKeepsBits) return forward(network, parameters, images, { gates });
    const units = openUnits(gates);
    if (!this.#isCurrent(network, parameters, units)) {
      this.dispose();
      this.#network = network;
      this.#versions = versionsOf(network, parameters);
    }
    if (this.#plan === null) {
      const [whole, part] = [networkWork(network), workOf(network, units)];
      this.#wasted += images.shape[0]! * (whole.multiplyAdds - part.multiplyAdds);
      if (this.#wasted <= copyCost * part.weights) return forward(network, parameters, images, { gates });
      this.#plan = new Plan(network, parameters, widened(units));
    }
    const plan = this.#plan;
    return forward(plan.network, plan.parameters, images, { gates: plan.gates(gates) });
  }

  #isCurrent(network: Network, parameters: Parameters, units: TaskMasks): boolean {
    if (network !== this.#network || (this.#plan !== null && !covers(this.#plan.units, units))) return false;
    const now = versionsOf(network, parameters);
    return [...now].every(([tensor, version]) => this.#versions.get(tensor) === version);
  }

  /** Frees the plan. */
  dispose(): void {
    this.#plan?.dispose();
    this.#plan = null;
    this.#network = null;
    this.#versions = new Map();
    this.#wasted = 0;
  }
}

function versionsOf(network: Network, parameters: Parameters): ReadonlyMap<Tensor, number> {
  return new Map(
    parameterSpecs(network).flatMap(({ name }) => {
      const tensor = parameters.get(name);
      return tensor === undefined ? [] : [[tensor, tensor.version]];
    }),
  );
}
