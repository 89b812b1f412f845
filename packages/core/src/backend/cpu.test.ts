import { afterAll, describe, expect, test } from "vitest";
import { Stream } from "../philox.ts";
import type { Kernels } from "./backend.ts";
import { cpuBackend, cpuStatus, setCpuThreads } from "./cpu.ts";

const cpu = cpuBackend();
const before = cpuStatus();

describe.runIf(cpu.backend !== null)("the native kernels", () => {
  afterAll(() => setCpuThreads(before.available ? before.threads : 1));

  function uniform(name: string, count: number): Float32Array {
    return new Stream(0, name).uniform(count, -1, 1);
  }

  // Large enough to be worth several threads.
  const [n, k, m] = [128, 784, 400];
  const [x, w, dy] = [uniform("x", n * k), uniform("w", m * k), uniform("dy", n * m)];
  const results: Readonly<Record<string, (kernels: Kernels) => Float32Array>> = {
    linearForward: (on) => {
      const y = new Float32Array(n * m);
      on.linearForward(x, w, null, null, null, y, n, k, m, true, 1, null);
      return y;
    },
    linearInputGradient: (on) => {
      const dx = new Float32Array(n * k);
      on.linearInputGradient(dy, w, dx, n, k, m);
      return dx;
    },
    linearWeightUpdate: (on) => {
      const updated = w.slice();
      on.linearWeightUpdate(dy, x, updated, 0.01, null, null, null, n, k, m);
      return updated;
    },
    sum: (on) => Float32Array.of(on.sum(x)),
  };

  test.each(Object.keys(results))("%s has the same bits with 1, 2, 3 and 5 threads", (name) => {
    setCpuThreads(1);
    const wanted = results[name]!(cpu.backend!.kernels);

    for (const threads of [2, 3, 5]) {
      setCpuThreads(threads);
      expect(cpuStatus()).toMatchObject({ threads });
      expect(
        Buffer.compare(bytes(results[name]!(cpu.backend!.kernels)), bytes(wanted)),
        `${threads} threads`,
      ).toBe(0);
    }
  });

  test("memory is zero, aligned for vectors, and as large as was asked for", () => {
    for (const size of [0, 1, 256, 5000, 5 * 2 ** 20]) {
      const memory = new Uint8Array(cpu.backend!.allocate(size));

      expect(memory.length).toBe(size);
      expect(memory.every((byte) => byte === 0)).toBe(true);
    }
  });

  test("what is running can be told: file, instruction set and why, threads", () => {
    const status = cpuStatus();

    expect(status).toMatchObject({ available: true, addon: expect.stringContaining(".node") });
    expect(status.available && status.instructionSets).toContain(status.available && status.isa);
    expect(status.reason).not.toBe("");
  });

  test("the backend is the same object each time, so tensors of two callers fit together", () => {
    expect(cpuBackend().backend).toBe(cpu.backend);
  });
});

function bytes(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
