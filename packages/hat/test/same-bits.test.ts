import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cpuStatus } from "@milliner/core";

const script = fileURLToPath(new URL("learn-tasks.mjs", import.meta.url));
const status = cpuStatus();
const instructionSets = status.available ? status.instructionSets : [];

interface Bits {
  readonly isa: string;
  readonly logits: string;
  readonly locked: string;
}

// A process each: the instruction set is chosen once, when the addon is loaded.
function learn(isa: string, threads: number, width: number): Bits {
  const output = execFileSync(process.execPath, [script, String(threads), String(width)], {
    env: { ...process.env, MILLINER_ISA: isa },
    encoding: "utf8",
  });
  return JSON.parse(output) as Bits;
}

test.skipIf(!status.available)(
  `learning has the same bits with 1, 2 and 3 threads and on every instruction set of this machine (${instructionSets.join(", ")})`,
  () => {
    const [best] = instructionSets as readonly [string];
    const expected = learn(best, 1, 231);

    for (const isa of instructionSets) {
      for (const threads of [1, 2, 3]) expect(learn(isa, threads, 231)).toEqual({ ...expected, isa });
    }
  },
);
