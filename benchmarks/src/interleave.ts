/** What some work cost. CPU time is of the whole process: a library that quietly uses a second core is seen. */
export interface Cost {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

/** One side of a comparison. */
export interface Candidate {
  readonly name: string;
  /** Does its work `count` times and says what that cost together. */
  run(count: number): Promise<Cost>;
}

/** How a comparison is measured. */
export interface InterleaveOptions {
  /** Rounds, each of which runs every candidate once. */
  readonly rounds: number;
  /** Times that a candidate does its work in a round. */
  readonly steps: number;
  /** Times that it does so before the first round; default 5, enough for caches, lazy allocations and the compiler. */
  readonly warm?: number;
  /** Called between the rounds, for what is sampled beside them. */
  readonly beside?: () => Promise<void>;
}

/**
 * Measures candidates side by side, A B, B A, A B, ...: whatever else the machine does meets all of them alike, and what a
 * round gives is a ratio.
 *
 * @returns for each candidate the cost of one piece of work in every round
 */
export async function interleave(
  candidates: readonly Candidate[],
  options: InterleaveOptions,
): Promise<readonly (readonly Cost[])[]> {
  const { rounds, steps, warm = 5, beside } = options;
  const costs: Cost[][] = candidates.map(() => []);
  for (const candidate of candidates) await candidate.run(warm);
  for (let round = 0; round < rounds; round++) {
    await beside?.();
    for (let turn = 0; turn < candidates.length; turn++) {
      const index = (round + turn) % candidates.length;
      const { cpuSeconds, wallSeconds } = await candidates[index]!.run(steps);
      costs[index]!.push({ cpuSeconds: cpuSeconds / steps, wallSeconds: wallSeconds / steps });
    }
  }
  return costs;
}

/** The value below which the share `q` (0..1) of the values lies, by linear interpolation. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

/** Ratios round by round: median and spread, and the ratio of the two best times, which should agree with it. */
export interface Ratio {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
  readonly ofMinima: number;
}

/** `a / b`, paired by round. */
export function ratioOf(a: readonly number[], b: readonly number[]): Ratio {
  const ratios = a.map((value, round) => value / b[round]!);
  return {
    median: quantile(ratios, 0.5),
    p10: quantile(ratios, 0.1),
    p90: quantile(ratios, 0.9),
    ofMinima: Math.min(...a) / Math.min(...b),
  };
}
