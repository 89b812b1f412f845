import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { ConfigError, elements, readSafetensors, shortened } from "@milliner/core";
import { errorCode, readBoundedFile, recogniseFile } from "@milliner/data";
import { inspectModel, type ModelSummary, type ValueSummary } from "@milliner/onnx";
import type { Command } from "commander";
import { counted } from "../counted.ts";
import { fastMode } from "../device.ts";
import { oneLine, type Output } from "../output.ts";
import { summariseRun, type RunSummary } from "../run-summary.ts";
import { settingsYaml } from "../settings/run-file.ts";
import { bytes, percent, textTable } from "../table.ts";
import { givenPath } from "./options.ts";

// What a reader of the whole file may take: ONNX itself ends at 2 GiB.
const largestBytes = 2 ** 31 - 1;

export function addInspect(program: Command, output: Output): void {
  program
    .command("inspect")
    .description("say what an ONNX file, a file of tensors (.safetensors) or a run's folder holds")
    .argument("<file>", "a file, or a run's folder", givenPath)
    .option("--json", "print one JSON object")
    .action(async (path: string, { json }: { readonly json?: boolean }) => {
      const found = await inspect(path);
      if (json === true) output.json(asJson(found));
      else output.result(inText(found));
    });
}

interface TensorFile {
  readonly kind: "tensors";
  readonly file: string;
  readonly bytes: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
}

type Found =
  | { readonly kind: "run"; readonly summary: RunSummary }
  | { readonly kind: "model"; readonly summary: ModelSummary }
  | TensorFile;

async function inspect(path: string): Promise<Found> {
  if (await isFolder(path)) return { kind: "run", summary: await summariseRun(path) };
  const content = await readBoundedFile(path, largestBytes);
  switch (kindOf(content, path)) {
    case "safetensors": {
      const { tensors } = readSafetensors(content, path);
      const list = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
      return { kind: "tensors", file: path, bytes: content.length, tensors: list };
    }
    case "onnx":
      return { kind: "model", summary: inspectModel(content, path) };
  }
}

/**
 * What is read here, by what a file holds; its name says so only where nobody knows the first bytes: they may be damaged.
 * @throws ConfigError (`UNSUPPORTED_FORMAT`) for anything else, with what it is
 */
function kindOf(content: Uint8Array, path: string): "safetensors" | "onnx" {
  const { kind, what, advice } = recogniseFile(content) ?? {};
  if (kind === "safetensors" || kind === "onnx") return kind;
  if (kind === undefined) return /\.safetensors$/i.test(path) ? "safetensors" : "onnx";
  throw new ConfigError(
    "UNSUPPORTED_FORMAT",
    `${path} is ${what}, not an ONNX model or a safetensors file; ${advice ?? "give one of those, or a run's folder"}`,
  );
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    const code = errorCode(cause) ?? "unknown error";
    const reason = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
    throw new ConfigError("FILE_MISSING", `${path} ${reason}; check the path`, { cause });
  }
}

function asJson(found: Found): object {
  if (found.kind !== "model") return found.kind === "run" ? { kind: "run", ...found.summary } : found;
  const { opsets, operations, metadata, ...summary } = found.summary;
  return {
    kind: "model",
    ...summary,
    opsets: Object.fromEntries(opsets),
    operations: Object.fromEntries(operations),
    metadata: Object.fromEntries(metadata),
  };
}

function inText(found: Found): string {
  switch (found.kind) {
    case "run":
      return runText(found.summary);
    case "model":
      return modelText(found.summary);
    case "tensors":
      return tensorsText(found);
    default:
      return found satisfies never;
  }
}

function runText(run: RunSummary): string {
  const { notes } = run;
  const acc = run.acc === null ? "" : `, mean accuracy ${percent(run.acc)}`;
  const state = run.isDone
    ? `done${acc}`
    : `${run.learned.length} of ${counted(notes.tasks.length, "task")} learned, not done`;
  const tasks = run.learned.map(({ name, accuracy, epochs }, task) => [
    `task ${task}: ${shortened(name)}`,
    percent(accuracy),
    counted(epochs, "epoch"),
  ]);
  return [
    oneLine(
      `${run.run}: ${run.name}, ${notes.learner} on ${notes.device}${notes.isa === null ? "" : ` (${[notes.isa, ...fastMode(notes.precision)].join(", ")})`}, ${state}`,
    ),
    "\n",
    textTable(tasks),
    tasks.length > 0 ? "\n" : "",
    run.bitExactOldLogits === null || (run.bitExactOldLogits && notes.tasks.length === 1)
      ? ""
      : `old logits bit-exact: ${run.bitExactOldLogits ? "yes" : run.lockedHash === null ? "no" : "NO"}\n`,
    run.lockedHash === null ? "" : `locked elements: sha256 ${run.lockedHash}\n`,
    oneLine(`newest checkpoint: ${run.checkpoint === null ? "none" : basename(run.checkpoint)}`),
    "\n",
    settingsYaml(run.settings),
  ].join("");
}

/** Names of ONNX are paths of modules: longer than those of tasks, and worth more than a table's even columns. */
const nameWidth = 120;

function modelText(model: ModelSummary): string {
  const shape = (value: ValueSummary): string =>
    `${shortened(value.name, nameWidth)}: ${value.dtype} [${value.shape?.map((size) => size ?? "?").join(", ") ?? "..."}]`;
  const operations = [...model.operations].map(([name, count]) => `${count} ${shortened(name, nameWidth)}`);
  const lines = [
    `${model.name}: ONNX, opset ${model.opset ?? "none"}, IR ${model.irVersion}, ${bytes(model.bytes)}`,
    `graph    ${model.graph}`,
    `input    ${model.inputs.map(shape).join("; ")}`,
    `output   ${model.outputs.map(shape).join("; ")}`,
    `nodes    ${model.nodes}: ${operations.join(", ")}`,
    `weights  ${model.parameters}${model.constants === 0 ? "" : `, and ${counted(model.constants, "number")} in Constant nodes`}`,
    ...[...model.metadata].map(([key, value]) => `${key} = ${value.slice(0, 500)}`),
  ];
  return lines.map(oneLine).join("") + externalText(model.externalData);
}

/** Where the weights are that lie in other files: nothing of a tensor says whether all of it is there. */
function externalText(tensors: ModelSummary["externalData"]): string {
  if (tensors.length === 0) return "";
  const rows = tensors.map(({ tensor, location, offset, length, insideFolder }) => [
    shortened(tensor, nameWidth) || "(no name)",
    shortened(location, nameWidth),
    `from ${offset}`,
    length === undefined ? "to its end" : counted(length, "byte"),
    insideFolder ? "" : "outside of the model's folder",
  ]);
  return `\nexternal data of ${counted(tensors.length, "tensor")}, not opened:\n\n${textTable(rows)}`;
}

function tensorsText({ file, tensors, bytes: size }: TensorFile): string {
  const rows = tensors.map(({ name, dtype, shape }) => [
    name,
    dtype,
    `[${shape.join(", ")}]`,
    `${elements(shape)}`,
  ]);
  return `${oneLine(`${file}: ${counted(tensors.length, "tensor")}, ${bytes(size)}`)}\n${textTable(rows)}`;
}
