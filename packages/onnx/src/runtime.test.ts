import { afterEach, expect, test, vi } from "vitest";
import { initialise, linear, network, referenceBackend as backend } from "@milliner/core";
import { exportNetwork } from "./export.ts";
import { OnnxError } from "./onnx-error.ts";
import { loadOnnxRuntime } from "./runtime.ts";
import { verifyModel } from "./verify.ts";

afterEach(() => {
  vi.doUnmock("onnxruntime-node");
  vi.resetModules();
});

const vector = network([2], linear(2));
const model = exportNetwork(vector, initialise(vector, { backend, seed: 1 }), { transform: "none" });

test("without onnxruntime-node the reason is told, and nothing is thrown", async () => {
  vi.doMock("onnxruntime-node", () => {
    throw new Error("libonnxruntime.so.1: cannot open shared object file\n  at somewhere");
  });

  const runtime = await loadOnnxRuntime();

  expect(runtime).toHaveProperty("missing");
  expect(String("missing" in runtime && runtime.missing)).toMatch(
    /^onnxruntime-node cannot be loaded \([^\n]+\); install it/,
  );
});

test("verification without onnxruntime-node fails as missing, not as wrong", async () => {
  vi.doMock("onnxruntime-node", () => {
    throw new Error("no such package");
  });
  const batch = { images: new Float32Array(2), shape: [1, 2], logits: new Float32Array(2) };

  const verification = verifyModel(model, [batch]);

  await expect(verification).rejects.toBeInstanceOf(OnnxError);
  await expect(verification).rejects.toMatchObject({ code: "RUNTIME_MISSING" });
});

test("a session names its ends and runs a batch of any size", async () => {
  const runtime = await loadOnnxRuntime();
  if ("missing" in runtime) throw new Error(runtime.missing);

  const session = await runtime.load(model, { threads: 2 });
  const results = [
    await session.run(new Float32Array(2), [1, 2]),
    await session.run(new Float32Array(10), [5, 2]),
  ];
  await session.release();

  expect([session.inputs, session.outputs]).toEqual([["x"], ["logits"]]);
  expect(results.map(({ shape }) => shape)).toEqual([
    [1, 2],
    [5, 2],
  ]);
  await expect(session.run(new Float32Array(3), [1, 3])).rejects.toMatchObject({ code: "RUNTIME_FAILED" });
});
