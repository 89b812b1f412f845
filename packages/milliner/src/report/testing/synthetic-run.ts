import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What `writeSyntheticRun` makes up. */
export interface SyntheticRunOptions {
  readonly tasks?: number;
  readonly units?: number;
  readonly epochs?: number;
  /** Names of the tasks; "task 0" and so on where there are fewer. */
  readonly names?: readonly string[];
  /** Tasks that were learned before the run was killed; without it the run ended. */
  readonly killedAfter?: number;
}

/** Writes the run folder of a run that was never run, with every file that a report reads. For tests: its figures mean nothing. */
export async function writeSyntheticRun(folder: string, options: SyntheticRunOptions = {}): Promise<void> {
  const { tasks = 5, units = 400, epochs = 12, names = [], killedAfter } = options;
  const random = generator(7);
  const nameOf = (task: number): string => names[task] ?? `task ${task}`;
  const learners = [
    { learner: "hat", end: 0.985, loss: 0 },
    { learner: "random-body", end: 0.94, loss: 0 },
    { learner: "sgd", end: 0.99, loss: 0.045 },
  ];
  const lines: object[] = [];
  const figures = new Map<string, object>();
  for (const { learner, end, loss } of learners) {
    lines.push({ learner, type: "run-started", scenario: "split-imaginary", tasks, seed: 3 });
    const matrix: (number | null)[][] = [];
    const used = [new Set<number>(), new Set<number>()];
    const learned = learner === "hat" ? (killedAfter ?? tasks) : tasks;
    for (let task = 0; task < learned; task++) {
      lines.push({ learner, type: "task-started", task, name: nameOf(task), epochs });
      for (let epoch = 0; epoch < epochs; epoch++) {
        const left = Math.exp(-epoch / 4);
        lines.push({
          learner,
          type: "epoch-ended",
          task,
          epoch,
          epochs,
          lr: 0.05,
          trainLoss: 0.05 + 0.6 * left + 0.02 * random(),
          validationLoss: 0.09 + 0.5 * left + 0.03 * random(),
          validationAccuracy: Math.min(1, end - 0.1 * left + 0.008 * random()),
        });
      }
      if (learner === "hat") {
        const masks = used.map((before) => drawMask(units, before, tasks, random));
        const layers = used.map((before, i) => ({
          layer: `fc${i + 1}`,
          units,
          used: before.size / units,
          active: masks[i]!.on / units,
          locked: (before.size / units) ** 2,
        }));
        lines.push({
          learner,
          type: "masks",
          task,
          spaces: masks.map(({ bits }, i) => ({ space: `fc${i + 1}`, units, bits })),
        });
        lines.push({ learner, type: "capacity", task, layers });
      }
      const row = Array.from({ length: tasks }, (_, j) => {
        if (j > task + 1) return null;
        return j > task
          ? 0.3 + 0.4 * random()
          : Math.max(0.1, end + 0.01 * Math.sin(j * 5) - loss * (task - j));
      });
      matrix.push(row);
      lines.push({
        learner,
        type: "evaluated",
        afterTask: task,
        accuracies: row.slice(0, task + 1),
        bitExactOldLogits: learner === "hat" ? true : null,
      });
    }
    if (learner === "hat" && killedAfter !== undefined) break;
    const last = matrix.at(-1)! as number[];
    const acc = last.reduce((sum, value) => sum + value, 0) / tasks;
    figures.set(learner, {
      acc,
      bwt: -loss * 2,
      fwt: 0.012,
      forgetting: loss * 2,
      matrix,
      initial: last.map(() => 0.5),
      forgettingRatio: null,
      bitExactOldLogits: learner !== "sgd",
      lockedHash: learner === "hat" ? "5f".repeat(32) : null,
      lockedUnchanged: learner === "hat" ? true : null,
      tasks: last.map((_, task) => ({ name: nameOf(task), epochs, seconds: 8, notes: {} })),
      seconds: 74,
      warnings: learner === "sgd" ? ["the learning rate never fell"] : [],
    });
  }
  await mkdir(join(folder, "onnx"), { recursive: true });
  const events = lines.map((line, step) => JSON.stringify({ step, time: step / 10, ...line }));
  await writeFile(join(folder, "events.jsonl"), `${events.join("\n")}\n`);
  await writeFile(
    join(folder, "run.yaml"),
    "name: split-imaginary\nseed: 3\nwidth: 400\nc: 0.75\nrun:\n  device: cpu\n  versions:\n    milliner: 0.0.0\n",
  );
  if (killedAfter !== undefined) return;
  const { hat, ...controls } = Object.fromEntries(figures);
  const head = {
    format: "milliner-result",
    version: 1,
    scenario: "split-imaginary",
    learner: "hat",
    seed: 3,
    bitExactCheckedIn: "fresh-process",
  };
  await writeFile(join(folder, "result.json"), JSON.stringify({ ...head, ...hat, controls }));
  const models = Array.from({ length: tasks }, (_, task) => ({
    task,
    name: nameOf(task),
    file: `task-${task}.onnx`,
    bytes: 190_000 + 31_000 * task,
    denseBytes: 1_913_000,
    parameters: 47_000 + 7_700 * task,
    denseParameters: 478_410,
    input: "uint8 [batch, 28, 28, 1]",
    transform: ["permute", "normalise"],
    images: 2000,
    sameArgmax: 2000,
    ties: task === 1 ? 1 : 0,
    largestDifference: 3.1e-7 * (task + 1),
    sameBitsAsMasked: true,
    ok: true,
  }));
  const verification = { format: "milliner-verification", version: 1, runtime: "1.20.1", tasks: models };
  await writeFile(join(folder, "onnx", "verification.json"), JSON.stringify(verification));
}

function drawMask(
  units: number,
  before: Set<number>,
  tasks: number,
  random: () => number,
): { readonly bits: string; readonly on: number } {
  const bytes = Buffer.alloc(Math.ceil(units / 32) * 4);
  let on = 0;
  for (let unit = 0; unit < units; unit++) {
    if (random() >= (before.has(unit) ? 0.4 : 0.8 / tasks)) continue;
    bytes[unit >> 3]! |= 1 << (unit & 7);
    before.add(unit);
    on++;
  }
  return { bits: bytes.toString("base64"), on };
}

// Park and Miller's minimal standard generator: the same run every time.
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}
