import { CheckpointError, ShapeError } from "../errors.ts";
import { keep } from "../memory.ts";
import { elements, sameShape, tensor, zeros, type Tensor } from "../tensor.ts";
import { isTypedArray } from "../typed-array.ts";
import type { OptimizerState, OptimizerStateArray } from "./optimizer.ts";

/** What an optimizer remembers of one parameter. */
export interface ParameterState {
  /** One tensor for each name of the optimizer's state, of the parameter's shape. */
  readonly tensors: readonly Tensor[];
  /** Steps taken. */
  steps: number;
  /** Nothing in `tensors` is larger; of a mean of squares, its root is not. */
  bound: number;
}

/** The state of all parameters of one optimizer, by name. It owns the tensors. */
export class ParameterStates {
  readonly #names: readonly string[];
  #states = new Map<string, ParameterState>();
  // Loaded, and not yet asked for: no backend is known before the first step.
  #loaded = new Map<string, { readonly arrays: readonly OptimizerStateArray[]; readonly steps: number }>();

  /** @param names - of the arrays that each parameter has; those that end in `_sq` are means of squares */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /**
   * The state of a parameter; zeros at first.
   * @throws ShapeError (`STATE_SHAPE`) when the parameter has changed its shape since
   */
  of(name: string, leaf: Tensor): ParameterState {
    const known = this.#states.get(name);
    const loaded = this.#loaded.get(name);
    const shape = known?.tensors[0]?.shape ?? loaded?.arrays[0]?.shape;
    if (shape !== undefined && !sameShape(shape, leaf.shape)) {
      throw new ShapeError(
        "STATE_SHAPE",
        `the optimizer remembers "${name}" with shape [${shape.join(", ")}], but it has [${leaf.shape.join(", ")}]; dispose() starts anew`,
      );
    }
    if (known !== undefined) return known;
    const { backend } = leaf;
    const tensors =
      loaded?.arrays.map(({ data }) => keep(tensor(data, leaf.shape, { backend }))) ??
      this.#names.map(() => keep(zeros(leaf.shape, { backend })));
    const state: ParameterState = {
      tensors,
      steps: loaded?.steps ?? 0,
      bound: loaded === undefined ? 0 : largest(this.#names, tensors),
    };
    this.#states.set(name, state);
    this.#loaded.delete(name);
    return state;
  }

  /** Measures the bound of a state anew. */
  measure(state: ParameterState): void {
    state.bound = largest(this.#names, state.tensors);
  }

  state(): OptimizerState {
    const steps: Record<string, number> = {};
    const arrays = new Map<string, OptimizerStateArray>();
    for (const [name, state] of this.#states) {
      steps[name] = state.steps;
      this.#names.forEach((array, i) => arrays.set(`${name}.${array}`, state.tensors[i]!));
    }
    for (const [name, state] of this.#loaded) {
      steps[name] = state.steps;
      this.#names.forEach((array, i) => arrays.set(`${name}.${array}`, state.arrays[i]!));
    }
    return { steps, arrays };
  }

  load(state: OptimizerState): void {
    const parameters = Object.entries(state.steps);
    if (parameters.length * this.#names.length !== state.arrays.size) {
      throw bad(
        `${state.arrays.size} arrays do not belong to ${parameters.length} parameters with ${this.#names.length} each (${this.#names.join(", ")})`,
      );
    }
    const loaded = new Map(
      parameters.map(([name, steps]) => {
        if (!Number.isSafeInteger(steps) || steps < 1) throw bad(`"${name}" has taken ${steps} steps`);
        const arrays = this.#names.map((array) => checked(state.arrays, name, array));
        return [name, { arrays, steps }];
      }),
    );
    this.dispose();
    this.#loaded = loaded;
  }

  dispose(): void {
    for (const { tensors } of this.#states.values()) for (const one of tensors) one.dispose();
    this.#states = new Map();
    this.#loaded = new Map();
  }
}

function largest(names: readonly string[], tensors: readonly Tensor[]): number {
  const norms = tensors.map((one, i) => {
    const norm = Math.sqrt(one.backend.kernels.sumSquares(one.data));
    return names[i]!.endsWith("_sq") ? Math.sqrt(norm) : norm;
  });
  return Math.max(0, ...norms);
}

function checked(
  arrays: ReadonlyMap<string, OptimizerStateArray>,
  parameter: string,
  name: string,
): OptimizerStateArray {
  const array = arrays.get(`${parameter}.${name}`);
  if (array === undefined) throw bad(`"${parameter}.${name}" is missing`);
  const { shape, data } = array;
  if (!isTypedArray(data, "Float32Array") || data.length !== elements(shape)) {
    throw bad(`"${parameter}.${name}" is not a float32 array of shape [${shape.join(", ")}]`);
  }
  const isMean = !name.endsWith("_sq");
  const wrong = data.findIndex((value) => !Number.isFinite(value) || !(isMean || value >= 0));
  if (wrong >= 0) throw bad(`element ${wrong} of "${parameter}.${name}" is ${data[wrong]}`);
  return { shape: [...shape], data: data.slice() };
}

function bad(what: string): CheckpointError {
  return new CheckpointError(
    "BAD_OPTIMIZER_STATE",
    `the optimizer's state does not fit: ${what}; take the checkpoint of a run with the same optimizer`,
  );
}
