import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { ConfigError } from "../errors.ts";
import { Stream } from "../philox.ts";
import { conformanceCases } from "../testing/conformance.ts";
import type { Kernels, Precision } from "./backend.ts";
import { bf16Backend, cpuBackend, cpuStatus, setCpuThreads } from "./cpu.ts";
import { selectBackend } from "./registry.ts";

// Read when the addon first needs it, and this file is a process of its own.
process.env["MILLINER_BF16"] = "emulated";
const before = cpuStatus();

describe.runIf(before.available)("products in bf16, on emulated tiles", () => {
  const bf16 = before.available ? selectBackend("cpu", { precision: "bf16" }) : undefined!;

  test("bf16 is another backend, which says what it is and that it is not exact", () => {
    const float32 = selectBackend("cpu");

    expect(bf16).toMatchObject({ name: "cpu", exact: false, precision: "bf16" });
    expect(float32).toMatchObject({ name: "cpu", exact: true, precision: "float32" });
    expect(bf16Backend().backend).toBe(bf16);
    expect(before).toMatchObject({ bf16: { tiles: "emulated", reason: expect.stringContaining("slow") } });
  });

  test.each(before.available ? conformanceCases(bf16) : [])("$name", ({ check }) => check());

  // Large enough to be worth several threads.
  const [n, k, m] = [18, 600, 640];
  const uniform = (name: string, count: number): Float32Array => new Stream(0, name).uniform(count, -1, 1);
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
    linearWeightGradient: (on) => {
      const dw = new Float32Array(m * k);
      on.linearWeightGradient(dy, x, dw, n, k, m);
      return dw;
    },
    linearWeightUpdate: (on) => {
      const updated = w.slice();
      on.linearWeightUpdate(dy, x, updated, 0.01, null, null, null, n, k, m);
      return updated;
    },
  };
  afterAll(() => setCpuThreads(before.available ? before.threads : 1));

  test.each(Object.keys(results))(
    "%s has the same bits with 1, 2 and 5 threads, and not those of float32",
    (name) => {
      setCpuThreads(1);
      const wanted = results[name]!(bf16.kernels);

      for (const threads of [2, 5]) {
        setCpuThreads(threads);
        expect(sameBits(results[name]!(bf16.kernels), wanted), `${threads} threads`).toBe(true);
      }
      expect(sameBits(results[name]!(cpuBackend().backend!.kernels), wanted)).toBe(false);
    },
  );
});

function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
}

// What another process is told, in which nothing has been chosen yet.
function elsewhere(bf16: string, code: string): unknown {
  const registry = fileURLToPath(new URL("../../dist/backend/registry.js", import.meta.url));
  const script = `const { selectBackend } = await import(${JSON.stringify(registry)}); ${code}`;
  const env = { ...process.env, MILLINER_BF16: bf16 };
  return JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { env, encoding: "utf8" }),
  );
}

test.runIf(before.available)(
  "where bf16 is missing, float32 stands in with one sentence that says why",
  () => {
    const code = `
    const warnings = [];
    const chosen = selectBackend("cpu", { precision: "bf16", onWarning: (message) => warnings.push(message) });
    console.log(JSON.stringify({ same: chosen === selectBackend("cpu"), precision: chosen.precision, warnings }));`;

    expect(elsewhere("off", code)).toEqual({
      same: true,
      precision: "float32",
      warnings: ['computing in float32 and not in bf16, because MILLINER_BF16 is "off"'],
    });
  },
);

test("the reference has no bf16, and says so", () => {
  const warnings: string[] = [];

  const backend = selectBackend("reference", { precision: "bf16", onWarning: (text) => warnings.push(text) });

  expect(backend).toMatchObject({ name: "reference", precision: "float32" });
  expect(warnings).toEqual([expect.stringContaining("only the cpu kernels have it")]);
});

test("a precision that does not exist is refused by name", () => {
  expect(() => selectBackend("reference", { precision: "fp8" as Precision })).toThrow(ConfigError);
  expect(() => selectBackend("reference", { precision: "fp8" as Precision })).toThrow(
    /"fp8".*float32 or bf16/,
  );
});
