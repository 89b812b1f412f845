import { expect, test } from "vitest";
import { cpuBackend } from "./cpu.ts";

const { backend } = cpuBackend();

test.skipIf(backend === null)("memory beyond an ArrayBuffer's limit is refused, and freed once", async () => {
  for (const bytes of [2 ** 32 + 64, 2 ** 46, -1, 0.5]) {
    expect(() => backend!.allocate(bytes)).toThrow(expect.objectContaining({ code: "NATIVE_ARGUMENT" }));
  }
  await new Promise((resolve) => setTimeout(resolve, 20)); // finalisers run now, and the process is still here
});

test.skipIf(backend === null)("labels and positions that share memory with an output are refused", () => {
  const buffer = new ArrayBuffer(64);
  const floats = new Float32Array(buffer, 0, 4);
  const labels = new Int32Array(buffer, 8, 2);
  const { kernels } = backend!;

  expect(() => kernels.crossEntropy(new Float32Array(4), labels, new Float32Array(2), floats, 2, 2)).toThrow(
    /labels and dlogits share memory/,
  );
  expect(() =>
    kernels.maxPool2dBackward(
      new Float32Array(1),
      labels.subarray(0, 1),
      floats,
      Int32Array.of(1, 2, 2, 1, 2, 2, 2, 2),
    ),
  ).toThrow(/argmax and dx share memory/);
});

test.skipIf(backend === null)(
  "a convolution's padding larger than its kernel is refused: the frame would be anything",
  () => {
    const geometry = Int32Array.of(1, 2 ** 30, 0, 8, 1, 1, 1, 2147483647, 2147483647, 0, 2 ** 30);

    expect(() =>
      backend!.kernels.conv2dForward(
        new Float32Array(0),
        new Float32Array(8),
        null,
        new Float32Array(2),
        geometry,
        false,
      ),
    ).toThrow(expect.objectContaining({ code: "NATIVE_ARGUMENT" }));
  },
);
