import { median, rowOf, type Row, type Target } from "./row.ts";

/** A case as native/bench/comparisons.h prints it: seconds of each round. */
export interface KernelCase {
  readonly case: string;
  /** Operations that our kernel does. */
  readonly flops: number;
  readonly candidates: readonly { readonly name: string; readonly seconds: readonly number[] }[];
  readonly peaks: readonly number[];
  readonly reads: readonly number[];
}

const product: Target = { ratio: { atLeast: 0.95 }, share: { atLeast: 0.85 } };

/** What is wanted of each case, 1 and 2 threads alike. */
const targets: readonly (readonly [RegExp, Target])[] = [
  [/^forward 16x/, { ratio: { atLeast: 1.3 } }],
  [/^d[XW] 16x/, { ratio: { atLeast: 0.95 } }],
  [/^forward 1x/, { share: { atLeast: 0.85 } }],
  [/^masked forward .*density 1\b/, { ratio: { atLeast: 1 } }],
  [/^masked forward .*density 0.5/, { ratio: { atLeast: 4 } }],
  [/^masked forward .*density 0.25/, { ratio: { atLeast: 15 } }],
  [/^masked forward .*density 0.1/, { ratio: { atLeast: 55 } }],
  [/^dW .*protected, min$/, { ratio: { atLeast: 4 } }],
  [/^(forward|dX|dW) \d+x\d+x\d+$/, product],
];

const dense = [
  "forward 64x784x2000",
  "forward 64x2000x2000",
  "dX 64x2000x2000",
  "dW with SGD 64x784x2000",
  "dW with SGD 64x2000x2000",
] as const;

/** The products of one step of the MLP 784-2000-2000; nobody needs a gradient of the images. */
const steps: readonly {
  readonly name: string;
  readonly cases: readonly string[];
}[] = [
  {
    name: "sum of a step's five products, ours with SGD in them",
    cases: dense,
  },
  {
    name: "sum of a step's five products behind ReLU and dropout, 3/4 of x and dY zero",
    cases: [
      dense[0],
      `${dense[1]}, 3/4 of x zero`,
      ...dense.slice(2).map((product) => `${product}, 3/4 of dY zero`),
    ],
  },
];

/** Products whose time is that of their arithmetic. */
const computeBound = /^(forward|dX|dW) (64x2000|256|1024|2048)/;
const single = "ours on one thread";

/**
 * The rows of one run of native/bench.
 * @param showScaling - whether a second thread had a core of its own
 */
export function kernelRows(
  cases: readonly KernelCase[],
  threads: number,
  showScaling: boolean,
): readonly Row[] {
  const peak = Math.max(...cases.flatMap(({ peaks }) => peaks));
  const rows = cases.map((one) => {
    const ours = milliseconds(one, 0);
    // Read in turns with the product, so that the share is of what the memory gave in those moments.
    const read =
      one.reads.length === 0 ? null : median(one.reads.map((seconds, i) => (seconds * 1e3) / ours[i]!));
    return rowOf({
      case: one.case,
      threads,
      ours,
      peers: peersOf(one),
      least: read === null ? (one.flops / peak) * 1e3 : read * median(ours),
      target: targets.find(([pattern]) => pattern.test(one.case))?.[1] ?? null,
    });
  });
  return [
    ...rows,
    ...steps.flatMap((step) => stepRows(step, cases, threads, peak)),
    ...(showScaling ? scalingRows(cases, threads) : []),
  ];
}

// For each product the peer that is best at it, as if one could choose; ours with the update that theirs leave out.
function stepRows(
  step: (typeof steps)[number],
  cases: readonly KernelCase[],
  threads: number,
  peak: number,
): readonly Row[] {
  const parts = step.cases.flatMap((name) => cases.find((one) => one.case === name) ?? []);
  const best = parts.map((one) => peersOf(one).toSorted((a, b) => median(a.values) - median(b.values))[0]);
  if (parts.length < step.cases.length || best.some((peer) => peer === undefined)) return [];
  const rounds = Math.min(...parts.map(({ peaks }) => peaks.length));
  const sum = (lists: readonly (readonly number[])[]): readonly number[] =>
    Array.from({ length: rounds }, (_, round) => lists.reduce((total, list) => total + list[round]!, 0));
  return [
    rowOf({
      case: step.name,
      threads,
      ours: sum(parts.map((one) => milliseconds(one, 0))),
      peers: [{ name: "the best peer for each", values: sum(best.map((peer) => peer!.values)) }],
      least: (parts.reduce((total, { flops }) => total + flops, 0) / peak) * 1e3,
      target: { ratio: { atLeast: 1 } },
    }),
  ];
}

function scalingRows(cases: readonly KernelCase[], threads: number): readonly Row[] {
  return cases.flatMap((one) => {
    const index = one.candidates.findIndex(({ name }) => name === single);
    if (index < 0 || !computeBound.test(one.case) || one.case.includes(",")) return [];
    return rowOf({
      case: `${threads} threads over one, ${one.case}`,
      threads,
      ours: milliseconds(one, 0),
      peers: [{ name: single, values: milliseconds(one, index) }],
      least: null,
      target: threads === 2 ? { ratio: { atLeast: 1.85 } } : null,
    });
  });
}

function peersOf(one: KernelCase): { readonly name: string; readonly values: readonly number[] }[] {
  return one.candidates
    .map(({ name }, index) => ({ name, values: milliseconds(one, index) }))
    .slice(1)
    .filter(({ name }) => name !== single);
}

function milliseconds(one: KernelCase, candidate: number): readonly number[] {
  return one.candidates[candidate]!.seconds.map((seconds) => seconds * 1e3);
}
