import { expect, test } from "vitest";
import { cpuBackend } from "./cpu.ts";
import { referenceBackend } from "./reference.ts";

const { kernels } = referenceBackend;

test("has the kernels of the native table, no more and no less", () => {
  const cpu = cpuBackend().backend;
  if (cpu === null) return; // nothing to compare with
  const other = ["abi", "isa", "threads", "setThreads", "allocate", "free"];

  expect(Object.keys(kernels).toSorted()).toEqual(
    Object.keys(cpu.kernels)
      .filter((name) => !other.includes(name) && !name.startsWith("bf16"))
      .toSorted(),
  );
});

test("sums in double: a chain in float32 would lose the small terms", () => {
  const count = 2 ** 12;
  const x = new Float32Array(count + 1).fill(2 ** -13);
  x[0] = 2 ** 12; // 2^-13 is less than half an ulp of it

  expect(kernels.sum(x)).toBe(2 ** 12 + 0.5);
});

test("terms that are zero change nothing: a pruned layer has the bits of the masked one", () => {
  const [k, used] = [50, [3, 4, 17, 20, 49]];
  const x = Float32Array.from({ length: k }, (_, i) => (used.includes(i) ? Math.sin(i) : 0));
  const w = Float32Array.from({ length: k }, (_, i) => Math.cos(i));
  const [masked, pruned] = [new Float32Array(1), new Float32Array(1)];

  kernels.linearForward(x, w, null, null, null, masked, 1, k, 1, false, 1, null);
  const gathered = (of: Float32Array): Float32Array => Float32Array.from(used, (i) => of[i]!);
  kernels.linearForward(
    gathered(x),
    gathered(w),
    null,
    null,
    null,
    pruned,
    1,
    used.length,
    1,
    false,
    1,
    null,
  );

  expect(pruned).toEqual(masked);
});
