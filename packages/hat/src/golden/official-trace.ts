import { readFileSync } from "node:fs";

/** Arrays by the name of their parameter or layer. */
export type Values = Readonly<Record<string, readonly number[]>>;

/** What a step changes, as one task sees it. */
export interface State {
  readonly parameters: Values;
  readonly embeddings: Values;
}

/** One step, and all that was computed on the way. */
export interface Step {
  readonly sample: number;
  readonly rows: readonly number[];
  readonly clipNorm: number;
  readonly s: number;
  readonly gates: Values;
  readonly loss: number;
  readonly regulariser: number;
  readonly norm: number;
  readonly gradients: {
    readonly afterBackward: State;
    /** Of the conditioned parameters; none in the first task. */
    readonly afterConditioning?: Values;
    /** Of the embeddings. */
    readonly afterCompensation: Values;
    /** Only where the step was clipped. */
    readonly afterClipping?: State;
  };
  readonly after: State;
}

/** Steps of the published arithmetic, which official_trace.py took in PyTorch. */
export interface Trace {
  readonly options: {
    readonly lr: number;
    readonly sMax: number;
    readonly c: number;
    readonly embeddingClamp: number;
  };
  readonly inputs: number;
  readonly units: number;
  readonly classes: number;
  readonly samples: number;
  readonly images: readonly number[];
  readonly tasks: readonly {
    readonly before: Values;
    readonly labels: readonly number[];
    readonly initial: State;
    readonly steps: readonly Step[];
    readonly cumulative: Values;
  }[];
}

export const trace: Trace = JSON.parse(
  readFileSync(new URL("official-trace.json", import.meta.url), "utf8"),
) as Trace;

/** A recorded step with all that entered it. */
export interface Recorded {
  readonly name: string;
  readonly step: Step;
  readonly state: State;
  readonly before: ReadonlyMap<string, Float32Array>;
  readonly labels: Int32Array;
  readonly images: readonly number[];
}

export const recorded: readonly Recorded[] = trace.tasks.flatMap(({ before, labels, initial, steps }, task) =>
  steps.map((step, index) => ({
    name: `task ${task}, s = ${step.s.toPrecision(4)}`,
    step,
    state: index === 0 ? initial : steps[index - 1]!.after,
    before: floats(before),
    labels: Int32Array.from(step.rows, (row) => labels[row]!),
    images: step.rows.flatMap((row) => trace.images.slice(row * trace.inputs, (row + 1) * trace.inputs)),
  })),
);

/** As the kernels take them. */
export function floats(values: Values): ReadonlyMap<string, Float32Array> {
  return new Map(Object.entries(values).map(([name, data]) => [name, Float32Array.from(data)]));
}
