import type { OurCase } from "./our-step.ts";
import { batchSize, laterTaskFlops, mlpInputs, mlpUnits, publishedNetworks } from "./published-networks.ts";
import type { PytorchCase } from "./pytorch.ts";
import type { Target } from "./row.ts";

/** Who a step of ours is measured against. */
export type Opponent =
  | { readonly kind: "pytorch"; readonly state: PytorchCase; readonly s: number }
  | { readonly kind: "ours"; readonly step: OurCase; readonly name: string }
  | { readonly kind: "tfjs" };

/** One comparison of steps. */
export interface StepCase {
  readonly case: string;
  readonly ours: OurCase;
  readonly against: Opponent;
  /** Operations that the step needs; null where there is no such limit. */
  readonly flops: number | null;
  readonly target: Target | null;
  /** What ours is computed in, where that is not float32; the other side is. Skipped where the processor has no tiles. */
  readonly precision?: "bf16";
  /** For work that takes long: fewer steps in a round, and at most so many rounds. */
  readonly effort?: { readonly rounds: number; readonly steps: number };
}

const { mlp, alexnet } = publishedNetworks;

const mlpHat = { network: "mlp", kind: "hat", task: 0, density: 1 } as const;
const mlpSgd = { network: "mlp", kind: "sgd", task: 0, s: 1, density: 1 } as const;
const alexnetHat = { network: "alexnet", kind: "hat", task: 0, density: 1 } as const;
const published = { network: "mlp", gated: true, task: 0, flush: false } as const;

const limit = (share: number): Target => ({ share: { atLeast: share } });
/** Ours may take this many times what the other takes. */
const atMostTimes = (times: number): Target => ({ ratio: { atLeast: 1 / times } });
const slope = (s: number): string => (s === 1 / 400 ? "1/400" : `${s}`);

/** What `npm run bench:step` measures. */
export const stepCases: readonly StepCase[] = [
  ...[1 / 400, 1, 20, 400].map((s): StepCase => ({
    case: `HAT step, task 0, s = ${slope(s)}`,
    ours: { ...mlpHat, s },
    against: { kind: "pytorch", state: published, s },
    flops: mlp.flops,
    target: limit(0.85),
  })),
  {
    case: "HAT step, task 0, s = 20, PyTorch with denormals flushed",
    ours: { ...mlpHat, s: 20 },
    against: { kind: "pytorch", state: { ...published, flush: true }, s: 20 },
    flops: mlp.flops,
    target: limit(0.85),
  },
  {
    case: "HAT step, task 5, density 0.5, half of the active units protected",
    ours: { ...mlpHat, task: 5, s: 20, density: 0.5 },
    against: { kind: "pytorch", state: { ...published, task: 5 }, s: 20 },
    flops: laterTaskFlops,
    target: limit(0.75),
  },
  {
    case: "HAT step, task 5, every unit awake, half of them protected",
    ours: { ...mlpHat, task: 5, s: 20 },
    against: { kind: "pytorch", state: { ...published, task: 5 }, s: 20 },
    // The weight gradients of protected rows behind the images, and of a quarter of the second layer.
    flops: mlp.flops - 2 * batchSize * ((mlpInputs * mlpUnits) / 2 + mlpUnits ** 2 / 4),
    target: null,
  },
  {
    case: "plain SGD step",
    ours: mlpSgd,
    against: { kind: "pytorch", state: { ...published, gated: false }, s: 1 },
    flops: mlp.flops,
    target: null,
  },
  {
    case: "our HAT step over our plain SGD step, task 0, s = 20",
    ours: { ...mlpHat, s: 20 },
    against: { kind: "ours", step: mlpSgd, name: "our plain SGD step" },
    flops: null,
    target: atMostTimes(1.05),
  },
  {
    case: "our HAT step over our plain SGD step, task 5, every unit awake, half of them protected",
    ours: { ...mlpHat, task: 5, s: 20 },
    against: { kind: "ours", step: mlpSgd, name: "our plain SGD step" },
    flops: null,
    target: atMostTimes(0.95),
  },
  {
    case: "our HAT step, task 0, s = 1/400, over s = 400, every unit awake",
    ours: { ...mlpHat, s: 1 / 400 },
    against: { kind: "ours", step: { ...mlpHat, s: 400 }, name: "our HAT step, s = 400" },
    flops: null,
    target: { ratio: { atLeast: 1 / 1.05, atMost: 1.05 } },
  },
  ...(
    [
      ["HAT", { ...mlpHat, s: 20 }],
      ["plain SGD", mlpSgd],
    ] as const
  ).map(([name, step]): StepCase => ({
    case: `our ${name} step in bf16 over float32`,
    ours: step,
    against: { kind: "ours", step, name: `our ${name} step in float32` },
    flops: null,
    precision: "bf16",
    target: { ratio: { atLeast: 2.2 } },
  })),
  ...[1 / 400, 400].map((s): StepCase => ({
    case: `HAT AlexNet step, task 0, s = ${slope(s)}`,
    ours: { ...alexnetHat, s },
    against: { kind: "pytorch", state: { ...published, network: "alexnet" }, s },
    flops: alexnet.flops,
    target: limit(0.7),
    effort: { rounds: 15, steps: 1 },
  })),
  {
    case: "plain SGD step against tfjs",
    ours: mlpSgd,
    against: { kind: "tfjs" },
    flops: null,
    target: { ratio: { atLeast: 30 } },
    effort: { rounds: 7, steps: 1 },
  },
  {
    case: "HAT step, task 0, s = 20, against a plain SGD step of tfjs",
    ours: { ...mlpHat, s: 20 },
    against: { kind: "tfjs" },
    flops: null,
    target: { ratio: { atLeast: 30 } },
    effort: { rounds: 7, steps: 1 },
  },
];
