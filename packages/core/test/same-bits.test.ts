import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cpuStatus } from "@milliner/core";

const script = fileURLToPath(new URL("normalise.mjs", import.meta.url));
const status = cpuStatus();
const instructionSets = status.available ? status.instructionSets : [];

// A process each: the instruction set is chosen once, when the addon is loaded.
function normalise(isa: string, threads: number): unknown {
  const output = execFileSync(process.execPath, [script, String(threads)], {
    env: { ...process.env, MILLINER_ISA: isa },
    encoding: "utf8",
  });
  return JSON.parse(output) as unknown;
}

test.skipIf(!status.available)(
  `normalisations have the same bits with 1, 2 and 3 threads and on every instruction set of this machine (${instructionSets.join(", ")})`,
  () => {
    const [best] = instructionSets as readonly [string];
    const expected = normalise(best, 1) as { readonly isa: string };

    for (const isa of instructionSets) {
      for (const threads of [1, 2, 3]) expect(normalise(isa, threads)).toEqual({ ...expected, isa });
    }
  },
);
