// What the first demo computed is computed for ever: float32 results of a run do not change with a release, whatever becomes of
// the presets and of the demo itself. Made by
//
//   npx milliner train test/golden/first-demo.yaml --data .cache/digits
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cpuStatus } from "@milliner/core";
import { digitsFolder } from "../examples/demo/src/digits.ts";
import { root } from "../scripts/workspace.mjs";
import { runCommand, transcript } from "./command.ts";

const scratch = mkdtempSync(join(tmpdir(), "milliner-first-demo-"));
afterAll(() => rmSync(scratch, { recursive: true }));

// The portable kernels give these bits too, and take minutes for it where they have to do without a fused multiply-add: they
// are asked where nothing else computes. The reference backend computes in double: it promises a bound, and not these bits.
const status = cpuStatus();
const instructionSets = status.available ? status.instructionSets : [];
const fused = instructionSets.filter((isa) => isa !== "scalar");

test.skipIf(!status.available)(
  "the first demo's settings end in the first demo's bits on every instruction set with fma",
  async () => {
    const command = join(root, "packages", "milliner", "bin", "milliner.js");
    const settings = join(root, "test", "golden", "first-demo.yaml");
    const data = await digitsFolder();
    for (const isa of fused.length > 0 ? fused : instructionSets) {
      const run = join(scratch, isa);

      const trained = await runCommand(
        process.execPath,
        [command, "train", settings, "--data", data, "--out", run, "--quiet"],
        root,
        { MILLINER_ISA: isa },
      );

      expect(trained.status, transcript(trained)).toBe(0);
      expect(JSON.parse(readFileSync(join(run, "result.json"), "utf8")), isa).toMatchObject({
        lockedHash: "4b81f34e01e0c999d26dfc86aacb6ed4142e8be9dbf8777df6b6b6b36b1a798b",
        acc: 0.99029885184599,
        bitExactOldLogits: true,
      });
      expect(readFileSync(join(run, "run.yaml"), "utf8")).toContain(`isa: ${isa}\n`);
    }
  },
);
