import { describe, expect, test } from "vitest";
import type { RunEvent } from "@milliner/continual";
import type { Output } from "../output.ts";
import type { TrainStart } from "../train.ts";
import { startProgress } from "./start.ts";

function recorder(isTerminal: boolean): { readonly output: Output; readonly notes: string[] } {
  const notes: string[] = [];
  const output: Output = {
    result: () => {
      throw new Error("progress printed a result");
    },
    note: (text) => void notes.push(text),
    isTerminal,
    columns: () => 60,
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
const events: readonly RunEvent[] = [
  { ...at, type: "run-started", scenario: "split-tiny", tasks: 2, seed: 0 },
  { ...at, type: "progress", task: 0, epoch: 0, epochs: 1, fraction: 0.5 },
  {
    ...at,
    type: "epoch-ended",
    task: 0,
    epoch: 0,
    epochs: 1,
    lr: 0.1,
    trainLoss: 0.5,
    validationLoss: 0.4,
    validationAccuracy: 0.9,
  },
  { ...at, type: "warning", message: "no free unit left" },
  { ...at, type: "evaluated", afterTask: 0, accuracies: [0.875], bitExactOldLogits: null },
  { ...at, type: "run-ended", acc: 0.875 },
];

function shown(isTerminal: boolean, isQuiet: boolean): string {
  const { output, notes } = recorder(isTerminal);
  const progress = startProgress(output, isQuiet);
  progress.start(begin);
  for (const event of events) progress.event(event);
  progress.warning("slow");
  progress.end();
  return notes.join("");
}

describe("progress", () => {
  test("is a line per event where there is no terminal, without control characters", () => {
    expect(shown(false, false)).toBe(
      [
        "runs/x: hat, sgd on cpu (avx2, 4 threads)",
        "hat begins with split-tiny: 2 tasks",
        "hat: task 0 (1 of 2), epoch 1 of 1: loss 0.5000, validation 90.00 %",
        "warning: hat: no free unit left",
        "hat: task 0 (1 of 2): accuracy 87.50 %",
        "hat ends with a mean accuracy of 87.50 %",
        "warning: slow\n",
      ].join("\n"),
    );
  });

  test("is a bar that is drawn over itself on a terminal, no wider than it", () => {
    const text = shown(true, false);

    expect(text).toContain("\rhat [######..................]  25 % task 0 (1/2) epoch 1/1");
    expect(text).toContain("\r\u001b[Kwarning: hat: no free unit left\n");
    for (const line of text.split(/[\r\n]/)) expect(line.replace("\u001b[K", "").length).toBeLessThan(60);
  });

  test("is silent when quiet, but for warnings", () => {
    expect(shown(false, true)).toBe("warning: slow\n");
    expect(shown(true, true)).toBe("warning: slow\n");
  });
});
