import type { Backend } from "@milliner/core";
import type { RunContext, Scenario, Task } from "@milliner/continual";
import { Hat } from "@milliner/hat";
import { slopeOf } from "./epoch-training.ts";
import type { Cost } from "./interleave.ts";
import { batchSize, imageMlp } from "./published-networks.ts";
import type { Pytorch } from "./pytorch.ts";
import { rowOf, type Row } from "./row.ts";

/** With what a run is measured. */
export interface WholeRunOptions {
  readonly backend: Backend;
  readonly threads: number;
  /** Of each task. */
  readonly epochs: number;
  readonly pytorch: Pytorch | null;
  readonly note: (text: string) => void;
}

const target = 5.5;
const [seed, lr] = [0, 0.05];
/** Steps of PyTorch that stand for all of a task's: so many times so many, each time after one that warms its caches. */
const [samples, stepsOfSample] = [16, 3];

/**
 * All tasks of a scenario, learned by `Hat` as a user would let it: with validation, hardening and protection, of which
 * PyTorch's time has nothing. That is the time of some of its steps, spread over ours, times the number of steps.
 */
export async function wholeRunRows(scenario: Scenario, options: WholeRunOptions): Promise<readonly Row[]> {
  const { backend, threads, epochs, pytorch, note } = options;
  const schedule = { epochs, batchSize, lr, lrFactor: 3, lrPatience: epochs, lrMin: 0 };
  const hat = new Hat({ body: imageMlp, backend, seed, schedule });
  const rows: Row[] = [];
  const [all, allPeer]: [number[], number[]] = [[], []];
  for (const task of scenario.tasks) {
    const steps = epochs * Math.ceil(task.train.size / batchSize);
    const { ours, peer } = await learn(hat, task, steps, options);
    all.push(ours);
    if (peer !== null) allPeer.push(peer);
    note(`task ${task.id}: ${ours.toFixed(1)} s${peer === null ? "" : `, PyTorch ${peer.toFixed(1)} s`}`);
    rows.push(rowFor(`whole run, task ${task.id}`, ours, peer, null));
  }
  hat.dispose();
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  rows.push(
    rowFor(
      `whole run, ${scenario.tasks.length} tasks of ${epochs} epochs`,
      sum(all),
      pytorch === null ? null : sum(allPeer),
      target,
    ),
  );
  return rows;

  function rowFor(name: string, ours: number, peer: number | null, atLeast: number | null): Row {
    const peerName = `${pytorch?.name}, from ${samples * stepsOfSample} of its steps a task`;
    return rowOf({
      case: name,
      threads,
      unit: "s",
      ours: [ours],
      peers: peer === null ? [] : [{ name: peerName, values: [peer] }],
      least: null,
      target: atLeast === null ? null : { ratio: { atLeast } },
    });
  }
}

/** Seconds of one task: of ours, and what PyTorch would take. */
async function learn(
  hat: Hat,
  task: Task,
  steps: number,
  { threads, pytorch }: WholeRunOptions,
): Promise<{ readonly ours: number; readonly peer: number | null }> {
  const secondsOf = ({ cpuSeconds, wallSeconds }: Cost): number => (threads === 1 ? cpuSeconds : wallSeconds);
  await pytorch?.prepare({ network: "mlp", gated: true, task: Math.min(task.id, 9), flush: false });
  await pytorch?.run([1, 1, 1]);
  let [sampled, peerSeconds, pausedWall, calls] = [0, 0, 0, 0];
  const every = Math.max(1, Math.floor(steps / samples));
  const context: RunContext = {
    seed,
    events: () => {},
    signal: new AbortController().signal,
    // Called between steps: the moment for some of PyTorch's.
    async pause() {
      if (pytorch === null || calls++ % every !== 0 || sampled >= samples) return;
      const start = performance.now();
      const s = slopeOf(sampled, samples);
      await pytorch.run([s]);
      peerSeconds += secondsOf(await pytorch.run(Array.from({ length: stepsOfSample }, () => s)));
      pausedWall += (performance.now() - start) / 1e3;
      sampled += 1;
    },
    async checkpoint() {},
  };
  const wall = performance.now();
  const cpu = process.cpuUsage();
  await hat.learn(task, context);
  const { user, system } = process.cpuUsage(cpu);
  const ours = secondsOf({
    // PyTorch is another process, whose CPU time is not ours.
    cpuSeconds: (user + system) * 1e-6,
    wallSeconds: (performance.now() - wall) / 1e3 - pausedWall,
  });
  return { ours, peer: sampled === 0 ? null : (peerSeconds / (sampled * stepsOfSample)) * steps };
}
