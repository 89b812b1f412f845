import { describe, expect, test } from "vitest";
import type { RunEvent } from "@milliner/continual";
import type { Output } from "../output.ts";
import type { TrainStart } from "../train.ts";
import { lineProgress } from "./lines.ts";
import { startProgress } from "./start.ts";

function recorder(isTerminal: boolean, columns = 60): { readonly output: Output; readonly notes: string[] } {
  const notes: string[] = [];
  const output: Output = {
    result: () => {
      throw new Error("progress printed a result");
    },
    note: (text) => void notes.push(text),
    json: () => undefined,
    isTerminal,
    columns: () => columns,
  };
  return { output, notes };
}

const begin = {
  folder: "runs/x",
  tasks: 2,
  learners: ["hat", "sgd"],
  device: { backend: { name: "cpu", precision: "float32" }, isa: "avx2", threads: 4 },
} as unknown as TrainStart;
const at = { step: 0, time: 0, learner: "hat" };
const ended: RunEvent & { readonly type: "epoch-ended" } = {
  ...at,
  type: "epoch-ended",
  task: 0,
  epoch: 0,
  epochs: 1,
  lr: 0.1,
  trainLoss: 0.5,
  validationLoss: 0.4,
  validationAccuracy: 0.9,
};
const events: readonly RunEvent[] = [
  { ...at, type: "run-started", scenario: "split-tiny", tasks: 2, seed: 0 },
  { ...at, type: "task-started", task: 0, name: "a, b", epochs: 1 },
  { ...at, type: "progress", task: 0, epoch: 0, epochs: 1, fraction: 0.5 },
  ended,
  { ...at, type: "warning", message: "no free unit left" },
  { ...at, type: "task-ended", task: 0, seconds: 3, epochs: 1, notes: {} },
  { ...at, type: "evaluated", afterTask: 0, accuracies: [0.875], bitExactOldLogits: null },
  { ...at, type: "task-started", task: 1, name: "c, d", epochs: 1 },
  { ...at, type: "evaluated", afterTask: 1, accuracies: [0.875, 0.75], bitExactOldLogits: true },
  { ...at, type: "run-ended", acc: 0.8125 },
];

function shown(isTerminal: boolean, isQuiet: boolean, columns = 60, terminal = "xterm"): string {
  const { output, notes } = recorder(isTerminal, columns);
  const progress = startProgress(output, isQuiet, terminal);
  progress.start(begin);
  for (const event of events) progress.event(event);
  progress.warning("slow");
  progress.end();
  return notes.join("");
}

describe("progress", () => {
  test("is a line per task and per warning where there is no terminal, without control characters", () => {
    expect(shown(false, false)).toBe(
      [
        "runs/x: hat, sgd on cpu (avx2, 4 threads)",
        "warning: hat: no free unit left",
        "hat: task 0 (1 of 2) learned in 3.0 s and 1 epoch: accuracy 87.50 %",
        "hat: task 1 (2 of 2): accuracy 75.00 %, mean of 2 tasks 81.25 %",
        "warning: slow\n",
      ].join("\n"),
    );
  });

  test("is a line a minute within a long task", () => {
    const { output, notes } = recorder(false);
    let now = 0;
    const progress = lineProgress(output, () => now);
    progress.start(begin);
    notes.length = 0;

    for (let epoch = 0; epoch < 100; epoch++) {
      now += 2.5;
      progress.event({ ...at, type: "progress", task: 0, epoch, epochs: 200, fraction: 1 });
      progress.event({ ...ended, epoch, epochs: 200 });
    }

    expect(notes).toEqual([
      "hat: task 0 (1 of 2), epoch 24 of 200, validation 90.00 %, 15 min 40 s left at most\n",
      "hat: task 0 (1 of 2), epoch 48 of 200, validation 90.00 %, 14 min 40 s left at most\n",
      "hat: task 0 (1 of 2), epoch 72 of 200, validation 90.00 %, 13 min 40 s left at most\n",
      "hat: task 0 (1 of 2), epoch 96 of 200, validation 90.00 %, 12 min 40 s left at most\n",
    ]);
  });

  test("is a bar that is drawn over itself on a terminal, no wider than it", () => {
    const text = shown(true, false);

    expect(text).toContain("\rhat [######..................]  25 % task 0 (1/2) epoch 1/1");
    expect(text).toContain("\r\u001b[Kwarning: hat: no free unit left\n");
    const drawn = text.split(/[\r\n]/).filter((line) => line.includes("[#"));
    for (const line of drawn) expect(line.replace("\u001b[K", "").length).toBeLessThan(60);
  });

  test.each([1, 2, 10, 14, 20, 21, 35, 36, 37, 80])(
    "leaves the last of %i columns free, so that a line is drawn over itself, and says first how much is done",
    (columns) => {
      const drawn = shown(true, false, columns)
        .split(/[\r\n]/)
        .filter((line) => line.endsWith("\u001b[K") && line !== "\u001b[K");
      const lines = drawn.map((line) => line.replace("\u001b[K", ""));

      for (const line of lines) expect(line.length).toBeLessThan(columns);
      if (columns > 10) expect(lines[0]).toMatch(columns > 36 ? /^hat \[#+\.+\]  25 %/ : /^hat  25 %/);
    },
  );

  test("has lines and no control characters on a terminal that is dumb", () => {
    expect(shown(true, false, 60, "dumb")).toBe(shown(false, false));
  });

  test("is silent when quiet, but for warnings", () => {
    expect(shown(false, true)).toBe("warning: slow\n");
    expect(shown(true, true)).toBe("warning: slow\n");
  });
});
