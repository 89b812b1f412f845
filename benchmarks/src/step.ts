// Times training steps of the published networks at batch 64 against the published step in PyTorch.
//
//   npm run bench:step -- [--json] [--write] [--threads N[,N]] [--rounds 21] [--steps 4] [--only CASE] [--tfjs FOLDER]
//
// stdout: a table, or with --json one object { machine, rounds, steps, rows }. --write keeps that object in
// results/step.json, and needs PyTorch. tfjs takes part when FOLDER (or MILLINER_TFJS) has it in its node_modules.
import { availableParallelism } from "node:os";
import { cpuStatus, selectBackend, setThreads, type Backend } from "@milliner/core";
import { Command } from "./command.ts";
import { startFmaPeak, type FmaPeak } from "./fma-peak.ts";
import { interleave, type Candidate, type Cost } from "./interleave.ts";
import { currentLoad, describeMachine } from "./machine.ts";
import { memoryCase, memoryRows } from "./memory.ts";
import { ourStep } from "./our-step.ts";
import { overheadCase, overheadRow } from "./overhead.ts";
import { Pytorch } from "./pytorch.ts";
import { resnetCase, resnetRow } from "./resnet-row.ts";
import { resultsText, writeResults } from "./results.ts";
import { rowOf, type Row } from "./row.ts";
import { stepCases, type StepCase } from "./step-cases.ts";
import { table } from "./table.ts";
import { startTfjs, type Tfjs } from "./tfjs.ts";

/** Who is here to be measured against, and the roof over all. */
interface Peers {
  readonly pytorch: Pytorch | null;
  readonly tfjs: Tfjs | null;
  readonly peak: FmaPeak | null;
}

const command = new Command("bench:step");
const flags = command.flags({
  json: { type: "boolean" },
  write: { type: "boolean" },
  threads: { type: "string" },
  rounds: { type: "string" },
  steps: { type: "string" },
  only: { type: "string" },
  tfjs: { type: "string" },
});
const rounds = command.count("rounds", flags.rounds, 21);
const steps = command.count("steps", flags.steps, 4);
if (flags.write && flags.only !== undefined) command.refuse("--write keeps all cases; leave --only out");

await main();

async function main(): Promise<void> {
  const status = cpuStatus();
  if (!status.available) return command.refuse(`nothing to measure: ${status.reason}`);
  const backend = selectBackend("cpu");
  const loadAverage = currentLoad();
  const peak = startFmaPeak(status.isa);
  if (peak === null)
    command.note("the loop that finds the FMA peak could not be compiled: no shares of the limit");
  const tfjs = await startTfjs(flags.tfjs ?? process.env["MILLINER_TFJS"]);
  if (typeof tfjs === "string") command.note(tfjs);

  const { reason } = status.bf16;
  const skipped = hasTiles()
    ? []
    : stepCases
        .filter(({ case: name, precision }) => precision === "bf16" && isWanted(name))
        .map(({ case: name }) => ({ case: name, reason }));
  for (const one of skipped) command.note(`SKIPPED ${one.case}, because ${one.reason}`);

  const rows: Row[] = [];
  let peer: unknown = null;
  for (const threads of command.threads(flags.threads, availableParallelism())) {
    setThreads(threads);
    const pytorch = await Pytorch.start(threads);
    if (typeof pytorch === "string") {
      if (flags.write) return command.refuse(`nothing to write: ${pytorch}`);
      command.note(pytorch);
    } else peer = pytorch.description;
    const peers = {
      pytorch: typeof pytorch === "string" ? null : pytorch,
      tfjs: typeof tfjs === "string" ? null : tfjs,
      peak,
    };
    rows.push(...(await measure(backend, threads, peers)));
    peers.pytorch?.close();
  }
  const fmaPeakGflops = peak === null || peak.gflops === 0 ? null : peak.gflops;
  peak?.close();
  if (typeof tfjs !== "string") tfjs.close();
  if (rows.length + skipped.length === 0) command.refuse(`there is no case with "${flags.only}" in its name`);

  const isa = { name: status.isa, reason: status.reason };
  const machine = describeMachine(isa, { peer, fmaPeakGflops, loadAverage });
  const results = { machine, rounds, steps, rows, skipped };
  if (flags.write) writeResults("step", results);
  const remark = `ms of CPU time with one thread, of wall time with more, ${rounds} rounds of ${steps} steps`;
  process.stdout.write(flags.json ? resultsText(results) : table(machine, rows, remark));
}

async function measure(backend: Backend, threads: number, peers: Peers): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const one of stepCases.filter(({ case: name }) => isWanted(name))) {
    if (one.precision === "bf16" && !hasTiles()) continue;
    const opponent = await opponentOf(one, backend, peers);
    // Flushing is the peer's affair, and tfjs's rows are about tfjs: without them these are cases that have been measured.
    if (opponent === null && (one.against.kind !== "pytorch" || one.against.state.flush)) continue;
    command.note(`${one.case}, ${threadsText(threads)}`);
    const ours = selectBackend("cpu", { precision: one.precision });
    const candidates = [ourStep(ours, one.ours), ...(opponent === null ? [] : [opponent])];
    const effort = one.effort ?? { rounds, steps };
    const costs = await interleave(candidates, {
      rounds: Math.min(rounds, effort.rounds),
      steps: Math.min(steps, effort.steps),
      warm: one.effort === undefined ? 5 : 2,
      beside: async () => peers.peak?.sample(),
    });
    const time = timeOf(threads);
    rows.push(
      rowOf({
        case: one.case,
        threads,
        ours: costs[0]!.map(time),
        peers: opponent === null ? [] : [{ name: opponent.name, values: costs[1]!.map(time) }],
        least:
          one.flops === null || peers.peak === null
            ? null
            : (one.flops / (peers.peak.gflops * threads)) * 1e-6,
        target: one.target,
      }),
    );
  }
  if (isWanted(resnetCase) && peers.pytorch !== null) {
    command.note(`${resnetCase}, ${threadsText(threads)}`);
    const peak = async (): Promise<number> => {
      await peers.peak?.sample();
      return peers.peak?.gflops ?? 0;
    };
    rows.push(
      await resnetRow(backend, { threads, rounds: Math.min(rounds, 5), time: timeOf(threads), peak }),
    );
  }
  if (isWanted(overheadCase)) {
    command.note(`${overheadCase}, ${threadsText(threads)}`);
    rows.push(overheadRow(backend, threads));
  }
  if (threads === 1 && isWanted(memoryCase)) {
    command.note(memoryCase);
    rows.push(...(await memoryRows()));
  }
  return rows;
}

async function opponentOf({ against }: StepCase, backend: Backend, peers: Peers): Promise<Candidate | null> {
  switch (against.kind) {
    case "ours":
      return { ...ourStep(backend, against.step), name: against.name };
    case "pytorch":
      return peers.pytorch === null ? null : peers.pytorch.candidate(against.state, against.s);
    case "tfjs":
      return peers.tfjs?.candidate ?? null;
    default:
      return against satisfies never;
  }
}

/** CPU time cannot be compared between numbers of threads, and only the wall clock sees what a second one brings. */
function timeOf(threads: number): (cost: Cost) => number {
  return ({ cpuSeconds, wallSeconds }) => (threads === 1 ? cpuSeconds : wallSeconds) * 1e3;
}

function hasTiles(): boolean {
  const status = cpuStatus();
  return status.available && status.bf16.tiles === "amx";
}

function isWanted(name: string): boolean {
  return flags.only === undefined || name.includes(flags.only);
}

function threadsText(threads: number): string {
  return threads === 1 ? "1 thread" : `${threads} threads`;
}
