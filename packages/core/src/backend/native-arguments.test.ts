import { expect, test } from "vitest";
import { cpuBackend } from "./cpu.ts";

const { backend } = cpuBackend();

test.skipIf(backend === null)("memory beyond an ArrayBuffer's limit is refused, and freed once", async () => {
  for (const bytes of [2 ** 32 + 64, 2 ** 46, -1, 0.5]) {
    expect(() => backend!.allocate(bytes)).toThrow(expect.objectContaining({ code: "NATIVE_ARGUMENT" }));
  }
  await new Promise((resolve) => setTimeout(resolve, 20)); // finalisers run now, and the process is still here
});

test.skipIf(backend === null)("only memory can be freed, and its views are empty then", () => {
  const buffer = backend!.allocate(256);
  const view = new Float32Array(buffer);

  backend!.free!(buffer);

  expect(view.length).toBe(0);
  for (const other of [view, {}, null, new SharedArrayBuffer(8)])
    expect(() => backend!.free!(other as never)).toThrow(
      expect.objectContaining({
        code: "NATIVE_ARGUMENT",
        message: expect.stringContaining("an ArrayBuffer"),
      }),
    );
});

test.skipIf(backend === null)("an overlap is refused with the names of both arguments", () => {
  const buffer = new ArrayBuffer(64);
  const [floats, words] = [new Float32Array(buffer, 0, 8), new Uint32Array(buffer, 24, 2)];
  const { kernels } = backend!;
  words.set([0, 1]);

  expect(() => kernels.scatterMatrix(new Float32Array(4), null, floats, words, words, 2, 4)).toThrow(
    /^scatterMatrix: to and rows share memory$/,
  );
  expect(() => kernels.add(floats.subarray(1), floats.subarray(1), floats.subarray(0, 7))).toThrow(
    /^add: the output and the first input share memory and are not one array$/,
  );
});

test.skipIf(backend === null)(
  "indices that another thread could change after their check are refused",
  () => {
    const shared = new Uint32Array(new SharedArrayBuffer(8));
    shared.set([0, 1]);
    const four = new Float32Array(4);
    const { kernels } = backend!;

    expect(() => kernels.gatherMatrix(four, new Float32Array(4), shared, Uint32Array.of(0, 1), 2, 2)).toThrow(
      /rows lies in a SharedArrayBuffer/,
    );
    expect(() =>
      kernels.crossEntropy(four, new Int32Array(shared.buffer), new Float32Array(2), null, 2, 2),
    ).toThrow(/labels lies in a SharedArrayBuffer/);
  },
);

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
