import { shortened } from "@milliner/core";
import { InvalidArgumentError, Option, type Command } from "commander";
import { Failed } from "../exit-status.ts";
import { exportRun, type ExportedRun, type ExportedTask } from "../export-run.ts";
import { oneLine, type Output } from "../output.ts";
import { bytes, difference as logitDifference, percent, textTable } from "../table.ts";
import { untilInterrupted } from "./interruption.ts";
import { deviceOption, givenPath, threadsOption, type ComputeFlags } from "./options.ts";

interface ExportFlags extends ComputeFlags {
  readonly task?: readonly number[] | "all";
  readonly out?: string;
  readonly data?: string;
  readonly verify: "auto" | "require" | "off";
  readonly offline?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addExport(program: Command, output: Output): void {
  program
    .command("export")
    .description("write each task of a run as a small ONNX file, and check it against the network")
    .argument("<run>", "a run's folder", givenPath)
    .option("--task <n>", "one task, counted from 0, or all; default: all", taskOf)
    .option("--out <folder>", "where the files go; default: onnx/ in the run's folder", givenPath)
    .addOption(
      new Option("--verify <when>", "compare with onnxruntime on the whole test set")
        .choices(["auto", "require", "off"])
        .default("auto"),
    )
    .option("--data <folder>", "the images, where they are elsewhere by now", givenPath)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .option("--offline", "never use the network")
    .option("--json", "print one JSON object")
    .option("--quiet", "no progress")
    .action(async (run: string, flags: ExportFlags) => {
      const { task, json, quiet, ...rest } = flags;
      const note = quiet === true ? () => undefined : output.note;
      const exported = await untilInterrupted((signal) =>
        exportRun(run, {
          ...rest,
          ...(task === undefined || task === "all" ? {} : { tasks: task }),
          signal,
          onTask: ({ file }) => note(oneLine(file)),
          onWarning: (message) => output.note(oneLine(`warning: ${message}`)),
        }),
      );
      const wrong = exported.tasks.find(({ ok }) => ok === false);
      if (json === true) output.json(exported);
      else output.result(exportTable(exported));
      if (wrong !== undefined) {
        throw new Failed("EXPORT_DIFFERS", `${wrong.file}: ${difference(wrong)}; do not ship it`);
      }
    });
}

function difference({ differs, accuracy, runAccuracy }: ExportedTask): string {
  if (differs.includes("bits")) return "the pruned network has other bits than the masked one";
  if (differs.includes("logits")) return "it does not agree with the network that it was exported from";
  return (
    `it agrees with its network, but is right for ${percent(accuracy)} of the test images where the run says ` +
    `${percent(runAccuracy)}: are these the images of the run?`
  );
}

function taskOf(text: string): readonly number[] | "all" {
  if (text === "all") return text;
  if (/^\d{1,9}$/.test(text)) return [Number(text)];
  throw new InvalidArgumentError("It must be a whole number from 0 up, or all.");
}

function exportTable({ folder, tasks, runtime }: ExportedRun): string {
  const rows = tasks.map((task) => [
    `task ${task.task}: ${shortened(task.name)}`,
    task.file,
    bytes(task.bytes),
    `${((100 * task.bytes) / task.denseBytes).toFixed(1)} %`,
    task.images === 0 ? "-" : `${task.sameArgmax} of ${task.images}`,
    logitDifference(task.largestDifference) ?? "-",
    percent(task.accuracy),
    percent(task.runAccuracy),
    task.sameBitsAsMasked === null ? "-" : task.sameBitsAsMasked ? "yes" : "NO",
    task.ok === null ? "not checked" : task.ok ? "ok" : "FAILED",
  ]);
  const header = [
    "task",
    "file",
    "size",
    "of dense",
    "same class",
    "difference",
    "accuracy",
    "in the run",
    "pruned = masked",
    "",
  ];
  const checked =
    runtime === null
      ? "not compared with onnxruntime"
      : `compared with onnxruntime ${runtime}, from the bytes of the test images`;
  return `${textTable([header, ...rows])}\n${oneLine(`${folder}: ${checked}`)}`;
}
