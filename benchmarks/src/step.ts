// Times one training step of the 784-2000-2000 MLP at batch 64 on one thread, against the published step in PyTorch.
//
//   npm run bench:step -- [--json] [--write] [--rounds 21] [--steps 4]
//
// stdout: a table, or with --json one object { machine, rounds, steps, rows }. --write keeps that object in
// results/step.json, and needs PyTorch.
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { cpuStatus, selectBackend, setThreads } from "@milliner/core";
import { startFmaPeak } from "./fma-peak.ts";
import { ourStep, stepFlops, type OurCase } from "./hat-step.ts";
import { interleave, quantile, ratioOf, type Candidate, type Cost } from "./interleave.ts";
import { currentLoad, describeMachine, type Machine } from "./machine.ts";
import { startPytorch, type PytorchCase } from "./pytorch.ts";

/** A comparison as it is published. Times are medians in milliseconds of CPU time per step unless they say wall. */
interface Row {
  readonly case: string;
  readonly threads: 1;
  readonly ours: number;
  readonly oursWall: number;
  readonly peerName: string | null;
  readonly peer: number | null;
  readonly peerWall: number | null;
  /** Our time over the peer's: the median over the rounds, its spread, and two that should agree with it. */
  readonly ratio: number | null;
  readonly ratioP10: number | null;
  readonly ratioP90: number | null;
  readonly ratioOfMinima: number | null;
  readonly ratioWall: number | null;
  /** How many times faster than the peer the step's operations alone would be, all at the FMA peak. */
  readonly limit: number | null;
  /** The share of that limit which is reached, 0..1. */
  readonly share: number | null;
  /** The largest ratio that is wanted. */
  readonly target: number | null;
  readonly met: boolean | null;
}

interface Comparison {
  readonly case: string;
  readonly ours: OurCase;
  readonly against: { readonly pytorch: PytorchCase } | { readonly ours: OurCase };
  readonly target: number | null;
}

/** Our HAT step must take at most this share of PyTorch's time. */
const target = 0.6;

const published = { gated: true, task: 0, flush: false } as const;
const hat = { kind: "hat", protected: false } as const;

const comparisons: readonly Comparison[] = [
  ...[1 / 400, 1, 20, 400].map((s) => ({
    case: `HAT step, first task, s = ${s === 1 / 400 ? "1/400" : s}`,
    ours: { ...hat, s },
    against: { pytorch: { ...published, s } },
    target,
  })),
  {
    case: "HAT step, first task, s = 20, PyTorch with denormals flushed",
    ours: { ...hat, s: 20 },
    against: { pytorch: { ...published, s: 20, flush: true } },
    target,
  },
  {
    case: "HAT step, second task, half of the units protected, s = 20",
    ours: { ...hat, protected: true, s: 20 },
    against: { pytorch: { ...published, task: 1, s: 20 } },
    target: null,
  },
  {
    case: "plain SGD step",
    ours: { kind: "sgd" },
    against: { pytorch: { gated: false, task: 0, s: 1, flush: false } },
    target: null,
  },
  {
    case: "our HAT step, first task, s = 20, over our plain SGD step",
    ours: { ...hat, s: 20 },
    against: { ours: { kind: "sgd" } },
    target: 1.05,
  },
];

const flags = readFlags();
const rounds = atLeastOne("rounds", flags.rounds);
const steps = atLeastOne("steps", flags.steps);

await main();

async function main(): Promise<void> {
  const status = cpuStatus();
  if (!status.available) return refuse(`nothing to measure: ${status.reason}`);
  const isa = { name: status.isa, reason: status.reason };
  const backend = selectBackend("cpu");
  setThreads(1);
  const loadAverage = currentLoad();
  const pytorch = await startPytorch();
  const peak = startFmaPeak(isa.name);
  if (typeof pytorch === "string") {
    if (flags.write) return refuse(`nothing to write: ${pytorch}`);
    note(pytorch);
  }
  if (peak === null) note("the loop that finds the FMA peak could not be compiled: no shares of the limit");

  const measured: { comparison: Comparison; peerName: string | null; costs: readonly (readonly Cost[])[] }[] =
    [];
  for (const comparison of comparisons) {
    const { against } = comparison;
    // Flushing is the peer's affair: without one it is a case that has been measured.
    if (typeof pytorch === "string" && "pytorch" in against && against.pytorch.flush) continue;
    note(comparison.case);
    const candidates: Candidate[] = [ourStep(backend, comparison.ours)];
    if ("ours" in against) candidates.push(ourStep(backend, against.ours));
    else if (typeof pytorch !== "string") candidates.push(await pytorch.prepare(against.pytorch));
    const costs = await interleave(candidates, { rounds, steps, beside: async () => peak?.sample() });
    measured.push({ comparison, peerName: candidates[1]?.name ?? null, costs });
  }

  const fmaPeakGflops = peak?.gflops ?? null;
  const peer = typeof pytorch === "string" ? null : pytorch.description;
  const machine = describeMachine(isa, { peer, fmaPeakGflops, loadAverage });
  const rows = measured.map(({ comparison, peerName, costs }) =>
    rowOf(comparison, peerName, costs, fmaPeakGflops),
  );
  peak?.close();
  if (typeof pytorch !== "string") pytorch.close();

  const json = `${JSON.stringify({ machine, rounds, steps, rows }, rounded, 2)}\n`;
  if (flags.write) {
    const results = new URL("../results/", import.meta.url);
    mkdirSync(results, { recursive: true });
    writeFileSync(new URL("step.json", results), json);
  }
  process.stdout.write(flags.json ? json : table(machine, rows));
}

function rowOf(
  comparison: Comparison,
  peerName: string | null,
  costs: readonly (readonly Cost[])[],
  fmaPeakGflops: number | null,
): Row {
  const [cpu, wall] = [costs.map((list) => list.map(cpuOf)), costs.map((list) => list.map(wallOf))];
  const [ours, peer] = [median(cpu[0]!), cpu[1] === undefined ? null : median(cpu[1])];
  const ratio = peer === null ? null : ratioOf(cpu[0]!, cpu[1]!);
  const least = fmaPeakGflops === null ? null : (stepFlops / fmaPeakGflops) * 1e-6;
  return {
    case: comparison.case,
    threads: 1,
    ours,
    oursWall: median(wall[0]!),
    peerName,
    peer,
    peerWall: wall[1] === undefined ? null : median(wall[1]),
    ratio: ratio?.median ?? null,
    ratioP10: ratio?.p10 ?? null,
    ratioP90: ratio?.p90 ?? null,
    ratioOfMinima: ratio?.ofMinima ?? null,
    ratioWall: peer === null ? null : ratioOf(wall[0]!, wall[1]!).median,
    limit: peer === null || least === null ? null : peer / least,
    share: least === null ? null : least / ours,
    target: comparison.target,
    met: ratio === null || comparison.target === null ? null : ratio.median <= comparison.target,
  };
}

function cpuOf(cost: Cost): number {
  return cost.cpuSeconds * 1e3;
}

function wallOf(cost: Cost): number {
  return cost.wallSeconds * 1e3;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function table(machine: Machine, rows: readonly Row[]): string {
  const number = (value: number | null, digits: number): string =>
    value === null ? "-" : value.toFixed(digits);
  const percent = (value: number | null): string => (value === null ? "-" : `${(100 * value).toFixed(0)} %`);
  const cells = rows.map((row) => [
    row.case,
    number(row.ours, 2),
    number(row.peer, 2),
    row.ratio === null
      ? "-"
      : `${number(row.ratio, 3)} (${number(row.ratioP10, 3)} to ${number(row.ratioP90, 3)})`,
    number(row.ratioWall, 3),
    row.limit === null ? "-" : `${number(row.limit, 2)}x`,
    percent(row.share),
    row.target === null ? "-" : `<= ${row.target}`,
    row.met === null ? "-" : row.met ? "met" : "MISSED",
    isNoisy(row) ? "noisy" : "",
  ]);
  const head = [
    "case",
    "ours ms",
    "peer ms",
    "ratio (p10 to p90)",
    "by wall",
    "limit",
    "share",
    "target",
    "",
    "",
  ];
  const widths = head.map((title, column) =>
    Math.max(...[head, ...cells].map((row) => row[column]!.length), title.length),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  const peak =
    machine.fmaPeakGflops === null ? "" : `, FMA peak ${machine.fmaPeakGflops.toFixed(1)} GFLOP/s a core`;
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.isa}${peak}, load ${machine.loadAverage.toFixed(2)}`,
    `Node ${machine.node}, ${rows[0]?.peerName ?? "no peer"}; one thread, ms of CPU time, ${rounds} rounds of ${steps} steps`,
    "",
    ...[head, ...cells].map(line),
    "",
  ].join("\n");
}

// The best times of both sides are what a quiet machine would show.
function isNoisy({ ratio, ratioOfMinima }: Row): boolean {
  return ratio !== null && ratioOfMinima !== null && Math.abs(ratioOfMinima / ratio - 1) > 0.05;
}

/** Four digits are more than any of these measurements has. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}

interface Flags {
  readonly json: boolean;
  readonly write: boolean;
  readonly rounds: string;
  readonly steps: string;
}

function readFlags(): Flags {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        rounds: { type: "string", default: "21" },
        steps: { type: "string", default: "4" },
      },
    });
    return values;
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(". ");
    return refuse(`${sentence}; take --json, --write, --rounds N and --steps N`);
  }
}

function atLeastOne(name: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 10_000) return value;
  return refuse(`--${name} takes a whole number from 1 to 10000, not "${text}"`);
}

function refuse(sentence: string): never {
  note(`${sentence}.`);
  process.exit(2);
}

function note(text: string): void {
  process.stderr.write(`bench:step: ${text}\n`);
}
