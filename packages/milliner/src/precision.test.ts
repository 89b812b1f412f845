import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuStatus, type Precision } from "@milliner/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tinyDataset, tinySettings } from "../test/tiny-dataset.ts";
import { exportRun } from "./export-run.ts";
import { readRunFile } from "./settings/run-file.ts";
import { train, type Trained } from "./train.ts";

// Read when the addon first needs it, and this file is a process of its own.
process.env["MILLINER_BF16"] = "emulated";
const hasKernels = cpuStatus().available;

const folder = mkdtempSync(join(tmpdir(), "milliner precision "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dataset = tinyDataset();
// So wide that float32 would gather what is open and awake.
const settings = { ...tinySettings, width: 192, c: 2, controls: [] };
const command = fileURLToPath(new URL("../bin/milliner.js", import.meta.url));

describe.runIf(hasKernels)("a run in bf16, on emulated tiles", () => {
  const run = join(folder, "bf16");
  const warnings: string[] = [];
  const options = { dataset, threads: 1, onWarning: (message: string) => void warnings.push(message) };
  let bf16: Trained, float32: Trained;
  beforeAll(async () => {
    float32 = await train({ ...options, settings, out: join(folder, "float32") });
    bf16 = await train({ ...options, settings: { ...settings, precision: "bf16" }, out: run });
  });

  // At a contrast of 30 in noise of 100 neither is at 100 %; a point of 3000 test images is 30 of them.
  test.each([0, 1])("is as accurate as one in float32 within half a point, seed %i", async (seed) => {
    const faint = tinyDataset({ contrast: 30, test: 3000 });
    const accuracy = async (precision: Precision): Promise<number> => {
      const out = join(folder, `faint-${precision}-${seed}`);
      const changes = { ...settings, c: 0.1, epochs: 8, seed, precision };
      return (await train({ ...options, dataset: faint, settings: changes, out })).result.acc;
    };

    const [wanted, found] = [await accuracy("float32"), await accuracy("bf16")];

    expect(wanted).toBeGreaterThan(0.9);
    expect(wanted).toBeLessThan(0.99);
    expect(Math.abs(found - wanted)).toBeLessThanOrEqual(0.005);
  });

  test("has other bits than one in float32, and keeps its old logits", () => {
    expect(bf16.result.lockedHash).not.toBe(float32.result.lockedHash);
    expect(bf16.result).toMatchObject({ bitExactOldLogits: true, lockedUnchanged: true, forgetting: 0 });
    expect(warnings).toEqual([]);
  });

  test("says what it was computed in, in run.yaml and in result.json", async () => {
    const stored = JSON.parse(readFileSync(join(run, "result.json"), "utf8")) as object;

    expect((await readRunFile(run)).notes).toMatchObject({ device: "cpu", precision: "bf16" });
    expect(stored).toMatchObject({ precision: "bf16" });
    expect((await readRunFile(join(folder, "float32"))).notes.precision).toBe("float32");
  });

  test("exports its float32 weights, pruned, and they agree with the masked network in float32", async () => {
    const { tasks } = await exportRun(run, { dataset, threads: 1, onWarning: options.onWarning });

    expect(tasks.map(({ ok, sameBitsAsMasked }) => [ok, sameBitsAsMasked])).toEqual([
      [true, true],
      [true, true],
      [true, true],
    ]);
  });

  test("is neither gone on with nor evaluated where bf16 is not, and one sentence says why", async () => {
    rmSync(join(run, "result.json")); // a run that is done is only printed again
    const elsewhere = (args: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
      spawnSync(process.execPath, [command, ...args], {
        env: { ...process.env, ...variables },
        encoding: "utf8",
      });

    const without = { MILLINER_BF16: "off" };
    const evaluated = elsewhere(["verify", run], without);
    const resumed = elsewhere(["train", "split-mnist", "--out", run, "--resume"], without);
    const onReference = elsewhere(["verify", run, "--device", "reference"]);

    expect([evaluated.status, resumed.status, onReference.status]).toEqual([2, 2, 2]);
    for (const { stderr } of [evaluated, resumed])
      expect(stderr).toMatch(/was trained in bf16.*MILLINER_BF16 is "off"/);
    expect(onReference.stderr).toContain("only the cpu kernels have it");
  });
});

test("where bf16 is not, float32 stands in with a warning, and the run is one in float32", async () => {
  const warnings: string[] = [];
  const out = join(folder, "stand-in");
  const options = {
    dataset,
    out,
    device: "reference",
    onWarning: (text: string) => void warnings.push(text),
  } as const;

  const { result } = await train({
    ...options,
    settings: { ...settings, tasks: 2, epochs: 1, precision: "bf16" },
  });

  expect(warnings).toEqual([expect.stringMatching(/computing in float32 and not in bf16, because/)]);
  expect(result.precision).toBe("float32");
  expect(await readRunFile(out)).toMatchObject({
    settings: { precision: "bf16" },
    notes: { precision: "float32" },
  });
});
