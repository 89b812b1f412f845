import type { Machine } from "./machine.ts";
import { isNoisy, type Bound, type Row, type Target } from "./row.ts";

/** Rows as text for people. */
export function table(machine: Machine, rows: readonly Row[], remark: string): string {
  const head = [
    "case",
    "threads",
    "ours",
    "peer",
    "best peer",
    "ratio (p10 to p90)",
    "limit",
    "share",
    "target",
    "",
    "",
  ];
  const cells = rows.map((row) => [
    row.case,
    String(row.threads),
    `${number(row.ours)} ${row.unit}`,
    number(row.peer),
    row.peerName ?? "-",
    `${number(row.ratio)}${row.ratioP10 === null ? "" : ` (${number(row.ratioP10)} to ${number(row.ratioP90)})`}`,
    number(row.limit),
    row.share === null ? "-" : percent(row.share),
    targetText(row.target),
    row.met === null ? "" : row.met ? "met" : "MISSED",
    isNoisy(row) ? "noisy" : "",
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...cells].map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  const peak =
    machine.fmaPeakGflops === null ? "" : `, FMA peak ${machine.fmaPeakGflops.toFixed(1)} GFLOP/s a core`;
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.isa}${peak}, load ${machine.loadAverage.toFixed(2)}`,
    `Node ${machine.node}; ${remark}; ratio: how many times ours the peer takes`,
    "",
    ...[head, ...cells].map(line),
    "",
  ].join("\n");
}

function targetText(target: Target | null): string {
  if (target === null) return "-";
  const texts = [
    ...(target.ratio === undefined ? [] : [boundText(target.ratio, number)]),
    ...(target.share === undefined ? [] : [`share ${boundText(target.share, percent)}`]),
  ];
  return texts.join(", ");
}

function boundText({ atLeast, atMost }: Bound, text: (value: number) => string): string {
  const texts = [
    ...(atLeast === undefined ? [] : [`>= ${text(atLeast)}`]),
    ...(atMost === undefined ? [] : [`<= ${text(atMost)}`]),
  ];
  return texts.join(" and ");
}

// Three digits, and no exponent.
function number(value: number | null): string {
  if (value === null) return "-";
  const digits = 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-3)));
  return value.toFixed(Math.min(Math.max(digits, 0), 4));
}

function percent(value: number): string {
  return `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
}
