import { quantile, ratioOf } from "./interleave.ts";

/** What is wanted of a figure. */
export interface Bound {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What is wanted of a row: all of it. */
export interface Target {
  readonly ratio?: Bound;
  readonly share?: Bound;
}

/** A comparison as it is published, one for each number of threads. `ours` and `peer` are medians. */
export interface Row {
  readonly case: string;
  readonly threads: number;
  /** Of `ours` and `peer`: milliseconds of CPU time with one thread, of wall time with more; or what the case says. */
  readonly unit: "ms" | "s" | "MiB";
  readonly ours: number;
  readonly peer: number | null;
  readonly peerName: string | null;
  /** How many times ours the peer takes: the median over the rounds, its spread, and one that should agree with it. */
  readonly ratio: number | null;
  readonly ratioP10: number | null;
  readonly ratioP90: number | null;
  readonly ratioOfMinima: number | null;
  /** The ratio that would be reached if the work took no longer than its limit. */
  readonly limit: number | null;
  /** The share of the limit that is reached, 0..1. */
  readonly share: number | null;
  readonly target: Target | null;
  readonly met: boolean | null;
}

/** One candidate's measurements, one of each round. */
export interface Measured {
  readonly name: string;
  readonly values: readonly number[];
}

/** What a row is made of. */
export interface Measurement {
  readonly case: string;
  readonly threads: number;
  readonly unit?: Row["unit"];
  readonly ours: readonly number[];
  /** All who were measured beside ours; the row is about the best. */
  readonly peers: readonly Measured[];
  /** The least that ours could be, in its unit; null when that is not known. */
  readonly least: number | null;
  readonly target: Target | null;
}

/** The row of one measurement. */
export function rowOf(measurement: Measurement): Row {
  const { ours, peers, least, target } = measurement;
  const best = peers.toSorted((a, b) => median(a.values) - median(b.values))[0];
  const ratio = best === undefined ? null : ratioOf(best.values, ours);
  const [time, peer] = [median(ours), best === undefined ? null : median(best.values)];
  const figures = { ratio: ratio?.median ?? null, share: least === null ? null : least / time };
  return {
    case: measurement.case,
    threads: measurement.threads,
    unit: measurement.unit ?? "ms",
    ours: time,
    peer,
    peerName: best?.name ?? null,
    ratio: figures.ratio,
    // Of one measurement there is no spread.
    ratioP10: ours.length > 1 ? (ratio?.p10 ?? null) : null,
    ratioP90: ours.length > 1 ? (ratio?.p90 ?? null) : null,
    ratioOfMinima: ours.length > 1 ? (ratio?.ofMinima ?? null) : null,
    limit: peer === null || least === null ? null : peer / least,
    share: figures.share,
    target,
    met: isMet(target, figures),
  };
}

/** Whether all that is wanted holds; null when nothing is, or when a figure is missing that could decide. */
export function isMet(
  target: Target | null,
  figures: { readonly ratio: number | null; readonly share: number | null },
): boolean | null {
  if (target === null) return null;
  const verdicts = (["ratio", "share"] as const).flatMap((name) => {
    const bound = target[name];
    if (bound === undefined) return [];
    const figure = figures[name];
    if (figure === null) return [null];
    const { atLeast = -Infinity, atMost = Infinity } = bound;
    return [atLeast <= figure && figure <= atMost];
  });
  if (verdicts.includes(false)) return false;
  return verdicts.includes(null) ? null : true;
}

/** Whether the best times of both sides, which are what a quiet machine would show, say something else than the medians. */
export function isNoisy({ ratio, ratioOfMinima }: Pick<Row, "ratio" | "ratioOfMinima">): boolean {
  return ratio !== null && ratioOfMinima !== null && Math.abs(ratioOfMinima / ratio - 1) > 0.05;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
