// Trains a preset with several seeds by the command, and keeps its accuracy beside its controls.
//
//   npm run bench:accuracy -- PRESET --data FOLDER [--seeds 0..2] [--json] [--write]
//
// stdout: one object { machine, rows } with --json. --write puts the row into results/accuracy.json.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cpuStatus } from "@milliner/core";
import { currentLoad, describeMachine } from "./machine.ts";

/** Mean and standard deviation of ACC over the seeds, 0..1. */
interface Figures {
  readonly mean: number;
  /** Null of one seed alone. */
  readonly std: number | null;
}

/** One preset on one data set. */
interface Row {
  readonly case: string;
  readonly seeds: number;
  readonly tasks: number;
  /** By name, the method first. */
  readonly learners: Readonly<Record<string, Figures>>;
  /** Whether the logits of every earlier task kept their bits, for all seeds. */
  readonly bitExactOldLogits: boolean;
}

/** What `milliner train --seeds A..B --json` prints, as far as it is read here. */
interface SeedsJson {
  readonly seeds: readonly {
    readonly tasks: readonly string[];
    readonly bitExactOldLogits: boolean;
    readonly learner: string;
  }[];
  readonly mean: {
    readonly acc: number;
    readonly controls: Readonly<Record<string, { readonly acc: number }>>;
  };
  readonly std: {
    readonly acc: number | null;
    readonly controls: Readonly<Record<string, { readonly acc: number | null }>>;
  };
}

const results = fileURLToPath(new URL("../results/accuracy.json", import.meta.url));
const command = fileURLToPath(new URL("../bin/milliner.js", import.meta.resolve("milliner")));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: "string" },
    seeds: { type: "string", default: "0..2" },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const [preset] = positionals;
if (preset === undefined || values.data === undefined) {
  process.stderr.write("bench:accuracy needs a preset and --data FOLDER\n");
  process.exit(2);
}

const machine = describeMachine(isaOf(), { peer: null, fmaPeakGflops: null, loadAverage: currentLoad() });
const row = measure(preset, resolve(values.data), values.seeds);
if (values.json) process.stdout.write(`${JSON.stringify({ machine, rows: [row] }, null, 2)}\n`);
if (values.write) {
  const before: readonly Row[] = existsSync(results)
    ? (JSON.parse(readFileSync(results, "utf8")) as { readonly rows: readonly Row[] }).rows
    : [];
  const rows = [...before.filter((other) => other.case !== row.case), row];
  writeFileSync(results, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
}

function isaOf(): { readonly name: string; readonly reason: string } {
  const status = cpuStatus();
  return status.available
    ? { name: status.isa, reason: status.reason }
    : { name: "reference", reason: status.reason };
}

function measure(preset: string, data: string, seeds: string): Row {
  const out = mkdtempSync(join(tmpdir(), "milliner-accuracy-"));
  try {
    const { status, stdout } = spawnSync(
      process.execPath,
      [command, "train", preset, "--data", data, "--seeds", seeds, "--out", join(out, "runs"), "--json"],
      { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8", maxBuffer: 2 ** 28 },
    );
    if (status !== 0) process.exit(status ?? 1);
    const printed = JSON.parse(stdout) as SeedsJson;
    const [first] = printed.seeds;
    return {
      case: `${preset}, ${basename(data)}, ${first!.tasks.length} tasks`,
      seeds: printed.seeds.length,
      tasks: first!.tasks.length,
      learners: {
        [first!.learner]: { mean: printed.mean.acc, std: printed.std.acc },
        ...Object.fromEntries(
          Object.entries(printed.mean.controls).map(([name, { acc }]) => [
            name,
            { mean: acc, std: printed.std.controls[name]!.acc },
          ]),
        ),
      },
      bitExactOldLogits: printed.seeds.every((seed) => seed.bitExactOldLogits),
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
