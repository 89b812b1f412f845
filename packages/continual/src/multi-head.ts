import {
  checkKeys,
  CheckpointError,
  concat,
  ConfigError,
  extend,
  initialise,
  keep,
  linear,
  network as build,
  outputShape,
  parameterSpecs,
  sameShape,
  Tensor,
  type Backend,
  type Block,
  type Initialiser,
  type Network,
  type OptionKeys,
  type Parameters,
  type ParameterSpec,
  type Shape,
} from "@milliner/core";
import type { CheckpointReader, CheckpointWriter } from "./learner.ts";
import { storedFloats } from "./stored-floats.ts";
import { isWhole } from "./whole-number.ts";

/** What a `MultiHead` is made of. */
export interface MultiHeadOptions {
  /** What all tasks share. Its output is [n, features]. */
  readonly body: Network;
  readonly backend: Backend;
  /** Initial values derive from it, each parameter from a stream of its own name. */
  readonly seed: number;
  /** Default `uniform-fan-in`. */
  readonly initialiser?: Initialiser;
}

/** All keys of `MultiHeadOptions`. */
export const multiHeadKeys: OptionKeys<MultiHeadOptions> = {
  body: true,
  backend: true,
  seed: true,
  initialiser: true,
};

/** What a checkpoint holds of heads, read and checked. */
export interface StoredHeads {
  /** The tasks that have a head, in the order in which they came. */
  readonly tasks: readonly number[];
  /** Shapes of all parameters, by name. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** Takes them in place of what is there. */
  take(): void;
}

function headOf(task: number, classes: number): Block {
  return linear(classes, { name: `heads.${task}` });
}

/**
 * A body that all tasks share and a linear head per task, called `heads.TASK`. Tasks come one at a time; their number is not
 * fixed. A parameter starts from the stream of its own name, so when a head is added decides no bit of any other.
 *
 * It owns its parameters until `dispose`.
 */
export class MultiHead {
  readonly body: Network;
  readonly #options: MultiHeadOptions;
  readonly #parameters: Map<string, Tensor>;
  readonly #classes = new Map<number, number>();
  readonly #networks = new Map<number, Network>();

  /** @throws ConfigError or ShapeError when no head fits the body, or one of its layers is called like a head */
  constructor(options: MultiHeadOptions) {
    checkKeys("MultiHead", options, multiHeadKeys);
    this.body = options.body;
    this.#options = options;
    // Both fail now and not when a task comes: a name that a head will have, and an output that no head fits.
    const taken = options.body.nodes.find(({ name }) => /^heads\.\d+$/.test(name));
    if (taken !== undefined) {
      throw new ConfigError(
        "BAD_NAME",
        `a layer of the body is called "${taken.name}", as a task's head is; give it another name`,
      );
    }
    extend(options.body, headOf(0, 1));
    this.#parameters = this.#initial(options.body);
  }

  #initial(network: Network): Map<string, Tensor> {
    const { backend, seed, initialiser } = this.#options;
    return initialise(network, {
      backend,
      seed,
      ...(initialiser === undefined ? {} : { scheme: initialiser }),
    });
  }

  /** The tasks that have a head, in the order in which they came. */
  get tasks(): readonly number[] {
    return [...this.#classes.keys()];
  }

  /** All parameters by name: the body's, then those of the heads. */
  get parameters(): ReadonlyMap<string, Tensor> {
    return this.#parameters;
  }

  /**
   * Gives a task its head.
   * @throws ConfigError (`TASK_EXISTS`) when it has one
   */
  addTask(task: number, classes: number): void {
    if (this.#classes.has(task)) throw new ConfigError("TASK_EXISTS", `task ${task} has a head already`);
    for (const [name, values] of this.#initial(this.head(task, classes))) this.#parameters.set(name, values);
    this.#networks.set(task, extend(this.body, headOf(task, classes)));
    this.#classes.set(task, classes);
  }

  /**
   * The body with the head of `task` behind it.
   * @throws ConfigError (`TASK_UNKNOWN`) when the task has no head
   */
  network(task: number): Network {
    this.classes(task);
    return this.#networks.get(task)!;
  }

  /** The body with the heads of all tasks side by side: logits [n, classes of all tasks], in the order of `tasks`. */
  allHeads(): Network {
    return extend(this.body, concat(...[...this.#classes].map(([task, classes]) => headOf(task, classes))));
  }

  /** A head alone, as a network that reads the body's output: for methods that train nothing else. */
  head(task: number, classes: number = this.classes(task)): Network {
    return build(outputShape(this.body), headOf(task, classes));
  }

  /**
   * How many classes a task has.
   * @throws ConfigError (`TASK_UNKNOWN`)
   */
  classes(task: number): number {
    const classes = this.#classes.get(task);
    if (classes === undefined) {
      const known = this.#classes.size === 0 ? "none yet" : this.tasks.join(", ");
      throw new ConfigError("TASK_UNKNOWN", `task ${task} has not been learned; known tasks: ${known}`);
    }
    return classes;
  }

  /**
   * What a task that has no head yet would begin with: a network and parameters, of which the caller owns the head's. Tasks
   * and parameters of this object stay as they are.
   */
  untrained(
    task: number,
    classes: number,
  ): { readonly network: Network; readonly parameters: Parameters; dispose(): void } {
    const head = this.#initial(this.head(task, classes));
    return {
      network: extend(this.body, headOf(task, classes)),
      parameters: new Map([...this.#parameters, ...head]),
      dispose: () => {
        for (const values of head.values()) values.dispose();
      },
    };
  }

  /** Parameters of the body and of one task's head: what training this task may touch. */
  parametersOf(task: number): ReadonlyMap<string, Tensor> {
    return this.#select(this.network(task));
  }

  /** Parameters of one task's head. */
  headParameters(task: number): ReadonlyMap<string, Tensor> {
    return this.#select(this.head(task));
  }

  /** Parameters of the body. */
  bodyParameters(): ReadonlyMap<string, Tensor> {
    return this.#select(this.body);
  }

  #select(network: Network): Map<string, Tensor> {
    return new Map(parameterSpecs(network).map(({ name }) => [name, this.#parameters.get(name)!]));
  }

  /** Writes the body's structure as `body`, the heads' sizes as `heads` and every parameter under `parameters/`. */
  save(into: CheckpointWriter): void {
    into.json("body", this.body);
    into.json("heads", [...this.#classes]);
    for (const [name, { shape, data }] of this.#parameters) into.array(`parameters/${name}`, shape, data);
  }

  /**
   * Takes the heads and all values of a checkpoint in place of its own. Nothing changes when it does not fit.
   * @throws CheckpointError when it was written for another body, or contradicts itself
   */
  load(from: CheckpointReader): void {
    this.read(from).take();
  }

  /**
   * Reads and checks all that `load` takes, and changes nothing: for learners that have more to read before they take any of it.
   * @throws CheckpointError as `load`
   */
  read(from: CheckpointReader): StoredHeads {
    if (JSON.stringify(from.json("body")) !== JSON.stringify(this.body)) {
      throw new CheckpointError(
        "DOES_NOT_FIT",
        "the checkpoint was written for a network with another body; build the same one",
      );
    }
    const heads = parseHeads(from.json("heads"));
    const specs = [
      ...parameterSpecs(this.body),
      ...heads.flatMap(([task, classes]) => parameterSpecs(this.head(task, classes))),
    ];
    const values = specs.map(({ name, shape }) => storedFloats(from, `parameters/${name}`, shape));
    return {
      tasks: heads.map(([task]) => task),
      shapes: new Map(specs.map(({ name, shape }) => [name, shape])),
      take: () => this.#take(heads, specs, values),
    };
  }

  #take(
    heads: readonly (readonly [task: number, classes: number])[],
    specs: readonly ParameterSpec[],
    values: readonly Float32Array[],
  ): void {
    for (const name of [...this.#parameters.keys()].filter(
      (name) => !specs.some((spec) => spec.name === name),
    )) {
      this.#parameters.get(name)!.dispose();
      this.#parameters.delete(name);
    }
    this.#classes.clear();
    this.#networks.clear();
    for (const [task, classes] of heads) {
      this.#classes.set(task, classes);
      this.#networks.set(task, extend(this.body, headOf(task, classes)));
    }
    specs.forEach(({ name, shape }, i) => {
      let parameter = this.#parameters.get(name);
      if (parameter === undefined || !sameShape(parameter.shape, shape)) {
        parameter?.dispose();
        parameter = keep(new Tensor(shape, { backend: this.#options.backend, requiresGrad: true }));
      }
      parameter.data.set(values[i]!);
      parameter.written();
      // Once more, so that the order is that of the checkpoint and not that of this object's history.
      this.#parameters.delete(name);
      this.#parameters.set(name, parameter);
    });
  }

  /** Frees all parameters. */
  dispose(): void {
    for (const parameter of this.#parameters.values()) parameter.dispose();
    this.#parameters.clear();
    this.#classes.clear();
    this.#networks.clear();
  }
}

function parseHeads(value: unknown): readonly (readonly [task: number, classes: number])[] {
  const heads = Array.isArray(value) ? (value as unknown[]) : [null];
  const parsed = heads.map((head) => {
    if (!Array.isArray(head) || head.length !== 2 || !isWhole(head[0], 0) || !isWhole(head[1], 1)) {
      throw new CheckpointError(
        "BAD_VALUE",
        `"heads" of the checkpoint is not a list of pairs [task, classes]`,
      );
    }
    return [head[0], head[1]] as const;
  });
  if (new Set(parsed.map(([task]) => task)).size !== parsed.length) {
    throw new CheckpointError("BAD_VALUE", `"heads" of the checkpoint names a task twice`);
  }
  return parsed;
}
