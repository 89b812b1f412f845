// Times our products against OpenBLAS's and oneDNN's, on the same arrays in one process.
//
//   npm run bench:kernels -- [--json] [--write] [--threads N[,N]] [--rounds 21] [--only CASE]
//
// stdout: a table, or with --json one object { machine, rounds, rows }. --write keeps that object in
// results/kernels.json, and needs both peers. native/bench is the same without Node.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Command } from "./command.ts";
import { kernelRows, type KernelCase } from "./kernel-cases.ts";
import { currentLoad, describeMachine } from "./machine.ts";
import { resultsText, writeResults } from "./results.ts";
import type { Row } from "./row.ts";
import { table } from "./table.ts";

/** The first line that native/bench prints. */
interface Header {
  readonly isa: string;
  readonly peers: readonly string[];
  readonly missing: readonly string[];
}

// Beyond, a second thread has no core of its own, and its ratio says nothing.
const mostLoad = 0.5;

const program = fileURLToPath(new URL("../../native/build/milliner-bench", import.meta.url));
const command = new Command("bench:kernels");
const flags = command.flags({
  json: { type: "boolean" },
  write: { type: "boolean" },
  threads: { type: "string" },
  rounds: { type: "string" },
  only: { type: "string" },
});
const rounds = command.count("rounds", flags.rounds, 21);
const threadCounts = command.threads(flags.threads, availableParallelism());
if (flags.write && flags.only !== undefined) command.refuse("--write keeps all cases; leave --only out");

const loadAverage = currentLoad();
const isQuiet = loadAverage <= mostLoad;
if (!isQuiet && threadCounts.some((threads) => threads > 1))
  command.note(
    `the load average is ${loadAverage.toFixed(2)}, above ${mostLoad}: no row says what a second thread brings`,
  );

const rows: Row[] = [];
let [isa, peers, fmaPeakGflops] = ["", [] as readonly string[], null as number | null];
for (const threads of threadCounts) {
  const { header, cases } = await measure(threads);
  [isa, peers] = [header.isa, header.peers];
  const peak = Math.max(...cases.flatMap((one) => one.peaks)) / threads / 1e9;
  fmaPeakGflops = Math.max(fmaPeakGflops ?? 0, peak);
  if (header.missing.length > 0 && flags.write)
    command.refuse(`nothing to write: ${header.missing.join("; ")}`);
  rows.push(...kernelRows(cases, threads, isQuiet));
}

const reason = process.env["MILLINER_ISA"] === undefined ? "best that this machine runs" : "MILLINER_ISA";
const machine = describeMachine({ name: isa, reason }, { peer: peers, fmaPeakGflops, loadAverage });
const results = { machine, rounds, rows };
if (flags.write) writeResults("kernels", results);
process.stdout.write(
  flags.json
    ? resultsText(results)
    : table(machine, rows, `ms of CPU time with one thread, of wall time with more, ${rounds} rounds`),
);

/** Runs native/bench, which sets the peers' environment before it loads them. */
async function measure(threads: number): Promise<{ header: Header; cases: readonly KernelCase[] }> {
  const only = flags.only === undefined ? [] : ["--only", flags.only];
  const child = spawn(program, ["--peers", "--threads", `${threads}`, "--rounds", `${rounds}`, ...only], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<string | null>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (status) => resolve(status === 0 ? null : `it ended with status ${status}`));
  });
  let header: Header | undefined;
  const cases: KernelCase[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (header === undefined) {
      header = JSON.parse(line) as Header;
      for (const sentence of header.missing) command.note(sentence);
      continue;
    }
    const one = JSON.parse(line) as KernelCase;
    command.note(`${one.case}, ${threads === 1 ? "1 thread" : `${threads} threads`}`);
    cases.push(one);
  }
  const complaint = await ended;
  if (complaint !== null || header === undefined)
    return command.refuse(`native/bench did not finish: ${complaint ?? "it printed nothing"}`);
  if (cases.length === 0) return command.refuse(`there is no case with "${flags.only}" in its name`);
  return { header, cases };
}
