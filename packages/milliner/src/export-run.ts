import { join, resolve } from "node:path";
import {
  checkKeys,
  ConfigError,
  elements,
  forward,
  parameterSpecs,
  tensor,
  tidy,
  type OptionKeys,
  type CompactNetwork,
  type Network,
  type TransformStep,
} from "@milliner/core";
import {
  checkOutFolder,
  makeFolder,
  writeFileAtomically,
  type Scenario,
  type Split,
} from "@milliner/continual";
import { unsyncedWarning, type Dataset } from "@milliner/data";
import { prune } from "@milliner/hat";
import {
  exportedBytes,
  exportNetwork,
  inspectModel,
  loadOnnxRuntime,
  OnnxError,
  verifyModel,
  type OnnxRuntime,
  type VerificationBatch,
} from "@milliner/onnx";
import { checkImages, loadDataAgain, type DataOptions } from "./data-source.ts";
import type { DeviceOptions } from "./device.ts";
import { openRun, type LearnedRun } from "./learned-run.ts";
import { makeScenario, makeTransform } from "./model.ts";
import { processWarning } from "./output.ts";
import { readRunText } from "./run-text.ts";

/** What is exported, and how it is checked. */
export interface ExportRunOptions extends DataOptions, DeviceOptions {
  /** Which tasks. Default: all that were learned. */
  readonly tasks?: readonly number[];
  /** Folder of the models. Default: `onnx` in the run's. */
  readonly out?: string;
  /**
   * Whether each model is run on the whole test set of its task through onnxruntime and compared with core: where
   * onnxruntime-node is installed (`auto`, default), always or not at all.
   */
  readonly verify?: "auto" | "require" | "off";
  /** The images, where they were in memory. */
  readonly dataset?: Dataset;
  /** The folder of the images, where they are elsewhere by now. */
  readonly data?: string;
  readonly onTask?: (task: ExportedTask) => void;
  readonly onWarning?: (message: string) => void;
}

const exportRunKeys: OptionKeys<ExportRunOptions> = {
  tasks: true,
  out: true,
  verify: true,
  dataset: true,
  data: true,
  onTask: true,
  onWarning: true,
  offline: "switch",
  signal: true,
  onProgress: true,
  device: true,
  threads: true,
};

/** One exported model. Sizes are those of the model and of the unpruned network with the head of this task. */
export interface ExportedTask {
  readonly task: number;
  readonly name: string;
  /** Name of the file in the folder. */
  readonly file: string;
  readonly bytes: number;
  readonly denseBytes: number;
  readonly parameters: number;
  readonly denseParameters: number;
  /** What the model is given, such as `uint8 [batch, 28, 28, 1]`: the bytes of images, 0..255. */
  readonly input: string;
  /** What it does to them before the network, in order. */
  readonly transform: readonly TransformStep["kind"][];
  /** Test images that it was compared on; 0 where it was not. */
  readonly images: number;
  readonly sameArgmax: number | null;
  readonly ties: number | null;
  /** Largest difference of a logit, as a part of the largest logit; null where it was not compared. */
  readonly largestDifference: number | null;
  /** Share of the test images that the model itself gets right, from their bytes; null where it was not run. */
  readonly accuracy: number | null;
  /** The run's own, when the task had been learned. */
  readonly runAccuracy: number;
  /** Whether the pruned network gave the bits of the masked one for all of them; null where it was not compared. */
  readonly sameBitsAsMasked: boolean | null;
  /** Whether everything agreed; null where nothing was compared. */
  readonly ok: boolean | null;
  /**
   * What did not: the `logits` or classes of the model and the pruned network; the `bits` of the pruned and the masked one; the
   * `accuracy` of model and run, on the run's device and in float32, with ties let pass. Empty where nothing was compared.
   */
  readonly differs: readonly ("logits" | "bits" | "accuracy")[];
}

/** What came of an export. `verification.json` holds its tasks. */
export interface ExportedRun {
  readonly run: string;
  /** The folder of the models. */
  readonly folder: string;
  /** Version of onnxruntime-node; null where it did not run. */
  readonly runtime: string | null;
  readonly tasks: readonly ExportedTask[];
}

// Images a turn: large enough for the kernels, small enough for a large network's activations.
const batchSize = 250;

/**
 * Writes each task of a run as an ONNX file of its own, pruned to the units that the task uses, and `verification.json`.
 *
 * @throws CheckpointError, ConfigError (`TASK_UNKNOWN`, `OTHER_FILES`), DataError, NativeError as `openRun` and the data do; OnnxError
 *   (`RUNTIME_MISSING`) when the check is required and onnxruntime-node is not there
 */
export async function exportRun(run: string, options: ExportRunOptions = {}): Promise<ExportedRun> {
  checkKeys("exportRun", options, exportRunKeys);
  const warn = options.onWarning ?? processWarning;
  const place = resolve(run);
  const folder = resolve(options.out ?? join(place, "onnx"));
  const data = options.data === undefined ? null : resolve(options.data);
  if (options.out !== undefined) await checkModelFolder(folder);
  // Runtimes compute in float32 on the float32 weights, whatever the run computed in, and there pruned equals masked.
  const learned = await openRun(place, { ...options, precision: "float32" }, warn);
  try {
    const tasks = options.tasks ?? Array.from({ length: learned.tasks }, (_, task) => task);
    checkTasks(tasks, learned, run);
    const runtime = await runtimeFor(options.verify ?? "auto", warn);
    const scenario = runtime === null ? null : await scenarioOf(learned, data, options);
    const exported: ExportedTask[] = [];
    for (const task of tasks) {
      options.signal?.throwIfAborted();
      const one = await exportTask(learned, task, folder, scenario?.tasks[task]?.test ?? null, runtime);
      exported.push(one);
      options.onTask?.(one);
    }
    const result = { run: place, folder, runtime: runtime?.version ?? null, tasks: exported };
    const refused = await writeVerification(result);
    if (refused !== null) warn(unsyncedWarning(folder, refused));
    return result;
  } finally {
    learned.hat.dispose();
  }
}

async function checkModelFolder(folder: string): Promise<void> {
  const isOurs = (await earlierTasks(join(folder, verificationName))).length > 0;
  await checkOutFolder(folder, {
    what: "models",
    example: "models",
    isOwn: (name) => name === verificationName || /^task-\d+\.onnx$/.test(name),
    signs: isOurs ? [verificationName] : [],
  });
}

function checkTasks(tasks: readonly number[], { tasks: learned }: LearnedRun, run: string): void {
  const unknown = tasks.find((task) => task >= learned);
  if (unknown === undefined) return;
  const range = learned === 1 ? "task 0" : `tasks 0 to ${learned - 1}`;
  throw new ConfigError(
    "TASK_UNKNOWN",
    `${run} has learned ${range}, not task ${unknown}; choose one of them`,
  );
}

async function runtimeFor(
  verify: "auto" | "require" | "off",
  warn: (message: string) => void,
): Promise<OnnxRuntime | null> {
  if (verify === "off") return null;
  const found = await loadOnnxRuntime();
  if (!("missing" in found)) return found;
  if (verify === "require") throw new OnnxError("RUNTIME_MISSING", found.missing);
  warn(`models are not verified: ${found.missing}`);
  return null;
}

async function scenarioOf(
  { file }: LearnedRun,
  data: string | null,
  options: ExportRunOptions,
): Promise<Scenario> {
  const dataset =
    options.dataset === undefined
      ? await loadDataAgain(file, data, options)
      : checkImages(options.dataset, file.notes);
  return makeScenario(file.settings, dataset, file.notes.normalisation);
}

async function exportTask(
  learned: LearnedRun,
  task: number,
  folder: string,
  test: Split | null,
  runtime: OnnxRuntime | null,
): Promise<ExportedTask> {
  const { file, hat } = learned;
  const { name, classes } = file.notes.tasks[task]!;
  const { inputShape, normalisation } = file.notes;
  const transform = makeTransform(file.settings, inputShape, normalisation, task);
  const images = `${file.settings.scenario}-${file.notes.dataset}`;
  const form = { transform, classes, task: name, name: `${images} task ${task}` };
  const dense = hat.network(task);
  const pruned = prune(hat, task);
  try {
    const model = exportNetwork(pruned.network, pruned.parameters, form);
    const fileName = `task-${task}.onnx`;
    await makeFolder(folder);
    await writeFileAtomically(join(folder, fileName), model);
    return {
      task,
      name,
      file: fileName,
      bytes: model.length,
      denseBytes: exportedBytes(dense, form),
      parameters: countParameters(pruned.network),
      denseParameters: countParameters(dense),
      input: inputText(model, fileName),
      transform: transform.map(({ kind }) => kind),
      runAccuracy: learned.accuracies[task]!,
      ...(runtime === null || test === null
        ? notCompared
        : await compare(model, pruned, learned, task, test, runtime)),
    };
  } finally {
    for (const each of pruned.parameters.values()) each.dispose();
  }
}

function countParameters(network: Network): number {
  return parameterSpecs(network).reduce((sum, { shape }) => sum + elements(shape), 0);
}

type Comparison = Pick<
  ExportedTask,
  "images" | "sameArgmax" | "ties" | "largestDifference" | "accuracy" | "sameBitsAsMasked" | "ok" | "differs"
>;

const notCompared: Comparison = {
  images: 0,
  sameArgmax: null,
  ties: null,
  largestDifference: null,
  accuracy: null,
  sameBitsAsMasked: null,
  ok: null,
  differs: [],
};

/**
 * The model against the pruned network within a tolerance, that against the masked one, bit for bit, and what the model gets
 * right against what the run did.
 */
async function compare(
  model: Uint8Array,
  pruned: CompactNetwork,
  { file, hat, device, accuracies }: LearnedRun,
  task: number,
  test: Split,
  runtime: OnnxRuntime,
): Promise<Comparison> {
  const { backend, threads } = device;
  let sameBits = true;
  function* batches(): Generator<VerificationBatch> {
    for (let first = 0; first < test.size; first += batchSize) {
      const count = Math.min(batchSize, test.size - first);
      const shape = [count, ...test.shape];
      const positions = Array.from({ length: count }, (_, i) => first + i);
      const values = new Float32Array(elements(shape));
      test.read(positions, values);
      const logits = tidy(() => {
        const input = tensor(values, shape, { backend });
        const masked = hat.maskedLogits(task, input).toArray();
        const found = forward(pruned.network, pruned.parameters, input).toArray();
        sameBits &&= equalBits(masked, found);
        return found;
      });
      yield {
        images: bytesOf(test, positions, values.length),
        shape,
        logits,
        labels: test.labels.subarray(first, first + count),
      };
    }
  }
  const { ok, accuracy, ...found } = await verifyModel(model, batches(), { runtime, threads });
  // Elsewhere the run's own logits, and with them its accuracy, may differ by what two ways of computing differ.
  const isRunsWay = backend.name === file.notes.device && file.notes.precision === "float32";
  const moved = Math.round(Math.abs(accuracy! - accuracies[task]!) * found.images);
  const wrong = { logits: !ok, bits: !sameBits, accuracy: isRunsWay && moved > found.ties };
  const differs = (["logits", "bits", "accuracy"] as const).filter((what) => wrong[what]);
  return {
    images: found.images,
    sameArgmax: found.sameArgmax,
    ties: found.ties,
    largestDifference: found.largestDifference,
    accuracy,
    sameBitsAsMasked: sameBits,
    ok: differs.length === 0,
    differs,
  };
}

/** The model's input as the file itself says it. */
function inputText(model: Uint8Array, file: string): string {
  const [input] = inspectModel(model, file).inputs;
  return `${input!.dtype} [${input!.shape!.join(", ")}]`;
}

/** What whoever serves a model gives it: the bytes of an image file. */
function bytesOf(test: Split, positions: readonly number[], count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  test.readBytes!(positions, bytes); // a data set's splits have them
  return bytes;
}

function equalBits(a: Float32Array, b: Float32Array): boolean {
  const [x, y] = [a, b].map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  );
  return x!.equals(y!);
}

const verificationName = "verification.json";
const verificationFormat = "milliner-verification";

/** What is known of models that lie there from an earlier export, and are not replaced, stays. */
async function writeVerification({ folder, runtime, tasks }: ExportedRun): Promise<string | null> {
  const path = join(folder, verificationName);
  const replaced = new Set(tasks.map(({ task }) => task));
  const kept = (await earlierTasks(path)).filter(({ task }) => !replaced.has(task));
  const all = [...kept, ...tasks].toSorted((a, b) => a.task - b.task);
  const content = { format: verificationFormat, version: 1, runtime, tasks: all };
  return await writeFileAtomically(path, `${JSON.stringify(content, null, 1)}\n`);
}

async function earlierTasks(path: string): Promise<readonly ExportedTask[]> {
  try {
    const found: unknown = JSON.parse((await readRunText(path, verificationName)) ?? "null");
    const isObject = found !== null && typeof found === "object" && "format" in found && "tasks" in found;
    const isOurs = isObject && found.format === verificationFormat && Array.isArray(found.tasks);
    return isOurs ? (found.tasks as unknown[]).filter(isEntry) : [];
  } catch {
    return []; // none, or not ours: it is written anew
  }
}

function isEntry(value: unknown): value is ExportedTask {
  return value !== null && typeof value === "object" && "task" in value && Number.isSafeInteger(value.task);
}
