import type { Backend } from "../../backend/backend.ts";
import { poisoned } from "../arrays.ts";
import { check, checkSame } from "./check.ts";

type Arrays<Name extends string> = Readonly<Record<Name, Float32Array>>;

/**
 * Whether a number that is not finite must come out: "yes"; "no": the output has the bits that it has without; "maybe":
 * either is right.
 */
export type Reach = "yes" | "no" | "maybe";

/** "yes" where it is computed from the number, else "no". */
export function reached(isComputedFrom: boolean): Reach {
  return isComputedFrom ? "yes" : "no";
}

/** A call of a kernel with finite inputs, some of which are made NaN or infinite in turn. */
export interface Feeding<Input extends string, Output extends string> {
  readonly what: string;
  readonly inputs: Arrays<Input>;
  /** Lengths of the outputs. A name that is an input's too is an array that the kernel changes, and has none. */
  readonly outputs: Readonly<Partial<Record<Output, number>>>;
  readonly run: (arrays: Arrays<Input | Output>) => void;
  /** How element `at` of an input reaches element `to` of an output where it is `bad`. */
  readonly reach: (input: Input, at: number, output: Output, to: number, bad: number) => Reach;
}

// The first, the last, and one between.
function places(length: number): readonly number[] {
  return [...new Set([0, (length * 5) >> 3, length - 1])];
}

/** Throws unless each NaN and infinity comes out where it must, and nowhere else. */
export function checkFeeding<Input extends string, Output extends string>(
  backend: Backend,
  { what, inputs, outputs, run, reach }: Feeding<Input, Output>,
): void {
  const names = Object.keys(inputs) as Input[];
  const called = (given: Arrays<Input>): Arrays<Input | Output> => {
    const arrays: Record<string, Float32Array> = {};
    for (const name of names) arrays[name] = given[name].slice();
    for (const [name, length] of Object.entries(outputs)) arrays[name] = poisoned(length as number);
    run(arrays as Arrays<Input | Output>);
    return arrays as Arrays<Input | Output>;
  };
  const clean = called(inputs);
  const seen = Object.keys(clean).filter(
    (name) => name in outputs || !same(clean[name as Input], inputs[name as Input]),
  ) as Output[];
  for (const input of names) {
    for (const at of places(inputs[input].length)) {
      for (const bad of [NaN, Infinity, -Infinity]) {
        const fed = { ...inputs, [input]: inputs[input].map((value, i) => (i === at ? bad : value)) };

        const got = called(fed);

        for (const output of seen) {
          got[output].forEach((value, to) => {
            const how = reach(input, at, output, to, bad);
            const label = (): string =>
              `${backend.name}: ${what}, ${input}[${at}] = ${bad}: ${output}[${to}]`;
            if (how === "no") checkSame(value, clean[output][to]!, label);
            if (how === "yes")
              check(
                Number.isNaN(bad) ? Number.isNaN(value) : !Number.isFinite(value),
                () => `${label()} is ${value}: it has vanished`,
              );
          });
        }
      }
    }
  }
}

function same(a: Float32Array, b: Float32Array): boolean {
  return a.every((value, i) => Object.is(value, b[i]));
}
